"""The emergency stop: who may begin and end it, and what it holds up."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine import standstill
from engine.decisions import Decided
from engine.ending import expire_due
from engine.identity import Caller, Role
from engine.model import RunId, RunState
from engine.people import LocalMode
from engine.policy import Refused, Settled
from engine.queries import checkpoint_view, pending_page
from engine.standstill import Standstill
from engine.steering import cancel
from engine.store import leases, tasks
from engine.store.runs import Run
from engine.store.writer import Store, Tx
from engine.submission import submit
from tests.engine.build import (
    HOST,
    TERM,
    FakeClock,
    caller,
    cli_caller,
    deploy_dag,
    events,
    everything,
    give_role,
    new_run,
    rows,
    run_of,
    says,
    waiting,
)


@pytest.fixture(autouse=True)
async def people(store: Store) -> None:
    """Ana is Operator of acme, Ola of another tenant, Vic a Viewer."""
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(partial(give_role, user="U0OLA", tenant="other"))
    await store.write(partial(give_role, user="U0VIC", role=Role.VIEWER))


def paused(user: str = "U0ANA", reason: str = "the site is down") -> partial[Any]:
    return partial(standstill.begin, caller=caller(user), reason=reason)


def unpaused(user: str = "U0ANA") -> partial[Any]:
    return partial(standstill.end, caller=caller(user))


async def revisions(store: Store) -> dict[str, int]:
    return {r["id"]: r["revision"] for r in await store.read(partial(rows, table="run"))}


async def found(store: Store, run_id: RunId) -> tuple[bool, bool]:
    """Whether a worker would look at the run, and whether it would get it."""
    listed = await store.read(partial(leases.drivable, host=HOST, now=store.clock.now(), limit=10))
    lease = await store.write(partial(leases.acquire, run_id=run_id, holder="w", term=TERM))
    return run_id in listed, lease is not None


@dataclass(frozen=True)
class Who:
    """Somebody, and whether they may stop everything."""

    caller: Caller
    may: bool
    local: LocalMode | None = None


WHO = {
    "operator": Who(caller("U0ANA"), True),
    "operator-of-another-tenant": Who(caller("U0OLA"), True),
    "viewer": Who(caller("U0VIC"), False),
    "stranger": Who(caller("U0NOBODY"), False),
    "local-operator": Who(cli_caller(), True, LocalMode(Role.OPERATOR)),
    "local-viewer": Who(cli_caller(), False, LocalMode()),
}


@pytest.mark.parametrize("who", WHO.values(), ids=list(WHO))
async def test_who_may_begin_and_end_it(store: Store, who: Who) -> None:
    """Operators of at least one tenant; refusals are on record and change nothing else."""
    begun = await store.write(partial(standstill.begin, caller=who.caller, local=who.local))
    assert isinstance(begun, Standstill) is who.may
    assert ((await store.read(standstill.current)) is not None) is who.may
    if not who.may:
        await store.write(paused())
    ended = await store.write(partial(standstill.end, caller=who.caller, local=who.local))
    assert isinstance(ended, Standstill) is who.may
    assert ((await store.read(standstill.current)) is None) is who.may
    expected = (
        ["standstill_began", "standstill_ended"]
        if who.may
        else ["steering_refused", "standstill_began", "steering_refused"]
    )
    assert await store.read(events) == expected


async def test_it_says_who_when_and_why(store: Store, clock: FakeClock) -> None:
    """Until it ends everybody can read that."""
    began = clock.now()
    await store.write(paused())
    clock.advance(timedelta(hours=3))
    held = await store.read(standstill.current)
    assert held is not None
    assert (held.name, held.since, held.reason) == ("Ana", began, "the site is down")
    assert await store.write(unpaused("U0OLA")) == held


async def test_it_begins_and_ends_once(store: Store) -> None:
    """A second pause keeps the first one's word; an unpause without one is refused."""
    refused = await store.write(unpaused())
    assert isinstance(refused, Refused)
    assert [f.found for f in refused.reasons] == ["nothing stands still"]
    first = await store.write(paused())
    again = await store.write(paused("U0OLA", "me too"))
    assert isinstance(again, Refused)
    assert [f.found for f in again.reasons] == ["Signoff stands still already"]
    assert await store.read(standstill.current) == first


