"""The older expiry's tests, by their names: deadlines are kept, once, and to the microsecond."""

import asyncio
from datetime import timedelta

from engine.chain import FACTS
from engine.ending import expire_due, sweep_expiry
from engine.heartbeat import Heartbeat
from engine.identity import Role
from engine.model import Cause, CheckpointState, Policy
from engine.report import content
from engine.store import trail
from engine.store.writer import Store, Tx
from engine.surfaces import AuditSurface
from tests.engine.build import NOW, FakeClock, everything
from tests.parity.asking import asked, decided, is_given, lines_of, state_of

PENDING, EXPIRED = CheckpointState.PENDING, CheckpointState.EXPIRED
DEADLINE = timedelta(hours=72)
MICROSECOND = timedelta(microseconds=1)


async def test_expire_pending_basic(store: Store, clock: FakeClock) -> None:
    """A checkpoint that nobody answered in time ends as expired, at its deadline."""
    opened = await asked(store)
    clock.advance(timedelta(hours=73))
    [expired] = await store.write(expire_due)
    assert (expired.id, expired.state, expired.cause) == (opened.id, EXPIRED, Cause.DEADLINE)
    assert expired.ended_at == NOW + DEADLINE
    assert await state_of(store, opened) is EXPIRED


async def test_expire_pending_with_custom_expiration(store: Store, clock: FakeClock) -> None:
    """A checkpoint with a deadline of its own expires by that one, not by the default."""
    short = await asked(store, Policy(expires_in=timedelta(hours=1)))
    long = await asked(store, Policy(expires_in=timedelta(hours=100)))
    clock.advance(timedelta(hours=2))
    assert [c.id for c in await store.write(expire_due)] == [short.id]
    clock.advance(timedelta(hours=80))
    assert await store.write(expire_due) == []
    assert await state_of(store, long) is PENDING


async def test_expire_pending_does_not_affect_recent(store: Store, clock: FakeClock) -> None:
    """A checkpoint that still has an hour stays open."""
    opened = await asked(store)
    clock.advance(timedelta(hours=71))
    assert await sweep_expiry(store) == 0
    assert await state_of(store, opened) is PENDING


async def test_expire_pending_mixed_checkpoints(store: Store, clock: FakeClock) -> None:
    """Among old and new ones exactly the old end, the oldest first."""
    older = await asked(store)
    clock.advance(timedelta(hours=1))
    old = await asked(store)
    clock.advance(timedelta(hours=72))
    new = [await asked(store), await asked(store)]
    assert [c.id for c in await store.write(expire_due)] == [older.id, old.id]
    assert [await state_of(store, opened) for opened in new] == [PENDING, PENDING]


async def test_expire_pending_does_not_affect_approved(store: Store, clock: FakeClock) -> None:
    """What was approved in time stays approved, however late the sweep comes."""
    opened = await asked(store)
    await is_given(store, "U0ANA", Role.OPERATOR)
    await decided(store, opened)
    clock.advance(timedelta(hours=100))
    assert await sweep_expiry(store) == 0
    assert await state_of(store, opened) is CheckpointState.APPROVED


async def test_scheduler_emits_checkpoint_expired_event(store: Store, clock: FakeClock) -> None:
    """The real scheduler, ticking on, leaves one event with checkpoint, run and task."""
    opened = await asked(store)
    clock.advance(DEADLINE)
    sweeps, stop = 0, asyncio.Event()

    async def sweep() -> None:
        nonlocal sweeps
        await sweep_expiry(store)
        sweeps += 1
        if sweeps == 5:
            stop.set()

    heart = Heartbeat(clock, timedelta(milliseconds=10))
    heart.every_tick("expiry", sweep)
    async with asyncio.timeout(10):
        await heart.run(stop)

    def ends(tx: Tx) -> list[trail.Entry]:
        return [entry for entry in trail.entries(tx) if entry.link.event == "checkpoint_ended"]

    [ended] = await store.read(ends)
    facts = content(ended, FACTS)
    assert (facts["state"], facts["cause"]) == ("expired", "deadline")
    named = (facts["checkpoint_id"], facts["run_id"], facts["task"])
    assert named == (opened.id, opened.run_id, opened.task_id)
    for surface in AuditSurface:
        lines = await lines_of(store, surface)
        [line] = [line for line in lines if line["event"] == "checkpoint_expired"]
        assert (line["checkpoint_id"], line["run_id"], line["task_id"]) == named


async def test_expire_pending_idempotent(store: Store, clock: FakeClock) -> None:
    """A second sweep finds nothing to end and writes nothing."""
    await asked(store)
    clock.advance(timedelta(hours=73))
    assert await sweep_expiry(store) == 1
    before = await store.read(everything)
    assert await sweep_expiry(store) == 0
    assert await store.read(everything) == before


async def test_expire_pending_with_no_checkpoints(store: Store) -> None:
    """With nothing there a sweep ends nothing."""
    assert await sweep_expiry(store) == 0
    assert await store.write(expire_due) == []


async def test_expire_pending_boundary_condition(store: Store, clock: FakeClock) -> None:
    """A microsecond before the deadline it is open; exactly at the deadline it has expired."""
    opened = await asked(store)
    clock.advance(DEADLINE - MICROSECOND)
    assert await store.write(expire_due) == []
    clock.advance(MICROSECOND)
    [expired] = await store.write(expire_due)
    assert (expired.id, expired.ended_at) == (opened.id, clock.now())
