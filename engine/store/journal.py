"""The journal of tasks: every start and every end of an attempt, in the order they happened.

Apart from the audit trail, which is about people and what they answered: it would drown in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from engine.model import RunId, TaskId
from engine.store.writer import Tx
from engine.tables import TaskEventRow, table_of

_event = table_of(TaskEventRow)

_ADD = _event.insert()
_PAGE = 500


class TaskEvent(StrEnum):
    """What can happen to a task that runs."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    RETRIED = "retried"  # this attempt failed; another one follows
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its worker died; whether it runs again, the next event says
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One entry. Times are aware and in UTC."""

    run_id: RunId
    task_id: TaskId
    attempt: int  # 1-based
    event: TaskEvent
    at: datetime
    error: str | None = None
    id: int = 0  # its place in the journal, once it is there


def add(tx: Tx, happened: Sequence[Happened]) -> None:
    """Write these down, in this order."""
    if happened:
        tx.connection.execute(
            _ADD,
            [
                {
                    "run_id": one.run_id,
                    "task_id": one.task_id,
                    "attempt": one.attempt,
                    "event": one.event,
                    "at": one.at,
                    "error": one.error,
                }
                for one in happened
            ],
        )


def of_run(tx: Tx, run_id: str) -> list[Happened]:
    """All that happened to the tasks of a run."""
    query = sa.select(_event).where(_event.c.run_id == run_id).order_by(_event.c.id)
    return [_value(row) for row in tx.run(query)]


def entries(tx: Tx, *, after: int = 0, run_id: str | None = None) -> Iterator[Happened]:
    """The journal behind an entry, in order, read in pages so that memory stays flat."""
    wanted = () if run_id is None else (_event.c.run_id == run_id,)
    while True:
        query = sa.select(_event).where(_event.c.id > after, *wanted).order_by(_event.c.id)
        page = [_value(row) for row in tx.run(query.limit(_PAGE))]
        if not page:
            return
        yield from page
        after = page[-1].id


def end(tx: Tx) -> int:
    """The last entry; 0 when there is none."""
    return int(tx.run(sa.select(sa.func.max(_event.c.id))).scalar_one() or 0)


def _value(row: sa.Row[tuple[object, ...]]) -> Happened:
    return Happened(
        id=row.id,
        run_id=RunId(row.run_id),
        task_id=TaskId(row.task_id),
        attempt=row.attempt,
        event=TaskEvent(row.event),
        at=row.at,
        error=row.error,
    )
