"""What both databases promise: together or not at all, one end, append-only, in order."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from engine import chain
from engine.decisions import Decided, expire_now
from engine.ending import expire_due
from engine.errors import (
    LeaseLost,
    StoreError,
    StoreInUse,
    StoreReadOnly,
    StoreUnavailable,
)
from engine.events import UnknownRequested
from engine.identity import PersonId, Principal, PrincipalKind, Role
from engine.lifecycle import is_due
from engine.model import (
    BY_PEOPLE,
    CheckpointState,
    Choice,
    Policy,
    RunCause,
    RunState,
    TaskId,
    TaskState,
)
from engine.policy import Refused, Rule, Settled
from engine.store import (
    checkpoints,
    leases,
    outbox,
    past,
    people,
    personal,
    postings,
    runs,
    tasks,
    trail,
)
from engine.store.checkpoints import Cursor
from engine.store.locks import FileLock
from engine.store.writer import Store, Tx
from engine.tables import ProcessRow, UtcDateTime, table_of
from tests.engine.build import (
    HOST,
    NOW,
    TENANT,
    TERM,
    FakeClock,
    cli_caller,
    decided,
    events,
    everything,
    give_role,
    give_roles,
    new_run,
    rows,
    run_of,
    says,
    task_of,
    waiting,
)

PN = PersonId("pn_x")


class Injected(Exception):
    """A fault put in on purpose."""


class FailingTx(Tx):
    """A transaction whose nth statement fails."""

    def __init__(self, tx: Tx, nth: int) -> None:
        super().__init__(tx.connection, tx.now)
        object.__setattr__(self, "left", nth)

    def run(self, statement: sa.Executable, **params: Any) -> sa.CursorResult[Any]:
        left: int = self.left  # type: ignore[attr-defined]
        object.__setattr__(self, "left", left - 1)
        if left == 1:
            raise Injected
        return super().run(statement, **params)


@pytest.fixture
def other(database_url: str, store: Store, clock: FakeClock) -> Iterator[Store]:
    """Another replica on the same database."""
    assert store.url  # the first one is open
    opened = Store.open(database_url, clock)
    yield opened
    opened.close()


def head_of_sound_chain(tx: Tx) -> tuple[int, str]:
    """The head of the trail, having checked that every row leads to it."""
    entries = list(trail.entries(tx))
    parts = {entry.link.seq: entry.parts for entry in entries}
    end = chain.follow([entry.link for entry in entries], parts, chain.GENESIS)
    seq, head = trail.head(tx)
    assert end == (head if entries else chain.GENESIS)
    assert [entry.link.seq for entry in entries] == list(range(1, seq + 1))
    return seq, head


# Together or not at all


@pytest.mark.parametrize(
    ("case", "statements"),
    [("approve", 12), ("vote", 6), ("reject", 12), ("expire", 9), ("force", 9)],
)
async def test_a_use_case_is_written_whole_or_not_at_all(
    store: Store, clock: FakeClock, case: str, statements: int
) -> None:
    """Whichever statement fails, nothing changes; without a fault everything changes together."""
    policy = Policy(quorum=2) if case == "vote" else Policy()
    await store.write(people_in_charge)
    opened = await store.write(partial(waiting, policy=policy))
    await store.write(post_the_card)
    cases: dict[str, Callable[[Tx], Any]] = {
        "approve": says(opened),
        "vote": says(opened),
        "reject": says(opened, choice=Choice.REJECT),
        "expire": expire_due,
        "force": partial(expire_now, checkpoint_id=opened.id, caller=cli_caller()),
    }
    work = cases[case]
    clock.advance(timedelta(hours=72) if case == "expire" else timedelta(minutes=5))
    before = await store.read(everything)
    nth = 0
    while True:
        nth += 1
        try:
            await store.write(lambda tx: work(FailingTx(tx, nth)))  # noqa: B023
        except Injected:
            assert await store.read(everything) == before, f"statement {nth}"
        else:
            break
    after = await store.read(everything)
    changed = {name for name in after if after[name] != before[name]}
    assert nth > statements
    expected = {"audit", "audit_content", "audit_head", "checkpoint", "posting", "delivery"}
    expected |= {"decision"} if case in {"approve", "vote", "reject"} else set()
    expected |= {"run", "task"} if case != "vote" else set()
    assert changed - {"person", "identity"} == expected


def people_in_charge(tx: Tx) -> None:
    give_role(tx, "U0ANA")
    root = Principal(PrincipalKind.OS_USER, "root")
    people.add_grant(tx, root, TENANT, Role.OPERATOR, "test", "test")


def post_the_card(tx: Tx) -> None:
    (delivery,) = outbox.claim(tx, "a", TERM, 9)
    assert delivery.posting_id is not None
    postings.posted(tx, delivery.posting_id, "C1", "1.1", version=1)
    outbox.finish(tx, delivery.id, "a")


async def held_writer(store: Store, release: threading.Event) -> asyncio.Task[bool]:
    """Occupy the writer until released: what is asked for meanwhile shares the next commit."""
    started = threading.Event()

    def hold(_tx: Tx) -> bool:
        started.set()
        return release.wait(5)

    holding = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(started.wait, 5)
    return holding


async def test_a_failing_write_does_not_hurt_those_it_shares_a_commit_with(store: Store) -> None:
    """Writes that wait share one commit; one that fails takes back only its own changes."""
    release = threading.Event()
    commits: list[object] = []
    event.listen(store._write_engine, "commit", commits.append)

    def fail(tx: Tx) -> None:
        people.set_meta(tx, "failed", "yes")
        raise Injected

    first = await held_writer(store, release)
    rest = [
        asyncio.create_task(store.write(work))
        for work in (
            partial(people.set_meta, key="before", value="1"),
            fail,
            partial(people.set_meta, key="after", value="2"),
        )
    ]
    await asyncio.sleep(0.05)
    release.set()
    answers = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [type(answer) for answer in answers] == [bool, type(None), Injected, type(None)]
    assert len(commits) == 2
    written = {row["key"]: row["value"] for row in await store.read(partial(rows, table="meta"))}
    assert written == {"before": "1", "after": "2"}


async def test_a_broken_constraint_takes_back_only_its_own_write(store: Store) -> None:
    """A statement the database refuses is an error for its author and for nobody else."""
    again = partial(people.set_meta, key="k", value="v")

    def twice(tx: Tx) -> None:
        values = {"key": "k2", "value": "v"}
        meta = sa.table("meta", sa.column("key"), sa.column("value"))
        tx.run(meta.insert().values(values))
        tx.run(meta.insert().values(values))

    answers = await asyncio.gather(
        store.write(again), store.write(twice), store.write(again), return_exceptions=True
    )
    assert isinstance(answers[1], sa.exc.IntegrityError)
    assert [row["key"] for row in await store.read(partial(rows, table="meta"))] == ["k"]


async def test_a_connection_in_doubt_fails_the_whole_group_and_changes_nothing(
    store: Store,
) -> None:
    """After an operational error nobody is told that something was written."""
    release = threading.Event()

    def lost(_tx: Tx) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("disk is full"))

    first = await held_writer(store, release)
    doomed = asyncio.create_task(store.write(partial(people.set_meta, key="k", value="v")))
    cause = asyncio.create_task(store.write(lost))
    await asyncio.sleep(0.05)
    release.set()
    answers = await asyncio.gather(first, doomed, cause, return_exceptions=True)
    assert [type(answer) for answer in answers] == [bool, StoreUnavailable, StoreUnavailable]
    assert await store.read(partial(rows, table="meta")) == []
    await store.write(partial(people.set_meta, key="k", value="later"))
    assert await store.read(partial(people.get_meta, key="k")) == "later"


async def test_a_cancelled_write_may_still_be_done(store: Store) -> None:
    """Giving up waiting does not tear a transaction: here it committed all the same."""
    release = threading.Event()

    def slow(tx: Tx) -> None:
        release.wait(5)
        people.set_meta(tx, "k", "v")

    writing = asyncio.create_task(store.write(slow))
    await asyncio.sleep(0.02)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    release.set()
    await store.write(lambda _tx: None)
    assert await store.read(partial(people.get_meta, key="k")) == "v"


async def test_closing_finishes_what_was_asked_for_and_takes_no_more(
    database_url: str, store: Store, clock: FakeClock
) -> None:
    """A write asked for before the end is durable; one after it is refused at once."""
    closing = Store.open(database_url, clock)
    release = threading.Event()
    asked = asyncio.create_task(closing.write(lambda _tx: release.wait(5)))
    later = asyncio.create_task(closing.write(partial(people.set_meta, key="k", value="v")))
    await asyncio.sleep(0.02)
    release.set()
    await asyncio.get_running_loop().run_in_executor(None, closing.close)
    await asyncio.gather(asked, later)
    assert await store.read(partial(people.get_meta, key="k")) == "v"
    with pytest.raises(StoreUnavailable):
        await closing.write(partial(people.set_meta, key="k", value="late"))


async def test_what_was_written_is_there_after_reopening(
    database_url: str, store: Store, clock: FakeClock
) -> None:
    """A decision outlives the process that took it."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(says(opened))
    before = await store.read(everything)
    again = Store.open(database_url, clock)
    try:
        assert await again.read(everything) == before
    finally:
        again.close()


