"""Calling a run off, and trying a failed one again: who may, when, and what follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine.errors import LeaseLost
from engine.identity import Caller, Role
from engine.model import Checkpoint, RunCause, RunId, RunState, TaskId, TaskState
from engine.people import LocalMode
from engine.policy import REASON_LIMIT, Refused, Rule
from engine.queries import checkpoint_view, run_view
from engine.steering import NoRun, cancel, retry
from engine.store import checkpoints, leases, tasks
from engine.store.leases import Lease
from engine.store.runs import Run
from engine.store.writer import Store, Tx
from tests.engine.build import (
    TERM,
    FakeClock,
    caller,
    cli_caller,
    decided,
    events,
    everything,
    give_role,
    new_run,
    rows,
    says,
    waiting,
)

S = TaskState
BUILD, RELEASE, SHIP = map(TaskId, ("build", "release", "ship"))
NONE: Mapping[TaskId, TaskState] = {}
Steer = Callable[..., Run | Refused | NoRun]


@pytest.fixture
async def people(store: Store) -> None:
    """Ana is Operator, Adi Admin, Vic Viewer; Ola is Operator of another tenant only."""
    for user, role in (("ANA", Role.OPERATOR), ("ADI", Role.ADMIN), ("VIC", Role.VIEWER)):
        await store.write(partial(give_role, user=f"U0{user}", role=role))
    await store.write(partial(give_role, user="U0OLA", tenant="other"))


@pytest.fixture
async def asked(store: Store, people: None) -> Checkpoint:
    """A run that is paused at its checkpoint."""
    del people
    return await store.write(waiting)


def called_off(run_id: str, user: str = "U0ANA", reason: str = "") -> partial[Any]:
    return partial(cancel, run_id=run_id, caller=caller(user), reason=reason)


def tried_again(run_id: str, user: str = "U0ANA") -> partial[Any]:
    return partial(retry, run_id=run_id, caller=caller(user))


def failed(
    tx: Tx, cause: RunCause = RunCause.TASK_FAILED, other: Mapping[TaskId, TaskState] = NONE
) -> RunId:
    """A run of `deploy_dag` that ended badly, its build failed at its third attempt."""
    run_id = new_run(tx)
    lease = leases.acquire(tx, run_id, "worker", TERM)
    assert lease is not None
    ends = {BUILD: S.FAILED, RELEASE: S.SKIPPED, SHIP: S.SKIPPED, **other}
    for task_id, state in ends.items():
        left = {"attempt": 3, "error": "exit 1"} if state is S.FAILED else {}
        tasks.set_state(tx, run_id, task_id, S.PENDING, state, ended_at=tx.now, **left)
    leases.end(tx, lease, RunState.FAILED, cause, BUILD)
    return run_id


def building(tx: Tx) -> tuple[RunId, Lease]:
    """A run whose first task runs, and the lease it is driven under."""
    run_id = new_run(tx)
    lease = leases.acquire(tx, run_id, "worker", TERM)
    assert lease is not None
    tasks.set_state(tx, run_id, BUILD, S.PENDING, S.RUNNING, attempt=1, started_at=tx.now)
    return run_id, lease


async def states(store: Store, run_id: str) -> dict[str, str]:
    records = await store.read(partial(tasks.records, run_id=run_id))
    return {task_id: record.state.value for task_id, record in records.items()}


async def row_of(store: Store, run_id: str) -> dict[str, Any]:
    (row,) = [row for row in await store.read(partial(rows, table="run")) if row["id"] == run_id]
    return row


async def refused_for(store: Store, steer: partial[Any]) -> list[str]:
    outcome = await store.write(steer)
    assert isinstance(outcome, Refused)
    return [f"{finding.rule}: {finding.found}" for finding in outcome.reasons]


# Who may


@dataclass(frozen=True)
class Who:
    """Somebody, and what they may do to a run of Req's in tenant acme."""

    caller: Caller
    may_cancel: bool
    may_retry: bool
    local: LocalMode | None = None


