"""The tasks of runs: where each stands, what it left, and which process it is."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.lifecycle import TaskView
from engine.model import JsonObject, TaskId, TaskState
from engine.store.writer import Tx
from engine.tables import TaskRow, table_of

_task = table_of(TaskRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task of a run as recorded."""

    id: TaskId
    state: TaskState
    attempt: int
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
    return {
        TaskId(row.task_id): TaskRecord(
            id=TaskId(row.task_id),
            state=TaskState(row.state),
            attempt=row.attempt,
            not_before=row.not_before,
            started_at=row.started_at,
            ended_at=row.ended_at,
            pgid=row.pgid,
            process_started=row.process_started,
            output=row.output,
            error=row.error,
            log_tail=row.log_tail,
        )
        for row in rows
    }


def views(tx: Tx, run_id: str) -> dict[TaskId, TaskView]:
    """Where the tasks of a run stand, without what they left."""
    rows = tx.run(
        sa.select(_task.c.task_id, _task.c.state, _task.c.attempt, _task.c.not_before)
        .where(_task.c.run_id == run_id)
        .order_by(_task.c.position)
    )
    return {
        TaskId(row.task_id): TaskView(
            TaskId(row.task_id), TaskState(row.state), row.attempt, row.not_before
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


def note_process(tx: Tx, run_id: str, task_id: str, pgid: int, started: float) -> None:
    """Remember a task's process group, so that whoever takes over can end it."""
    tx.run(
        _task.update()
        .where(_task.c.run_id == run_id, _task.c.task_id == task_id)
        .values(pgid=pgid, process_started=started)
    )