# One end, however many decide


async def test_of_two_hundred_at_once_one_settles_and_the_rest_are_told(store: Store) -> None:
    """Two hundred persons click in one instant: one decision, one end, 199 refusals."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="S0OPS"))
    clicks = [says(opened, f"U{number:04}", groups=["S0OPS"]) for number in range(200)]
    outcomes = await asyncio.gather(*map(store.write, clicks))
    rulings = [decided(outcome).ruling for outcome in outcomes]
    assert [isinstance(ruling, Settled) for ruling in rulings].count(True) == 1
    refused = [ruling for ruling in rulings if isinstance(ruling, Refused)]
    assert len(refused) == 199
    assert all([f.rule for f in ruling.reasons] == [Rule.OPEN] for ruling in refused)
    assert len(await store.read(partial(rows, table="decision"))) == 1
    assert (await store.read(events)).count("checkpoint_ended") == 1
    await store.read(head_of_sound_chain)


async def test_two_replicas_end_a_checkpoint_once(store: Store, other: Store) -> None:
    """Approvals through one replica against rejections through another: one end, one chain."""
    ends = []
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    for _ in range(6):
        opened = await store.write(waiting)
        outcomes = await asyncio.gather(
            store.write(says(opened, "U0ANA")),
            other.write(says(opened, "U0BOB", Choice.REJECT)),
        )
        settled = [o for o in map(decided, outcomes) if isinstance(o.ruling, Settled)]
        assert len(settled) == 1
        ends.append(settled[0].checkpoint.state)
        recorded = await other.read(partial(checkpoints.load, checkpoint_id=opened.id))
        assert recorded == settled[0].checkpoint
    assert (await store.read(events)).count("checkpoint_ended") == len(ends)
    assert len(await store.read(partial(rows, table="decision"))) == len(ends)
    await store.read(head_of_sound_chain)


async def test_two_replicas_sweep_without_ending_anything_twice(
    store: Store, other: Store, clock: FakeClock
) -> None:
    """What is overdue ends once, although both replicas sweep it."""
    opened = [await store.write(waiting) for _ in range(10)]
    clock.advance(timedelta(hours=72))
    ended = await asyncio.gather(*(s.write(expire_due) for s in (store, other, store, other)))
    assert sorted(c.id for batch in ended for c in batch) == sorted(c.id for c in opened)
    assert (await store.read(events)).count("checkpoint_ended") == len(opened)


async def test_two_replicas_meet_a_new_person_at_once_and_make_one(
    store: Store, other: Store
) -> None:
    """The first sight of an account makes one person, whoever sees it."""
    who = cli_caller("zoe")
    look = partial(people.ensure_person, identity=who.identity, name="Zoe")
    found = await asyncio.gather(*(s.write(look) for s in (store, other) * 5))
    assert len(set(found)) == 1


async def test_a_checkpoint_is_ended_by_one_compare_and_set(store: Store) -> None:
    """Saving a second end changes nothing and says so."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA"))
    ended = partial(
        checkpoints.save_end,
        ended=decided(await store.write(says(opened, "U0ANA"))).checkpoint,
    )
    before = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert await store.write(ended) is False
    assert await store.read(partial(checkpoints.load, checkpoint_id=opened.id)) == before


