"""The tasks of runs: where each stands, what it left, and which process it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.lifecycle import TaskView
from engine.model import JsonObject, TaskId, TaskState
from engine.store.prepared import Prepared
from engine.store.writer import Tx
from engine.tables import TaskRow, table_of

_task = table_of(TaskRow)

# Made once, and run for many tasks at a time: a driver's turns are the hot path.
_OF_ONE = sa.and_(
    _task.c.run_id == sa.bindparam("of_run"),
    _task.c.task_id == sa.bindparam("of_task"),
    _task.c.state == sa.bindparam("was"),
)
_START = Prepared(
    _task.update()
    .where(_OF_ONE)
    .values(
        state=TaskState.RUNNING,
        attempt=sa.bindparam("number"),
        started_at=sa.bindparam("at"),
        not_before=None,
        pgid=sa.bindparam("group"),
        process_started=sa.bindparam("since"),
    )
)
_FINISH = Prepared(
    _task.update()
    .where(_OF_ONE)
    .values(
        state=sa.bindparam("to"),
        output=sa.bindparam("left"),
        error=sa.bindparam("why"),
        log_tail=sa.bindparam("last_words"),
        not_before=sa.bindparam("again"),
        ended_at=sa.bindparam("ended"),
        pgid=None,
        process_started=None,
    )
)
_LEAVE = Prepared(
    _task.update().where(_OF_ONE).values(state=sa.bindparam("to"), ended_at=sa.bindparam("ended"))
)


@dataclass(frozen=True, slots=True)
class Start:
    """An attempt that is about to run, and the process group it will run in."""

    task_id: TaskId
    attempt: int
    pgid: int | None
    process_started: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What became of an attempt. `again` is when it is tried once more, if it is."""

    task_id: TaskId
    attempt: int
    state: TaskState
    output: JsonObject | None = None
    error: str | None = None
    log_tail: str | None = None
    again: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task of a run as recorded."""

    id: TaskId
    state: TaskState
    attempt: int
    attempts_before: int
    not_before: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    pgid: int | None
    process_started: float | None
    output: JsonObject | None
    error: str | None
    log_tail: str | None


def records(tx: Tx, run_id: str) -> dict[TaskId, TaskRecord]:
    """The tasks of a run in the order they were declared."""
    rows = tx.run(sa.select(_task).where(_task.c.run_id == run_id).order_by(_task.c.position))
    return {TaskId(row.task_id): _record(row) for row in rows}


def record(tx: Tx, run_id: str, task_id: str) -> TaskRecord | None:
    """One task of a run; None when the run has no such task."""
    query = sa.select(_task).where(_task.c.run_id == run_id, _task.c.task_id == task_id)
    row = tx.run(query).one_or_none()
    return None if row is None else _record(row)


def _record(row: sa.Row[Any]) -> TaskRecord:
    return TaskRecord(
        id=TaskId(row.task_id),
        state=TaskState(row.state),
        attempt=row.attempt,
        attempts_before=row.attempts_before,
        not_before=row.not_before,
        started_at=row.started_at,
        ended_at=row.ended_at,
        pgid=row.pgid,
        process_started=row.process_started,
        output=row.output,
        error=row.error,
        log_tail=row.log_tail,
    )


def states(tx: Tx, run_id: str) -> dict[TaskId, TaskState]:
    """Where the tasks of a run stand."""
    query = sa.select(_task.c.task_id, _task.c.state).where(_task.c.run_id == run_id)
    return {TaskId(row.task_id): TaskState(row.state) for row in tx.run(query)}


def views(tx: Tx, run_id: str) -> dict[TaskId, TaskView]:
    """Where the tasks of a run stand, without what they left."""
    rows = tx.run(
        sa.select(
            _task.c.task_id,
            _task.c.state,
            _task.c.attempt,
            _task.c.not_before,
            _task.c.attempts_before,
        )
        .where(_task.c.run_id == run_id)
        .order_by(_task.c.position)
    )
    return {
        TaskId(row.task_id): TaskView(
            TaskId(row.task_id),
            TaskState(row.state),
            row.attempt,
            row.not_before,
            row.attempts_before,
        )
        for row in rows
    }


def outputs_of(tx: Tx, run_id: str, task_ids: Collection[str]) -> dict[TaskId, JsonObject]:
    """The outputs of these tasks, where they have any, in the order they were declared."""
    rows = tx.run(
        sa.select(_task.c.task_id, _task.c.output)
        .where(_task.c.run_id == run_id, _task.c.task_id.in_(task_ids))
        .order_by(_task.c.position)
    )
    return {TaskId(row.task_id): row.output for row in rows if row.output is not None}


def set_state(
    tx: Tx, run_id: str, task_id: str, was: TaskState, state: TaskState, **values: Any
) -> bool:
    """Compare-and-set a task's state. False when it no longer was in `was`."""
    result = tx.run(
        _task.update()
        .where(_task.c.run_id == run_id, _task.c.task_id == task_id, _task.c.state == was)
        .values(state=state, **values)
    )
    return result.rowcount == 1


def start(tx: Tx, run_id: str, starts: Sequence[Start]) -> None:
    """These pending tasks run now, each in a process group that whoever takes over can end."""
    rows = [
        {
            "was": TaskState.PENDING,
            "number": one.attempt,
            "at": tx.now,
            "group": one.pgid,
            "since": one.process_started,
        }
        for one in starts
    ]
    _each(tx, run_id, _START, [one.task_id for one in starts], rows)


def finish(tx: Tx, run_id: str, finishes: Sequence[Finish]) -> None:
    """These running tasks have ended, or are to be tried again."""
    rows = [
        {
            "was": TaskState.RUNNING,
            "to": one.state,
            "left": None if one.output is None else dict(one.output),
            "why": one.error,
            "last_words": one.log_tail,
            "again": one.again,
            "ended": None if one.state is TaskState.PENDING else tx.now,
        }
        for one in finishes
    ]
    _each(tx, run_id, _FINISH, [one.task_id for one in finishes], rows)


def leave_pending(tx: Tx, run_id: str, task_ids: Sequence[TaskId], state: TaskState) -> None:
    """These pending tasks end without having run."""
    row = {"was": TaskState.PENDING, "to": state, "ended": tx.now}
    _each(tx, run_id, _LEAVE, task_ids, [row] * len(task_ids))


def cancel_pending(tx: Tx, run_id: str) -> None:
    """Nothing of a run that has not started ever will."""
    tx.run(
        _task.update()
        .where(_task.c.run_id == run_id, _task.c.state == TaskState.PENDING)
        .values(state=TaskState.CANCELLED, ended_at=tx.now, not_before=None)
    )


def _each(
    tx: Tx,
    run_id: str,
    statement: Prepared,
    task_ids: Sequence[TaskId],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """One statement for many tasks. Each must be found as it was, or it is a bug."""
    if not task_ids:
        return
    given = [
        {"of_run": run_id, "of_task": task_id, **row}
        for task_id, row in zip(task_ids, rows, strict=True)
    ]
    changed = statement.each(tx, given)
    if changed != len(given):
        raise AssertionError(f"of {list(task_ids)} in {run_id} only {changed} stood as expected")