WHO = {
    "operator": Who(caller("U0ANA"), True, True),
    "admin": Who(caller("U0ADI"), True, True),
    "requester-without-a-role": Who(caller("U0REQ"), True, False),
    "viewer": Who(caller("U0VIC"), False, False),
    "operator-elsewhere": Who(caller("U0OLA"), False, False),
    "stranger": Who(caller("U0NOBODY"), False, False),
    "local-operator": Who(cli_caller(), True, True, LocalMode(Role.OPERATOR)),
    "local-viewer": Who(cli_caller(), False, False, LocalMode()),
}


@pytest.mark.parametrize("who", WHO.values(), ids=list(WHO))
async def test_who_may_call_a_run_off(store: Store, asked: Checkpoint, who: Who) -> None:
    """Operators of its tenant and whoever started it; a refusal is on record, and all it does."""
    before = await store.read(everything)
    outcome = await store.write(
        partial(cancel, run_id=asked.run_id, caller=who.caller, local=who.local)
    )
    assert isinstance(outcome, Run) is who.may_cancel
    names = await store.read(events)
    assert ("run_called_off" in names) is who.may_cancel
    assert ("steering_refused" in names) is not who.may_cancel
    if not who.may_cancel:
        after = await store.read(everything)
        for table in ("run", "task", "checkpoint", "posting", "delivery"):
            assert after[table] == before[table]


@pytest.mark.parametrize("who", WHO.values(), ids=list(WHO))
@pytest.mark.usefixtures("people")
async def test_who_may_try_again(store: Store, who: Who) -> None:
    """Operators of its tenant only: whoever started it asked for one run, not for two."""
    run_id = await store.write(failed)
    before = await store.read(everything)
    outcome = await store.write(partial(retry, run_id=run_id, caller=who.caller, local=who.local))
    assert isinstance(outcome, Run) is who.may_retry
    names = await store.read(events)
    assert ("run_retried" in names) is who.may_retry
    assert ("steering_refused" in names) is not who.may_retry
    if not who.may_retry:
        after = await store.read(everything)
        assert (after["run"], after["task"]) == (before["run"], before["task"])


async def test_the_same_refusal_is_written_once_a_minute(
    store: Store, clock: FakeClock, asked: Checkpoint
) -> None:
    """A flood cannot fill the trail; the next row says how many went unwritten."""
    for _ in range(3):
        await store.write(called_off(asked.run_id, "U0VIC"))
    assert (await store.read(events)).count("steering_refused") == 1
    clock.advance(timedelta(minutes=1))
    await store.write(called_off(asked.run_id, "U0VIC"))
    content = await store.read(partial(rows, table="audit_content"))
    assert '"suppressed_before":2' in [r["body"] for r in content if r["part"] == "facts"][-1]


@pytest.mark.parametrize("steer", [cancel, retry])
async def test_a_run_that_does_not_exist_is_told(store: Store, steer: Steer) -> None:
    """A value, not an error: nothing changes but the trail."""
    outcome = await store.write(partial(steer, run_id="run_none", caller=caller()))
    assert outcome == NoRun("run_none")
    assert await store.read(events) == ["unknown_requested"]


@pytest.mark.parametrize("steer", [cancel, retry])
async def test_an_id_that_no_database_can_hold_is_no_run(store: Store, steer: Steer) -> None:
    """A NUL or half a character names nothing."""
    outcome = await store.write(partial(steer, run_id="run_\x00\ud800", caller=caller()))
    assert isinstance(outcome, NoRun)


# Calling off


async def test_a_paused_run_ends_at_once(store: Store, asked: Checkpoint) -> None:
    """In one transaction: its question is withdrawn, its tasks and itself are cancelled."""
    run = await store.write(called_off(asked.run_id, reason="wrong branch"))
    assert isinstance(run, Run)
    assert (run.state, run.cause, run.because) == (RunState.CANCELLED, None, None)
    assert run.ended_at == run.called_off_at == store.clock.now()
    assert await states(store, run.id) == {
        "build": "succeeded",
        "release": "cancelled",
        "ship": "cancelled",
    }
    ended = await store.read(partial(checkpoints.load, checkpoint_id=asked.id))
    assert ended is not None
    assert (ended.state, ended.cause, ended.ended_at) == ("cancelled", "run_ended", run.ended_at)