async def test_a_task_moves_only_from_where_it_was_thought_to_be(store: Store) -> None:
    """Setting a task's state names the state it was in; otherwise nothing happens."""
    opened = await store.write(waiting)
    move = partial(tasks.set_state, run_id=opened.run_id, task_id=opened.task_id)
    late = partial(move, was=TaskState.RUNNING, state=TaskState.FAILED)
    assert await store.write(late) is False
    assert (await store.read(partial(task_of, opened=opened))).state is TaskState.WAITING
    right = partial(move, was=TaskState.WAITING, state=TaskState.APPROVED)
    assert await store.write(right) is True


# Append-only


FORBIDDEN = {
    "decision": [
        "DELETE FROM decision",
        "UPDATE decision SET choice = 'reject'",
        "UPDATE decision SET reason = 'another reason'",
        "UPDATE decision SET identity = 'slack\tT0HOME\tU0EVE'",
        "UPDATE decision SET role = 'Admin'",
        "UPDATE decision SET request_digest = ''",
        "UPDATE decision SET inputs = '{\"amount\": 1}'",
        "UPDATE decision SET trace = '[{}]'",
        "UPDATE decision SET person_id = (SELECT requester FROM checkpoint)",
    ],
    "audit": [
        "DELETE FROM audit",
        "UPDATE audit SET event = 'nothing'",
        "UPDATE audit SET prev = hash",
        "UPDATE audit SET commitments = '{}'",
    ],
    "audit_content": [
        "UPDATE audit_content SET body = '{}'",
        "UPDATE audit_content SET person_id = NULL",
        "DELETE FROM audit_content WHERE part = 'facts'",
    ],
}


@pytest.mark.parametrize("table", FORBIDDEN)
async def test_the_record_refuses_to_be_changed(store: Store, table: str) -> None:
    """Decisions and the trail can be added to, never edited or removed, by anybody."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(says(opened))
    before = await store.read(everything)
    for statement in FORBIDDEN[table]:
        with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"):
            await store.write(lambda tx: tx.connection.exec_driver_sql(statement))  # noqa: B023
        assert await store.read(everything) == before, statement


@pytest.mark.postgres
@pytest.mark.parametrize("table", ["decision", "audit_content"])
async def test_truncating_is_refused_too(postgres_url: str, clock: FakeClock, table: str) -> None:
    """A whole table cannot be emptied past the triggers."""
    store = Store.open(postgres_url, clock)
    try:
        with pytest.raises(sa.exc.DBAPIError, match="is append-only"):
            await store.write(lambda tx: tx.connection.exec_driver_sql(f"TRUNCATE {table}"))
    finally:
        store.close()


async def test_what_is_personal_can_be_erased_and_the_chain_still_holds(store: Store) -> None:
    """Reason, account, inputs and trace can be emptied, personal content deleted; facts stay."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(says(opened, reason="because Bob said so"))
    seq = await store.read(head_of_sound_chain)

    def erase(tx: Tx) -> None:
        run = tx.connection.exec_driver_sql
        run("UPDATE decision SET reason = '', identity = '', inputs = '{}', trace = '[]'")
        run("DELETE FROM audit_content WHERE part = 'personal'")

    await store.write(erase)
    (decision,) = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert (decision.reason, decision.identity.subject) == ("", "")
    assert decision.choice is Choice.APPROVE
    assert await store.read(head_of_sound_chain) == seq
    left = await store.read(everything)
    assert "Bob" not in str([left[name] for name in ("decision", "audit", "audit_content")])


