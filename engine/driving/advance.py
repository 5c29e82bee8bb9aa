"""The transactions of a driver. Each starts by checking that it still holds the lease."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.auto.outcomes import RuleOutcome
from engine.dag import Dag, Gate, OnInterrupt
from engine.ending import note_run_end, withdraw_all
from engine.events import RunPaused, RunTakenOver
from engine.lifecycle import TaskView, Verdict
from engine.model import JsonObject, RunId, RunState, TaskId, TaskState
from engine.opening import open_checkpoint
from engine.store import journal, leases, runs, standstill, tasks, trail
from engine.store.leases import Lease
from engine.store.tasks import Finish, Start, TaskRecord
from engine.store.writer import Tx
from engine.task_events import Happened, TaskEvent
from engine.templates import references, split_reference

_OUT_OF_TIME = {"decision": "cancelled", "decided_by": None, "reason": "its run ran out of time"}
_INTERRUPTED = "interrupted: the worker died while it ran"
_UNENDABLE = "interrupted: the worker died while it ran, and its process could not be ended"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands: what its driver learns by heart, and again after a change by others."""

    tasks: Mapping[TaskId, TaskView]
    revision: int
    called_off: bool
    stands_still: bool  # an emergency: nothing new may start


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a driver wants written at once, decided on the standing of a revision."""

    revision: int
    finished: Sequence[Finish] = ()
    skip: Sequence[TaskId] = ()
    open: Sequence[TaskId] = ()
    start: Sequence[Start] = ()
    verdict: Verdict | None = None
    closes: bool = False  # with the verdict: what has not started or is still asked is called off
    rules: Mapping[TaskId, Sequence[RuleOutcome]] = field(default_factory=dict)  # of what opens
    pause: Sequence[TaskId] = ()  # the tasks that wait for people, when nothing else is left

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        moves = (self.finished, self.skip, self.open, self.start, self.pause)
        return self.verdict is None and not any(moves)


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a turn. With a new standing, nothing but what had finished was written."""

    state: RunState
    standing: Standing | None = None
    decided: bool = False  # by rules: some of what it opened has ended with that


@dataclass(frozen=True, slots=True)
class Brief:
    """All that a driver has to know of a run before its first turn."""

    dag: Dag
    params: JsonObject
    standing: Standing
    left: Sequence[TaskRecord]  # what an earlier holder left running
    worked_s: float  # seconds it was at work so far


def brief(tx: Tx, run_id: RunId) -> Brief:
    """What somebody who takes up a run is told."""
    run = _run(tx, run_id)
    known = standing(tx, run_id)
    running = any(view.state is TaskState.RUNNING for view in known.tasks.values())
    left = interrupted(tx, run_id) if running else ()
    since = run.working_since or tx.now
    worked_s = run.worked_s + max(0.0, (tx.now - since).total_seconds())
    return Brief(runs.definition(tx, run.dag_digest), run.params, known, left, worked_s)


def standing(tx: Tx, run_id: RunId) -> Standing:
    """Where a run stands now."""
    run = _run(tx, run_id)
    return Standing(
        tasks=tasks.views(tx, run_id),
        revision=run.revision,
        called_off=run.called_off_at is not None,
        stands_still=standstill.read(tx) is not None,
    )


def revision(tx: Tx, lease: Lease) -> int:
    """Counts what others than its driver changed about a run. Raises `LeaseLost`."""
    return leases.held(tx, lease)


def take(tx: Tx, lease: Lease, dag: Dag, turn: Turn, surface: str) -> Turned:
    """Write a turn: what finished, and then all that follows from it.

    When somebody else has changed the run meanwhile (a checkpoint was decided, say), only
    what finished is written; the rest is to be decided anew. Raises `LeaseLost`.
    """
    seen = leases.held(tx, lease)
    tasks.finish(tx, lease.run_id, turn.finished)
    ended = [_end_of(lease.run_id, finish, tx.now) for finish in turn.finished]
    if seen != turn.revision:
        journal.add(tx, ended)
        return Turned(RunState.RUNNING, standing(tx, lease.run_id))
    tasks.leave_pending(tx, lease.run_id, turn.skip, TaskState.SKIPPED)
    decided = _open(tx, _run(tx, lease.run_id), dag, turn, surface) if turn.open else False
    tasks.start(tx, lease.run_id, turn.start)
    begun = [_start_of(lease.run_id, start, tx.now) for start in turn.start]
    journal.add(tx, [*ended, *begun])
    state = RunState.RUNNING
    if turn.closes:
        withdraw_all(tx, lease.run_id, _OUT_OF_TIME)
        tasks.cancel_pending(tx, lease.run_id)
    if turn.verdict is not None:
        state = _end(tx, lease, turn.verdict)
    elif turn.pause:
        state = _pause(tx, lease, turn.pause)
    return Turned(state, decided=decided)