async def test_its_card_is_redrawn_and_its_thread_is_told(store: Store, asked: Checkpoint) -> None:
    """The card shows the end and how far the run came, the thread what became of it."""
    await store.write(called_off(asked.run_id))
    found = await store.read(everything)
    (checkpoint,) = found["checkpoint"]
    assert [p["wanted_version"] for p in found["posting"]] == [checkpoint["version"]] == [3]
    told = [(d["kind"], d["state"]) for d in found["delivery"]]
    assert told == [("posting", "pending"), ("run_ended", "pending"), ("outcome", "pending")]


async def test_the_trail_tells_a_call_off_in_order_and_no_resume(
    store: Store, asked: Checkpoint
) -> None:
    """Called off, the question ended, the run ended; it never went on."""
    before = await store.read(events)
    await store.write(called_off(asked.run_id))
    added = (await store.read(events))[len(before) :]
    assert added == ["run_called_off", "checkpoint_ended", "run_ended"]


async def test_the_reason_can_be_erased(store: Store, asked: Checkpoint) -> None:
    """Name and reason stand in the personal part; the facts hold a pseudonym only."""
    await store.write(called_off(asked.run_id, reason="wrong branch"))
    seqs = {
        r["seq"]
        for r in await store.read(partial(rows, table="audit"))
        if r["event"] == "run_called_off"
    }
    parts = {
        row["part"]: row["body"]
        for row in await store.read(partial(rows, table="audit_content"))
        if row["seq"] in seqs
    }
    assert "wrong branch" in parts["personal"]
    assert "wrong branch" not in parts["facts"]
    assert "Ana" not in parts["facts"]


async def test_a_queued_run_ends_at_once(store: Store, people: None) -> None:
    """Nobody drives it, nothing of it ran."""
    del people
    run_id = await store.write(new_run)
    run = await store.write(called_off(run_id))
    assert run.state is RunState.CANCELLED
    assert set((await states(store, run_id)).values()) == {"cancelled"}
    assert await store.write(partial(leases.acquire, run_id=run_id, holder="w", term=TERM)) is None


async def test_a_driver_between_two_tasks_finds_its_lease_lost(store: Store, people: None) -> None:
    """Where nothing runs the run ends under its driver, which can change nothing any more."""
    del people
    run_id, lease = await store.write(building)
    done = partial(tasks.set_state, run_id=run_id, task_id=BUILD, was=S.RUNNING, state=S.SUCCEEDED)
    await store.write(done)
    run = await store.write(called_off(run_id))
    assert run.state is RunState.CANCELLED
    for write in (
        partial(leases.held, lease=lease),
        partial(leases.renew, lease=lease, term=TERM),
        partial(leases.pause, lease=lease),
        partial(leases.end, lease=lease, state=RunState.SUCCEEDED, cause=None, because=None),
    ):
        with pytest.raises(LeaseLost):
            await store.write(write)
    assert (await row_of(store, run_id))["state"] == "cancelled"


async def test_while_a_task_runs_its_driver_is_told(store: Store, people: None) -> None:
    """Nothing else starts, the lease stays, and the driver is to look: it ends the run."""
    del people
    run_id, lease = await store.write(building)
    before = await row_of(store, run_id)
    run = await store.write(called_off(run_id))
    assert (run.state, run.ended_at) == (RunState.RUNNING, None)
    assert run.called_off_at == store.clock.now()
    assert await states(store, run_id) == {
        "build": "running",
        "release": "cancelled",
        "ship": "cancelled",
    }
    assert (await row_of(store, run_id))["revision"] > before["revision"]
    await store.write(partial(leases.held, lease=lease))
    assert "run_ended" not in await store.read(events)