# Time


def test_a_naive_time_is_refused() -> None:
    """Nobody knows which zone a naive time means, so it is not stored."""
    naive = datetime(2026, 3, 2, 9, 30)  # noqa: DTZ001
    dialect = sa.create_engine("sqlite://").dialect
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(naive, dialect)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 2, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 3, 2, 12, 0, 0, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-11))),
    ],
    ids=str,
)
async def test_a_time_comes_back_as_the_same_moment_in_utc(store: Store, moment: datetime) -> None:
    """Zones are converted, microseconds kept."""
    await store.write(lambda tx: _seen(tx, "p", moment))
    (row,) = await store.read(partial(rows, table="process"))
    assert row["seen_at"] == moment
    assert row["seen_at"].tzinfo is UTC


async def test_times_order_as_moments(store: Store) -> None:
    """Sorting by a stored time is sorting by the moment, whatever zone it was given in."""
    india = timezone(timedelta(hours=5, minutes=30))
    moments = [
        NOW,
        NOW + timedelta(microseconds=1),
        (NOW + timedelta(seconds=1)).astimezone(india),
        NOW + timedelta(seconds=1, microseconds=10),
        NOW + timedelta(hours=1),
    ]
    for number, moment in enumerate(reversed(moments)):
        await store.write(partial(_seen, name=str(number), at=moment))
    process = table_of(ProcessRow)
    query = sa.select(process.c.seen_at).order_by(process.c.seen_at)
    found = await store.read(lambda tx: list(tx.run(query).scalars()))
    assert found == moments
    later = sa.select(sa.func.count()).where(process.c.seen_at > moments[1])
    assert await store.read(lambda tx: tx.run(later).scalar_one()) == 3


def _seen(tx: Tx, name: str, at: datetime) -> None:
    values = {"id": name, "kind": "worker", "host": HOST, "pid": 1, "process_started": 1.5}
    tx.run(table_of(ProcessRow).insert().values(**values, seen_at=at))


# Reading


async def test_a_read_cannot_write(store: Store) -> None:
    """The reading side refuses statements that change something."""
    with pytest.raises(StoreReadOnly):
        await store.read(partial(people.set_meta, key="k", value="v"))
    assert await store.read(partial(rows, table="meta")) == []


async def test_a_read_sees_one_moment(store: Store) -> None:
    """What commits while somebody reads is not seen by that read."""
    loop = asyncio.get_running_loop()

    def look_twice(tx: Tx) -> tuple[str | None, str | None]:
        first = people.get_meta(tx, "k")
        writing = asyncio.run_coroutine_threadsafe(
            store.write(partial(people.set_meta, key="k", value="v")), loop
        )
        writing.result(5)
        return first, people.get_meta(tx, "k")

    assert await store.read(look_twice) == (None, None)
    assert await store.read(partial(people.get_meta, key="k")) == "v"


async def test_pages_of_pending_are_stable_where_deadlines_are_equal(
    store: Store, clock: FakeClock
) -> None:
    """Paging by (deadline, id) shows each checkpoint once, the earliest deadline first."""
    same = [await store.write(waiting) for _ in range(7)]
    clock.advance(timedelta(hours=1))
    later = [await store.write(waiting) for _ in range(4)]
    seen = []
    after: Cursor | None = None
    while True:
        page = await store.read(
            lambda tx: checkpoints.pending(tx, now=tx.now, limit=3, after=after)  # noqa: B023
        )
        if not page:
            break
        seen += [c.id for c in page]
        after = Cursor(page[-1].expires_at, page[-1].id)
    assert seen == [*sorted(c.id for c in same), *sorted(c.id for c in later)]


async def test_pending_is_limited_to_tenants_and_a_dag(store: Store) -> None:
    """A filter narrows; no tenants at all means nothing."""
    opened = await store.write(waiting)

    def found(**wanted: Any) -> Callable[[Tx], list[str]]:
        return lambda tx: [c.id for c in checkpoints.pending(tx, now=NOW, limit=9, **wanted)]

    assert await store.read(found(tenants=["acme", "other"])) == [opened.id]
    assert await store.read(found(tenants=["other"])) == []
    assert await store.read(found(tenants=[])) == []
    assert await store.read(found(dag="deploy")) == [opened.id]
    assert await store.read(found(dag="other")) == []


