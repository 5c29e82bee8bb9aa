"""The transactions of a driver. Each starts by checking that it still holds the lease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import lifecycle
from engine.dag import Dag, Gate, OnInterrupt, Task
from engine.events import RunEnded, RunPaused, RunTakenOver
from engine.lifecycle import Plan, TaskView, Verdict
from engine.model import JsonObject, RunId, RunState, TaskId, TaskState
from engine.opening import open_checkpoint
from engine.store import checkpoints, outbox, runs, tasks, trail
from engine.store.runs import Lease
from engine.store.tasks import TaskRecord
from engine.store.writer import Tx
from engine.tasks import Failed, Outcome, Succeeded
from engine.templates import PARAMS, flatten, references, split_reference

_ALL = 100_000  # no run has more checkpoints
_INTERRUPTED = "interrupted: the worker died while it ran"
_UNENDABLE = "interrupted: the worker died while it ran, and its process could not be ended"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands after a step."""

    state: RunState
    running: Mapping[TaskId, int]  # the attempt of each
    wake_at: datetime | None = None  # the earliest retry that is not due yet
    wants_step: bool = False


def definition(tx: Tx, run_id: RunId) -> Dag:
    """The DAG a run is pinned to."""
    return runs.definition(tx, _run(tx, run_id).dag_digest)


def look(tx: Tx, run_id: RunId, dag: Dag, max_parallel: int) -> Position:
    """Where a run stands, and whether a step would change anything. Changes nothing."""
    views = tasks.views(tx, run_id)
    plan = lifecycle.plan(dag, views, tx.now)
    running = _running(views)
    starts = plan.start if len(running) < max_parallel else ()
    wants_step = bool(plan.skip or plan.open or starts or plan.verdict or plan.pause)
    return Position(RunState.RUNNING, running, plan.wake_at, wants_step)


def step(tx: Tx, lease: Lease, dag: Dag, surface: str, max_parallel: int) -> Position:
    """Do all that can be done now: skip, ask, start, and then end or pause the run.

    It decides on the rows as they are in this transaction, so a checkpoint that was
    decided a moment ago is seen, and one decided a moment later wakes the paused run.
    """
    runs.assert_held(tx, lease)
    run = _run(tx, lease.run_id)
    while True:
        views = tasks.views(tx, run.id)
        plan = lifecycle.plan(dag, views, tx.now)
        running = _running(views)
        starts = plan.start[: max(0, max_parallel - len(running))]
        if not (plan.skip or plan.open or starts):
            break
        _skip(tx, run.id, plan)
        _open(tx, run, dag, plan, surface)
        _start(tx, run.id, views, starts)
    state = RunState.RUNNING
    if plan.verdict is not None:
        state = _end(tx, lease, plan.verdict)
    elif plan.pause:
        state = _pause(tx, lease, views)
    return Position(state, running, plan.wake_at)


def inputs_of(tx: Tx, run_id: RunId, task: Task) -> JsonObject:
    """What a task is given: the run's parameters and its parents' outputs, as `task__key`."""
    outputs = tasks.outputs_of(tx, run_id, task.depends_on)
    return flatten({PARAMS: _run(tx, run_id).params, **outputs})


def note_process(tx: Tx, lease: Lease, task_id: TaskId, pgid: int, started: float) -> None:
    """Remember the process group of a task that is about to run. Raises `LeaseLost`."""
    runs.assert_held(tx, lease)
    tasks.note_process(tx, lease.run_id, task_id, pgid, started)


