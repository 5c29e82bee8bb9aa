"""Asking again: the same question anew, once nothing behind it has run."""

from datetime import timedelta
from functools import partial

import pytest

from engine.asking import AskedAgain, ask_again
from engine.attempts import Missing
from engine.decisions import Decided
from engine.ending import expire_due
from engine.identity import Role
from engine.model import Checkpoint, Choice, RunCause, RunState, TaskId, TaskState
from engine.policy import Refused
from engine.steering import cancel
from engine.store import checkpoints, leases, tasks
from engine.store.writer import Store, Tx
from tests.engine.build import (
    TERM,
    FakeClock,
    caller,
    events,
    give_role,
    run_of,
    says,
    waiting,
)

SHIP = TaskId("ship")


@pytest.fixture
async def opened(store: Store) -> Checkpoint:
    """A waiting checkpoint, with an Operator (Ana) and a Viewer (Vic) in its tenant."""
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(partial(give_role, user="U0VIC", role=Role.VIEWER))
    return await store.write(waiting)


async def expired(store: Store, clock: FakeClock, opened: Checkpoint) -> None:
    clock.advance(opened.policy.expires_in)
    await store.write(expire_due)


def again(opened: Checkpoint, user: str = "U0ANA") -> partial[AskedAgain | Decided | Missing]:
    return partial(ask_again, checkpoint_id=opened.id, caller=caller(user))


def run_fails(tx: Tx, opened: Checkpoint, cause: RunCause = RunCause.EXPIRED) -> None:
    """What the driver does after an expiry: skip what is behind it, and end the run."""
    lease = leases.acquire(tx, opened.run_id, "worker", TERM)
    assert lease is not None
    tasks.set_state(tx, opened.run_id, SHIP, TaskState.PENDING, TaskState.SKIPPED)
    leases.end(tx, lease, RunState.FAILED, cause, TaskId("release"))


async def states(store: Store, opened: Checkpoint) -> dict[str, str]:
    records = await store.read(partial(tasks.records, run_id=opened.run_id))
    return {task_id: record.state.value for task_id, record in records.items()}


async def refused_for(store: Store, opened: Checkpoint, user: str = "U0ANA") -> str:
    outcome = await store.write(again(opened, user))
    assert isinstance(outcome, Decided)
    assert isinstance(outcome.ruling, Refused)
    (finding, *_) = outcome.ruling.reasons
    return f"{finding.rule}: {finding.found}"


async def test_an_expired_one_is_asked_anew_and_its_run_goes_on(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """The failed run is running again, and everything behind the question waits for it."""
    await expired(store, clock, opened)
    await store.write(partial(run_fails, opened=opened))
    assert isinstance(await store.write(again(opened)), AskedAgain)
    assert await states(store, opened) == {
        "build": "succeeded",
        "release": "pending",
        "ship": "pending",
    }
    run = await store.read(partial(run_of, opened=opened))
    assert (run.state, run.cause, run.ended_at) == (RunState.RUNNING, None, None)
    assert (await store.read(events))[-1] == "checkpoint_asked_again"


async def test_the_ended_checkpoint_stays_on_record(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """Nobody's end is undone: the old checkpoint stays expired, at its deadline."""
    await expired(store, clock, opened)
    await store.write(again(opened))
    recorded = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert recorded is not None
    assert (recorded.state, recorded.ended_at) == ("expired", opened.expires_at)


async def test_a_rejected_one_may_be_asked_again(store: Store, opened: Checkpoint) -> None:
    """A no is no end of all talk, as long as nothing was done about it."""
    await store.write(says(opened, choice=Choice.REJECT))
    assert isinstance(await store.write(again(opened)), AskedAgain)


async def test_what_waits_or_was_approved_is_not_asked_again(
    store: Store, opened: Checkpoint
) -> None:
    """Only an expired or rejected question can be asked anew."""
    assert await refused_for(store, opened) == "askable: it is pending"
    await store.write(says(opened))
    assert await refused_for(store, opened) == "askable: it is approved"


async def test_it_is_asked_again_once(store: Store, clock: FakeClock, opened: Checkpoint) -> None:
    """Two taps make one new question."""
    await expired(store, clock, opened)
    await store.write(again(opened))
    assert await refused_for(store, opened) == "askable: it was asked again already"


async def test_nothing_that_has_run_runs_again(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """Once a task behind the question has run, its reject path say, a new run is needed."""
    await expired(store, clock, opened)
    ran = partial(tasks.set_state, run_id=opened.run_id, task_id=SHIP)
    await store.write(partial(ran, was=TaskState.PENDING, state=TaskState.RUNNING))
    assert await refused_for(store, opened) == "askable: ship behind it has run"


async def test_another_branch_that_failed_is_no_obstacle(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """The run is named after the failure, yet its expired question is asked anew."""
    await expired(store, clock, opened)
    await store.write(partial(run_fails, opened=opened, cause=RunCause.TASK_FAILED))
    assert isinstance(await store.write(again(opened)), AskedAgain)
    run = await store.read(partial(run_of, opened=opened))
    assert (run.state, run.cause) == (RunState.RUNNING, None)


async def test_a_run_that_ran_out_of_time_or_was_called_off_does_not_ask(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """It would end again at once: it has to be tried again, or started anew."""
    await expired(store, clock, opened)
    await store.write(partial(run_fails, opened=opened, cause=RunCause.TIMED_OUT))
    assert await refused_for(store, opened) == "askable: its run ran out of time"
    late = await store.write(waiting)
    await expired(store, clock, late)
    await store.write(partial(cancel, run_id=late.run_id, caller=caller()))
    assert await refused_for(store, late) == "askable: its run was called off"


@pytest.mark.parametrize(
    ("user", "may"),
    [("U0ANA", True), ("U0REQ", True), ("U0VIC", False), ("U0NOBODY", False)],
    ids=["operator", "requester-without-a-role", "viewer", "stranger"],
)
async def test_the_requester_and_operators_may_ask_again(
    store: Store, clock: FakeClock, opened: Checkpoint, user: str, may: bool
) -> None:
    """Whoever started the run and Operators may; others are refused, and that is on record."""
    await expired(store, clock, opened)
    outcome = await store.write(again(opened, user))
    assert isinstance(outcome, AskedAgain) is may
    assert ("decision_refused" in await store.read(events)) is not may


async def test_asking_expires_first(store: Store, clock: FakeClock, opened: Checkpoint) -> None:
    """An overdue question that no sweep has reached is ended by the touch, and asked again."""
    clock.advance(opened.policy.expires_in + timedelta(seconds=1))
    assert isinstance(await store.write(again(opened)), AskedAgain)


async def test_an_unknown_one_is_missing(store: Store) -> None:
    """An id that does not exist is told, and changes nothing."""
    ask = partial(ask_again, checkpoint_id="cp_aaaaaaaaaaaa", caller=caller())
    assert isinstance(await store.write(ask), Missing)