async def test_what_is_overdue_is_due_and_no_longer_pending(store: Store, clock: FakeClock) -> None:
    """At the exact deadline a checkpoint moves from what waits to what must end."""
    opened = await store.write(waiting)
    clock.set(opened.expires_at - timedelta(microseconds=1))
    assert await store.read(checkpoints.any_due) is False
    clock.set(opened.expires_at)
    assert await store.read(checkpoints.any_due) is True
    assert is_due(opened, clock.now())
    assert await store.read(lambda tx: checkpoints.pending(tx, now=tx.now, limit=9)) == []


# News


async def test_changes_wake_on_a_commit_by_another_store(store: Store, other: Store) -> None:
    """Whoever waits for news learns of a commit by another process."""
    changes = store.changes()
    try:
        assert await changes.wait(5)  # whatever was there before is news
        assert not await changes.wait(0.02)
        waiting_for_it = asyncio.create_task(changes.wait(5))
        await asyncio.sleep(0.02)
        await other.write(partial(people.set_meta, key="k", value="v"))
        assert await waiting_for_it
    finally:
        await changes.close()


async def test_changes_wake_on_a_commit_by_the_same_store(store: Store) -> None:
    """A commit between two waits is not missed, also when it is our own."""
    changes = store.changes()
    try:
        assert await changes.wait(5)
        await store.write(partial(people.set_meta, key="k", value="v"))
        assert await changes.wait(5)
        assert not await changes.wait(0.02)
    finally:
        await changes.close()


async def test_reading_is_no_news(store: Store, other: Store) -> None:
    """Reads wake nobody."""
    changes = store.changes()
    try:
        assert await changes.wait(5)
        await other.read(everything)
        assert not await changes.wait(0.05)
    finally:
        await changes.close()


# Leases


async def test_a_run_is_driven_by_one_at_a_time(store: Store, other: Store) -> None:
    """Of two that want the lease of a queued run, one gets it."""
    run_id = await store.write(new_run)
    taken = await asyncio.gather(
        store.write(partial(leases.acquire, run_id=run_id, holder="a", term=TERM)),
        other.write(partial(leases.acquire, run_id=run_id, holder="b", term=TERM)),
    )
    assert [lease is None for lease in taken].count(True) == 1


async def test_a_lapsed_lease_is_taken_over_and_its_holder_is_powerless(
    store: Store, clock: FakeClock
) -> None:
    """A later epoch fences the earlier one: whatever the old holder writes changes nothing."""
    run_id = await store.write(new_run)
    take = partial(leases.acquire, run_id=run_id, term=TERM)
    old = await store.write(partial(take, holder="a"))
    assert old is not None
    clock.advance(TERM - timedelta(seconds=1))
    assert await store.read(lambda tx: leases.drivable(tx, HOST, tx.now, 9)) == []
    assert await store.write(partial(take, holder="b")) is None
    clock.advance(timedelta(seconds=1))
    assert await store.read(lambda tx: leases.drivable(tx, HOST, tx.now, 9)) == [run_id]
    new = await store.write(partial(take, holder="b"))
    assert new is not None
    assert new.epoch == old.epoch + 1
    before = await store.read(everything)
    for stale in (
        partial(leases.renew, lease=old, term=TERM),
        partial(leases.pause, lease=old),
        partial(leases.release, lease=old),
        partial(leases.held, lease=old),
        partial(leases.end, lease=old, state=RunState.SUCCEEDED, cause=None, because=None),
    ):
        with pytest.raises(LeaseLost):
            await store.write(stale)
    assert await store.read(everything) == before
    await store.write(partial(leases.held, lease=new))


async def test_a_holder_that_comes_back_under_its_own_name_is_a_new_one(
    store: Store, clock: FakeClock
) -> None:
    """The epoch fences even a holder of the same name."""
    run_id = await store.write(new_run)
    old = await store.write(partial(leases.acquire, run_id=run_id, holder="a", term=TERM))
    clock.advance(TERM)
    await store.write(partial(leases.acquire, run_id=run_id, holder="a", term=TERM))
    assert old is not None
    with pytest.raises(LeaseLost):
        await store.write(partial(leases.renew, lease=old, term=TERM))


async def test_renewing_keeps_others_out(store: Store, clock: FakeClock) -> None:
    """A renewed lease lasts for a term from now."""
    run_id = await store.write(new_run)
    lease = await store.write(partial(leases.acquire, run_id=run_id, holder="a", term=TERM))
    assert lease is not None
    clock.advance(TERM - timedelta(seconds=1))
    await store.write(partial(leases.renew, lease=lease, term=TERM))
    clock.advance(TERM - timedelta(seconds=1))
    take = partial(leases.acquire, run_id=run_id, holder="b", term=TERM)
    assert await store.write(take) is None


async def test_the_runs_of_a_dead_holder_are_free_at_once(store: Store) -> None:
    """Nobody waits for the lease of a process that is known to be gone."""
    run_id = await store.write(new_run)
    await store.write(partial(leases.acquire, run_id=run_id, holder="a", term=TERM))
    await store.write(partial(leases.free_leases_of, holder="a"))
    take = partial(leases.acquire, run_id=run_id, holder="b", term=TERM)
    assert await store.write(take) is not None