async def test_a_task_that_runs_beside_a_question_keeps_the_run_open(
    store: Store, people: None
) -> None:
    """The question is withdrawn at once, the run ends when its task has."""
    del people
    asked = await store.write(partial(waiting, paused=False))
    busy = partial(tasks.set_state, run_id=asked.run_id, task_id=SHIP, was=S.PENDING)
    await store.write(partial(busy, state=S.RUNNING))
    run = await store.write(called_off(asked.run_id))
    assert run.state is RunState.RUNNING
    ended = await store.read(partial(checkpoints.load, checkpoint_id=asked.id))
    assert ended is not None
    assert ended.state == "cancelled"


async def test_an_overdue_question_has_expired_all_the_same(
    store: Store, clock: FakeClock, asked: Checkpoint
) -> None:
    """The deadline was first, though no sweep had noticed; the run is cancelled."""
    clock.advance(asked.policy.expires_in)
    run = await store.write(called_off(asked.run_id))
    ended = await store.read(partial(checkpoints.load, checkpoint_id=asked.id))
    assert ended is not None
    assert (run.state, ended.state, ended.cause) == ("cancelled", "expired", "deadline")
    assert "run_resumed" not in await store.read(events)


async def test_nobody_decides_what_was_withdrawn(store: Store, asked: Checkpoint) -> None:
    """A click that comes later is refused: the question has ended."""
    await store.write(called_off(asked.run_id))
    outcome = decided(await store.write(says(asked)))
    assert isinstance(outcome.ruling, Refused)
    assert outcome.ruling.names(Rule.OPEN)


async def test_a_run_is_called_off_once(store: Store, asked: Checkpoint, people: None) -> None:
    """A second time is refused, whether it has ended or is about to."""
    del people
    await store.write(called_off(asked.run_id))
    assert await refused_for(store, called_off(asked.run_id)) == ["cancellable: it was cancelled"]
    run_id, _ = await store.write(building)
    await store.write(called_off(run_id))
    said = await refused_for(store, called_off(run_id))
    assert said == ["cancellable: it was called off already"]


async def test_what_has_ended_is_not_called_off(store: Store, people: None) -> None:
    """A run that failed or succeeded keeps its end."""
    del people
    run_id = await store.write(failed)
    assert await refused_for(store, called_off(run_id)) == ["cancellable: it has failed"]


@pytest.mark.parametrize(
    ("reason", "found"),
    [("x" * (REASON_LIMIT + 1), "3,001 characters"), ("a\x00", "a NUL or half a character")],
    ids=["too-long", "no-text"],
)
async def test_a_reason_that_cannot_be_kept_is_refused(
    store: Store, asked: Checkpoint, reason: str, found: str
) -> None:
    """The same bounds as for a decision."""
    assert await refused_for(store, called_off(asked.run_id, reason=reason)) == [f"reason: {found}"]


async def test_views_say_who_called_it_off_and_why(store: Store, asked: Checkpoint) -> None:
    """For the card, and for the run."""
    await store.write(called_off(asked.run_id, reason="wrong branch"))
    view = await store.read(partial(checkpoint_view, checkpoint_id=asked.id))
    whole = await store.read(partial(run_view, run_id=asked.run_id))
    assert view is not None
    assert whole is not None
    assert view.called_off is not None
    assert view.called_off == whole.called_off
    by = view.called_off
    assert (by.by.name, by.reason, by.at) == ("Ana", "wrong branch", store.clock.now())


# Trying again