def finish(tx: Tx, lease: Lease, task: Task, number: int, outcome: Outcome, jitter: float) -> None:
    """Write what became of an attempt: done, to be tried again, or failed. Raises `LeaseLost`."""
    runs.assert_held(tx, lease)
    values: dict[str, Any]
    match outcome:
        case Succeeded(output=output):
            values = {"output": dict(output), "error": None, "ended_at": tx.now}
            state = TaskState.SUCCEEDED
        case Failed(error=error):
            again = lifecycle.retry_at(task, number, jitter, tx.now)
            state = TaskState.FAILED if again is None else TaskState.PENDING
            ended_at = tx.now if again is None else None
            values = {"error": error, "not_before": again, "ended_at": ended_at}
    values |= {"log_tail": outcome.log_tail, "pgid": None, "process_started": None}
    tasks.set_state(tx, lease.run_id, task.id, TaskState.RUNNING, state, **values)


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
    runs.assert_held(tx, lease)
    for record in left:
        again = dag.task(record.id).on_interrupt is OnInterrupt.RETRY and record.id not in unended
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
    names = tuple(record.id for record in left)
    trail.append(tx, RunTakenOver(run_id=lease.run_id, interrupted=names, epoch=lease.epoch))


def _run(tx: Tx, run_id: RunId) -> runs.Run:
    run = runs.load(tx, run_id)
    if run is None:
        raise AssertionError(f"a lease on {run_id}, which is not there")
    return run


def _running(views: Mapping[TaskId, TaskView]) -> dict[TaskId, int]:
    return {view.id: view.attempt for view in views.values() if view.state is TaskState.RUNNING}


def _skip(tx: Tx, run_id: RunId, plan: Plan) -> None:
    for task_id in plan.skip:
        _leave_pending(tx, run_id, task_id, TaskState.SKIPPED, ended_at=tx.now)


def _open(tx: Tx, run: runs.Run, dag: Dag, plan: Plan, surface: str) -> None:
    gates = {task.id: gate for task, gate in dag.gates} if plan.open else {}
    for task_id in plan.open:
        gate = gates[task_id]
        _leave_pending(tx, run.id, task_id, TaskState.WAITING, started_at=tx.now)
        outputs = tasks.outputs_of(tx, run.id, _quoted(gate))
        open_checkpoint(tx, run, dag.task(task_id), gate, outputs, surface)


def _quoted(gate: Gate) -> set[TaskId]:
    names = [*references(gate.prompt), *(show.source for show in gate.show)]
    return {found[0] for name in names if (found := split_reference(name)) is not None}


def _start(
    tx: Tx, run_id: RunId, views: Mapping[TaskId, TaskView], starts: Sequence[TaskId]
) -> None:
    for task_id in starts:
        _leave_pending(
            tx,
            run_id,
            task_id,
            TaskState.RUNNING,
            attempt=views[task_id].attempt + 1,
            started_at=tx.now,
            not_before=None,
            pgid=None,
            process_started=None,
        )


def _leave_pending(
    tx: Tx, run_id: RunId, task_id: TaskId, state: TaskState, **values: object
) -> None:
    if not tasks.set_state(tx, run_id, task_id, TaskState.PENDING, state, **values):
        raise AssertionError(f"{task_id} of {run_id} is not pending in its own transaction")


def _pause(tx: Tx, lease: Lease, views: Mapping[TaskId, TaskView]) -> RunState:
    waiting = tuple(view.id for view in views.values() if view.state is TaskState.WAITING)
    runs.pause(tx, lease)
    trail.append(tx, RunPaused(run_id=lease.run_id, waiting_for=waiting))
    return RunState.PAUSED


def _end(tx: Tx, lease: Lease, verdict: Verdict) -> RunState:
    runs.end(tx, lease, verdict.state, verdict.cause, verdict.because)
    trail.append(
        tx,
        RunEnded(
            run_id=lease.run_id,
            state=verdict.state,
            cause=verdict.cause,
            because=verdict.because,
        ),
    )
    for checkpoint in checkpoints.listed(tx, limit=_ALL, run_id=lease.run_id):
        key = f"run_ended:{checkpoint.id}"
        outbox.ask(tx, outbox.DeliveryKind.RUN_ENDED, checkpoint.id, key)
    return verdict.state