async def test_a_paused_run_wants_no_driver_until_it_is_woken(store: Store) -> None:
    """A paused run holds no lease; waking it makes it drivable, once."""
    opened = await store.write(waiting)
    assert await store.read(lambda tx: leases.drivable(tx, HOST, tx.now, 9)) == []
    take = partial(leases.acquire, run_id=opened.run_id, holder="b", term=TERM)
    assert await store.write(take) is None
    assert await store.write(partial(runs.wake, run_id=opened.run_id)) is True
    assert await store.write(partial(runs.wake, run_id=opened.run_id)) is False
    assert await store.read(lambda tx: leases.drivable(tx, HOST, tx.now, 9)) == [opened.run_id]
    assert await store.read(lambda tx: leases.drivable(tx, "elsewhere", tx.now, 9)) == []


async def test_an_ended_run_is_over(store: Store) -> None:
    """An ended run has no lease, says how it ended and is never driven again."""
    run_id = await store.write(new_run)
    lease = await store.write(partial(leases.acquire, run_id=run_id, holder="a", term=TERM))
    assert lease is not None
    cause, because = RunCause.REJECTED, TaskId("release")
    end = partial(leases.end, lease=lease, state=RunState.FAILED, cause=cause, because=because)
    await store.write(end)
    run = await store.read(partial(runs.load, run_id=run_id))
    assert run is not None
    assert run.has_ended
    assert (run.state, run.cause, run.because) == (RunState.FAILED, cause, because)
    assert run.ended_at == NOW
    take = partial(leases.acquire, run_id=run_id, holder="b", term=TERM)
    assert await store.write(take) is None


# The outbox's rows


async def test_a_claim_keeps_others_away_until_its_term_lapses(
    store: Store, other: Store, clock: FakeClock
) -> None:
    """What one replica works on the other does not take, until the first has died over it."""
    await store.write(waiting)
    claims = await asyncio.gather(
        store.write(partial(outbox.claim, holder="a", term=TERM, limit=9)),
        other.write(partial(outbox.claim, holder="b", term=TERM, limit=9)),
    )
    assert sorted(len(claim) for claim in claims) == [0, 1]
    assert await store.read(partial(outbox.count_due, limit=9)) == 0
    clock.advance(TERM)
    assert await store.read(partial(outbox.count_due, limit=9)) == 1
    (again,) = await other.write(partial(outbox.claim, holder="c", term=TERM, limit=9))
    assert again.attempts == 1


@pytest.mark.parametrize("act", ["finish", "postpone", "give_up"])
async def test_a_lapsed_claim_decides_nothing(store: Store, clock: FakeClock, act: str) -> None:
    """Whoever lost a claim cannot finish, postpone or give up the delivery."""
    await store.write(waiting)
    (delivery,) = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    clock.advance(TERM)
    await store.write(partial(outbox.claim, holder="b", term=TERM, limit=9))
    before = await store.read(partial(rows, table="delivery"))
    work: Callable[[Tx], None] = {
        "finish": partial(outbox.finish, delivery_id=delivery.id, holder="a"),
        "postpone": partial(
            outbox.postpone, delivery_id=delivery.id, holder="a", until=NOW, error=None
        ),
        "give_up": partial(outbox.give_up, delivery_id=delivery.id, holder="a", error="no"),
    }[act]
    await store.write(work)
    assert await store.read(partial(rows, table="delivery")) == before


async def test_asking_twice_for_the_same_is_asking_once(store: Store, clock: FakeClock) -> None:
    """A key names a delivery; asking again makes it due now, also when it was done."""
    opened = await store.write(waiting)
    (delivery,) = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    await store.write(partial(outbox.finish, delivery_id=delivery.id, holder="a"))
    assert await store.read(outbox.next_due) is None
    clock.advance(timedelta(hours=40))
    await store.write(partial(postings.want_true, checkpoint_id=opened.id, version=2))
    (again,) = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    assert again.id == delivery.id
    assert (again.state, again.attempts) == (outbox.DeliveryState.PENDING, 0)
    assert (again.due_at, again.created_at) == (clock.now(), clock.now())


async def test_nobody_naps_beside_a_lapsing_claim(store: Store, clock: FakeClock) -> None:
    """The next moment to look is when something is due, or when a claim on it lapses."""
    await store.write(waiting)
    assert await store.read(outbox.next_due) == NOW
    (delivery,) = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    assert await store.read(outbox.next_due) == NOW + TERM
    until = NOW + timedelta(minutes=5)
    await store.write(
        partial(outbox.postpone, delivery_id=delivery.id, holder="a", until=until, error="429")
    )
    assert await store.read(outbox.next_due) == until
    clock.set(until)
    assert await store.read(partial(outbox.count_due, limit=9)) == 1