@pytest.mark.usefixtures("people")
async def test_failed_tasks_and_those_skipped_behind_them_wait_again(store: Store) -> None:
    """All their tries are before them; the run goes on under whoever takes it."""
    run_id = await store.write(failed)
    before = await row_of(store, run_id)
    run = await store.write(tried_again(run_id))
    assert (run.state, run.cause, run.because, run.ended_at) == (RunState.RUNNING, None, None, None)
    assert set((await states(store, run_id)).values()) == {"pending"}
    build = next(r for r in await store.read(partial(rows, table="task")) if r["task_id"] == BUILD)
    assert (build["attempt"], build["attempts_before"]) == (3, 3)
    assert [build[name] for name in ("error", "ended_at", "not_before", "output")] == [None] * 4
    assert (await row_of(store, run_id))["revision"] > before["revision"]
    assert await store.write(partial(leases.acquire, run_id=run_id, holder="w", term=TERM))
    assert (await store.read(events))[-1] == "run_retried"


@pytest.mark.usefixtures("people")
async def test_nothing_that_succeeded_or_was_approved_runs_again(store: Store) -> None:
    """Only the failed one waits again; the approval before it stands."""
    ends = {BUILD: S.SUCCEEDED, RELEASE: S.APPROVED, SHIP: S.FAILED}
    run_id = await store.write(lambda tx: failed(tx, other=ends))
    await store.write(tried_again(run_id))
    assert await states(store, run_id) == {
        "build": "succeeded",
        "release": "approved",
        "ship": "pending",
    }


def _succeeded(tx: Tx) -> RunId:
    run_id = new_run(tx)
    lease = leases.acquire(tx, run_id, "worker", TERM)
    assert lease is not None
    leases.end(tx, lease, RunState.SUCCEEDED, None, None)
    return run_id


def _cancelled(tx: Tx) -> RunId:
    run_id = new_run(tx)
    assert isinstance(cancel(tx, run_id, caller()), Run)
    return run_id


def _expired(tx: Tx) -> RunId:
    return failed(tx, RunCause.EXPIRED, {BUILD: S.EXPIRED})


@pytest.mark.parametrize(
    ("made", "found"),
    [
        pytest.param(new_run, "it is queued", id="queued"),
        pytest.param(lambda tx: building(tx)[0], "it is running", id="running"),
        pytest.param(lambda tx: waiting(tx).run_id, "it is paused", id="paused"),
        pytest.param(_succeeded, "it has succeeded", id="succeeded"),
        pytest.param(_cancelled, "it was cancelled", id="cancelled"),
        pytest.param(_expired, "no task failed: build was expired", id="expired"),
    ],
)
@pytest.mark.usefixtures("people")
async def test_when_a_run_is_not_tried_again(
    store: Store, made: Callable[[Tx], RunId], found: str
) -> None:
    """Only a run that ended because a task failed, or out of time; the refusal says how it is."""
    run_id = await store.write(made)
    assert await refused_for(store, tried_again(run_id)) == [f"retryable: {found}"]


@pytest.mark.usefixtures("people")
async def test_a_run_that_ran_out_of_time_has_all_of_it_again(store: Store) -> None:
    """What was called off with it waits again, and its clock begins at nothing."""
    ends = {BUILD: S.SUCCEEDED, RELEASE: S.CANCELLED, SHIP: S.CANCELLED}
    run_id = await store.write(lambda tx: failed(tx, RunCause.TIMED_OUT, ends))
    assert (await store.write(tried_again(run_id))).state is RunState.RUNNING
    row = await row_of(store, run_id)
    assert (row["worked_s"], row["working_since"]) == (0.0, None)
    assert await states(store, run_id) == {
        "build": "succeeded",
        "release": "pending",
        "ship": "pending",
    }


async def test_a_failed_branch_is_mended_before_or_after_an_expired_one(
    store: Store, clock: FakeClock, asked: Checkpoint
) -> None:
    """Trying again leaves the expired question as it is: that is asked again on its own."""
    clock.advance(asked.policy.expires_in)
    ends = {BUILD: S.FAILED, RELEASE: S.EXPIRED, SHIP: S.SKIPPED}
    run_id = await store.write(lambda tx: failed(tx, other=ends))
    await store.write(tried_again(run_id))
    assert await states(store, run_id) == {
        "build": "pending",
        "release": "expired",
        "ship": "pending",
    }