def _start_of(run_id: RunId, start: Start, at: datetime) -> Happened:
    return Happened(
        run_id=run_id,
        task_id=start.task_id,
        attempt=start.attempt,
        event=TaskEvent.STARTED,
        at=at,
    )


_EVENT = {
    TaskState.SUCCEEDED: TaskEvent.SUCCEEDED,
    TaskState.PENDING: TaskEvent.RETRIED,
    TaskState.FAILED: TaskEvent.FAILED,
    TaskState.CANCELLED: TaskEvent.CANCELLED,
}


def _end_of(run_id: RunId, finish: Finish, at: datetime) -> Happened:
    return Happened(
        run_id=run_id,
        task_id=finish.task_id,
        attempt=finish.attempt,
        event=_EVENT[finish.state],
        at=at,
        error=finish.error,
    )


def outputs_of(tx: Tx, run_id: RunId, task_ids: Collection[TaskId]) -> dict[TaskId, JsonObject]:
    """What these tasks left, where they left anything."""
    return tasks.outputs_of(tx, run_id, task_ids)


def interrupted(tx: Tx, run_id: RunId) -> list[TaskRecord]:
    """The tasks that an earlier holder of the run left running."""
    return [
        record for record in tasks.records(tx, run_id).values() if record.state is TaskState.RUNNING
    ]


def take_over(
    tx: Tx, lease: Lease, dag: Dag, left: Sequence[TaskRecord], unended: frozenset[TaskId]
) -> None:
    """Settle what an earlier holder left running: again where declared, failed otherwise.

    `unended` names those whose process is still there: they never run beside themselves.
    """
    leases.held(tx, lease)
    called_off = _run(tx, lease.run_id).called_off_at is not None
    for record in left:
        may = dag.task(record.id).on_interrupt is OnInterrupt.RETRY and record.id not in unended
        again = may and not called_off
        tasks.set_state(
            tx,
            lease.run_id,
            record.id,
            TaskState.RUNNING,
            TaskState.PENDING if again else TaskState.FAILED,
            error=_UNENDABLE if record.id in unended else _INTERRUPTED,
            ended_at=None if again else tx.now,
            pgid=None,
            process_started=None,
        )
    journal.add(
        tx,
        [
            Happened(
                run_id=lease.run_id,
                task_id=record.id,
                attempt=record.attempt,
                event=TaskEvent.INTERRUPTED,
                at=tx.now,
                error=_UNENDABLE if record.id in unended else _INTERRUPTED,
            )
            for record in left
        ],
    )
    names = tuple(record.id for record in left)
    trail.append(tx, RunTakenOver(run_id=lease.run_id, interrupted=names, epoch=lease.epoch))


def _run(tx: Tx, run_id: RunId) -> runs.Run:
    run = runs.load(tx, run_id)
    if run is None:
        raise AssertionError(f"a lease on {run_id}, which is not there")
    return run


def _open(tx: Tx, run: runs.Run, dag: Dag, turn: Turn, surface: str) -> bool:
    """Ask people; True where a rule has answered in their place."""
    decided = False
    for task_id in turn.open:
        task = dag.task(task_id)
        gate = task.work
        assert isinstance(gate, Gate)  # noqa: S101 (the plan opens nothing else)
        if not tasks.set_state(
            tx, run.id, task_id, TaskState.PENDING, TaskState.WAITING, started_at=tx.now
        ):
            raise AssertionError(f"{task_id} of {run.id} is not pending in its own transaction")
        outputs = tasks.outputs_of(tx, run.id, _quoted(gate))
        rules = turn.rules.get(task_id, ())
        opened = open_checkpoint(tx, run, task, gate, outputs, surface, rules)
        decided |= not opened.is_open
    return decided


def _quoted(gate: Gate) -> set[TaskId]:
    names = [*references(gate.prompt), *(show.source for show in gate.show)]
    return {found[0] for name in names if (found := split_reference(name)) is not None}


def _pause(tx: Tx, lease: Lease, waiting: Sequence[TaskId]) -> RunState:
    leases.pause(tx, lease)
    trail.append(tx, RunPaused(run_id=lease.run_id, waiting_for=tuple(waiting)))
    return RunState.PAUSED


def _end(tx: Tx, lease: Lease, verdict: Verdict) -> RunState:
    leases.end(tx, lease, verdict.state, verdict.cause, verdict.because)
    note_run_end(tx, lease.run_id, verdict)
    return verdict.state