async def test_what_failed_is_listed_until_it_is_told(store: Store) -> None:
    """A delivery with an error is trouble; once done it no longer is."""
    await store.write(waiting)
    (delivery,) = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    await store.write(
        partial(outbox.postpone, delivery_id=delivery.id, holder="a", until=NOW, error="429")
    )
    (troubled,) = await store.read(partial(outbox.troubled, limit=9))
    assert (troubled.id, troubled.error) == (delivery.id, "429")
    await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    await store.write(partial(outbox.finish, delivery_id=delivery.id, holder="a"))
    assert await store.read(partial(outbox.troubled, limit=9)) == []


async def test_the_one_bot_of_a_file_frees_claims_when_it_starts(store: Store) -> None:
    """After a restart nobody waits for claims of the process that died."""
    await store.write(waiting)
    await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    await store.write(outbox.drop_claims)
    assert len(await store.write(partial(outbox.claim, holder="b", term=TERM, limit=9))) == 1


# The trail


async def test_the_same_refusal_in_a_flood_is_written_once_a_minute(
    store: Store, clock: FakeClock
) -> None:
    """A flood of one refusal leaves one row; the next one written says how many went unwritten."""
    opened = await store.write(waiting)
    refused = [decided(await store.write(says(opened, "U0EVE"))) for _ in range(30)]
    assert all(isinstance(outcome.ruling, Refused) for outcome in refused)
    assert (await store.read(events)).count("decision_refused") == 1
    clock.advance(timedelta(minutes=1))
    await store.write(says(opened, "U0EVE"))
    entries = await store.read(lambda tx: list(trail.entries(tx, checkpoint_id=opened.id)))
    last = entries[-1]
    assert last.link.event == "decision_refused"
    facts = next(part.body for part in last.parts if part.name == chain.FACTS)
    assert '"suppressed_before":29' in facts


async def test_another_refusal_or_another_person_is_written(store: Store) -> None:
    """The flood limit is for one person, one checkpoint, one choice and the same rules."""
    first, second = await store.write(waiting), await store.write(waiting)
    await store.write(says(first, "U0EVE"))
    await store.write(says(first, "U0MAL"))
    await store.write(says(first, "U0EVE", Choice.REJECT))
    await store.write(says(first, "U0EVE", Choice.REJECT, reason=""))
    await store.write(says(second, "U0EVE"))
    assert (await store.read(events)).count("decision_refused") == 5


async def test_the_trail_is_read_by_checkpoint_run_and_time(store: Store, clock: FakeClock) -> None:
    """A filter takes its own rows with their content, and no other's."""
    first = await store.write(waiting)
    clock.advance(timedelta(minutes=1))
    second = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(says(first))

    async def names(**wanted: Any) -> list[str]:
        found = await store.read(lambda tx: list(trail.entries(tx, **wanted)))
        assert all({part.seq for part in entry.parts} == {entry.link.seq} for entry in found)
        return [entry.link.event for entry in found]

    of_first = ["checkpoint_opened", "decision_recorded", "checkpoint_ended", "run_resumed"]
    assert await names(checkpoint_id=first.id) == of_first
    assert await names(run_id=second.run_id) == ["checkpoint_opened"]
    assert await names(since=clock.now()) == ["checkpoint_opened", *of_first[1:]]