async def test_a_reason_that_cannot_be_kept_is_refused(store: Store) -> None:
    """Then nothing stands still: say it shorter."""
    assert isinstance(await store.write(paused(reason="x" * 3001)), Refused)
    assert await store.read(standstill.current) is None


async def test_no_run_is_claimed_while_it_lasts(store: Store) -> None:
    """A queued run is neither found nor given to anybody, until it ends."""
    run_id = await store.write(new_run)
    await store.write(paused())
    assert await found(store, run_id) == (False, False)
    await store.write(unpaused())
    assert await found(store, run_id) == (True, True)


async def test_a_lease_that_is_held_is_kept(store: Store) -> None:
    """What runs finishes: its driver renews, writes, and lets go as ever."""
    run_id = await store.write(new_run)
    lease = await store.write(partial(leases.acquire, run_id=run_id, holder="w", term=TERM))
    assert lease is not None
    await store.write(paused())
    await store.write(partial(leases.renew, lease=lease, term=TERM))
    await store.write(partial(leases.release, lease=lease))
    assert await found(store, run_id) == (False, False)


async def test_what_was_called_off_is_driven_to_its_end_all_the_same(store: Store) -> None:
    """Somebody has to end what runs of it."""
    run_id = await store.write(new_run)
    busy = partial(tasks.set_state, run_id=run_id, task_id="build")
    await store.write(partial(busy, was="pending", state="running"))
    await store.write(paused())
    run = await store.write(partial(cancel, run_id=run_id, caller=caller()))
    assert isinstance(run, Run)
    assert run.state is RunState.RUNNING
    assert await found(store, run_id) == (True, True)


async def test_every_driver_looks_again_at_its_beginning_and_at_its_end(store: Store) -> None:
    """Whatever has not ended is touched both times; what has ended is left alone."""
    queued = await store.write(new_run)
    over = await store.write(new_run)
    await store.write(partial(cancel, run_id=over, caller=caller()))
    before = await revisions(store)
    await store.write(paused())
    between = await revisions(store)
    await store.write(unpaused())
    after = await revisions(store)
    assert before[queued] < between[queued] < after[queued]
    assert before[over] == between[over] == after[over]


async def test_runs_are_submitted_decisions_recorded_and_deadlines_kept(
    store: Store, clock: FakeClock
) -> None:
    """It stops starts and resumes, not people and not time; a decided run wants a driver."""
    decided, late = await store.write(waiting), await store.write(waiting)
    await store.write(paused())
    outcome = await store.write(says(decided))
    assert isinstance(outcome, Decided)
    assert isinstance(outcome.ruling, Settled)
    run = await store.read(partial(run_of, opened=decided))
    assert run.state is RunState.RUNNING
    assert await found(store, run.id) == (False, False)
    clock.advance(late.policy.expires_in)
    assert [c.id for c in await store.write(expire_due)] == [late.id]
    made = await store.write(lambda tx: submit(tx, deploy_dag(), caller("U0ANA"), HOST))
    assert isinstance(made, str)


async def test_views_and_lists_say_it(store: Store) -> None:
    """Where people decide they are told why nothing moves."""
    asked = await store.write(waiting)

    def shown(tx: Tx) -> tuple[Standstill | None, Standstill | None]:
        view = checkpoint_view(tx, asked.id)
        assert view is not None
        return view.standstill, pending_page(tx, limit=5).standstill

    assert await store.read(shown) == (None, None)
    held = await store.write(paused())
    assert await store.read(shown) == (held, held)


async def test_its_record_is_gone_afterwards(store: Store) -> None:
    """The trail keeps who and when; nothing else is left of it."""
    before = await store.read(everything)
    await store.write(paused())
    await store.write(unpaused())
    assert (await store.read(everything))["meta"] == before["meta"]