async def test_a_long_trail_is_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a page holds come back in order and without a gap."""
    monkeypatch.setattr(trail, "_PAGE", 10)
    who = cli_caller()
    person = await store.write(partial(people.ensure_person, identity=who.identity, name="Root"))
    unknown = UnknownRequested(person=person, surface="cli")
    await store.write(lambda tx: [trail.append(tx, unknown) for _ in range(25)])
    assert (await store.read(head_of_sound_chain))[0] == 25


async def test_text_no_database_takes_is_recorded_all_the_same(store: Store) -> None:
    """Half a character in what somebody sent neither crashes nor goes unrecorded."""
    who = cli_caller()
    outcome = await store.write(partial(expire_now, checkpoint_id="cp_\ud800\x00", caller=who))
    assert not isinstance(outcome, Decided)
    assert await store.read(events) == ["unknown_requested"]
    await store.read(head_of_sound_chain)


# Files and servers


def test_a_second_holder_of_a_file_lock_is_refused(tmp_path: Path) -> None:
    """One bot and one worker per file; the lock is gone with its holder."""
    database = tmp_path / "signoff.db"
    first = FileLock.take(database, "serve")
    with pytest.raises(StoreInUse, match="another `signoff serve`"):
        FileLock.take(database, "serve")
    FileLock.take(database, "worker").release()
    first.release()
    FileLock.take(database, "serve").release()


async def test_a_locked_file_is_busy_and_says_so(
    sqlite_url: str,
    sqlite_store: Store,
) -> None:
    """Somebody who holds the file makes a write fail readably, and the next one works."""
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    await sqlite_store.write(lambda tx: tx.connection.exec_driver_sql("PRAGMA busy_timeout=20"))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another process"):
        await sqlite_store.write(partial(people.set_meta, key="k", value="v"))
    holder.execute("ROLLBACK")
    holder.close()
    await sqlite_store.write(partial(people.set_meta, key="k", value="v"))


@pytest.mark.parametrize(
    ("work", "index"),
    [
        (partial(checkpoints.due, now=NOW, limit=9), "ix_checkpoint_pending"),
        (partial(checkpoints.pending, now=NOW, limit=9), "ix_checkpoint_pending"),
        (
            partial(checkpoints.pending, now=NOW, limit=9, after=Cursor(NOW, "cp_x")),
            "ix_checkpoint_pending",
        ),
        (
            partial(checkpoints.pending, now=NOW, limit=9, tenants=["acme"]),
            "ix_checkpoint_tenant",
        ),
        (partial(checkpoints.decisions, checkpoint_id="cp_x"), "ix_decision_checkpoint"),
        (partial(checkpoints.listed, limit=9), "ix_checkpoint_recent"),
        (partial(past.ended, tenant="acme", limit=9), "ix_checkpoint_ended"),
        (
            partial(past.ended, tenant="acme", limit=9, since=NOW, after=past.Mark(NOW, "cp_x")),
            "ix_checkpoint_ended",
        ),
        (
            partial(past.ended, tenant="acme", limit=9, by=frozenset({PersonId("pn_x")})),
            "ix_decision_person",
        ),
        (
            partial(past.approval_spans, tenant="acme", since=NOW, causes=BY_PEOPLE, limit=9),
            "ix_checkpoint_ended",
        ),
        (partial(past.count_asked, tenant="acme", since=NOW), "ix_checkpoint_asked"),
        (partial(past.waiting_in, tenants=["acme"]), "ix_checkpoint_tenant"),
        (
            partial(past.recent_runs, tenant="acme", limit=9, after=past.Mark(NOW, "run_x")),
            "ix_run_tenant",
        ),
        (
            partial(personal.asked_by, person_id=PN, limit=9, tenants=["a"]),
            "ix_checkpoint_requester",
        ),
        (partial(personal.answers_of, person_id=PN, limit=9, tenants=["a"]), "ix_decision_person"),
        (
            partial(personal.answered_by, persons={PN}, checkpoint_ids=["cp_x", "cp_y"]),
            "ix_decision_checkpoint",
        ),
        (
            partial(personal.approvers_pending, now=NOW, limit=9, tenants=["acme"]),
            "ix_checkpoint_tenant",
        ),
        (partial(leases.drivable, host=HOST, now=NOW, limit=9), "ix_run_drive"),
        (partial(runs.listed, limit=9), "ix_run_recent"),
        (partial(outbox.claim, holder="a", term=TERM, limit=9), "ix_delivery_due"),
        (partial(outbox.count_due, limit=9), "ix_delivery_due"),
        (outbox.next_due, "ix_delivery_due"),
        (partial(postings.of_checkpoint, checkpoint_id="cp_x"), "ix_posting_checkpoint"),
        (partial(outbox.deliveries, checkpoint_id="cp_x"), "ix_delivery_checkpoint"),
        (lambda tx: list(trail.entries(tx, checkpoint_id="cp_x")), "ix_audit_checkpoint"),
        (lambda tx: list(trail.entries(tx, run_id="run_x")), "ix_audit_run"),
    ],
    ids=[
        *("due", "pending", "pending-after", "pending-tenant", "decisions", "listed"),
        *("ended", "ended-after", "ended-by", "spans", "asked", "waiting-in", "runs-of-tenant"),
        *("asked-by", "answers-of", "answered-by", "approvers-pending"),
        *("drivable", "runs", "claim", "count-due", "next-due", "postings", "deliveries"),
        *("trail-checkpoint", "trail-run"),
    ],
)
async def test_a_named_query_uses_its_index(
    sqlite_store: Store, work: Callable[[Tx], Any], index: str
) -> None:
    """No list or sweep walks a whole table, and the paged ones need no sort."""
    said: list[tuple[str, Any]] = []

    def listen(_c: Any, _cursor: Any, statement: str, params: Any, _ctx: Any, _many: Any) -> None:
        said.append((statement, params))

    event.listen(sqlite_store._write_engine, "before_cursor_execute", listen)
    await sqlite_store.write(work)
    (select,) = [pair for pair in said if pair[0].startswith("SELECT")]
    path = sqlite_store.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {select[0]}", select[1])]
    connection.close()
    assert any(index in step for step in plan), plan
    found = ("SCAN found", "SCAN (subquery")  # rows that an index has found already
    scans = [s for s in plan if s.startswith("SCAN") and "USING" not in s]
    scans = [step for step in scans if not step.startswith(found)]
    assert not scans, plan
    sorts = [step for step in plan if "TEMP B-TREE" in step]
    by_turns = "MATERIALIZE found" in plan  # of several lanes: sorted, but only what is due
    assert not sorts or by_turns or index == "ix_run_drive", plan


async def test_a_decision_ends_with_its_run_in_the_trail(store: Store) -> None:
    """The state a checkpoint's run and task are in after a decision is the end of all of them."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(says(opened))
    assert (await store.read(partial(run_of, opened=opened))).state is RunState.RUNNING
    assert (await store.read(partial(task_of, opened=opened))).state is TaskState.APPROVED
    recorded = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert recorded is not None
    assert recorded.state is CheckpointState.APPROVED
