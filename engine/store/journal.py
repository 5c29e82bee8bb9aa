"""The journal of tasks: every start and every end of an attempt, in the order they happened.

Apart from the audit trail, which is about people and what they answered: it would drown in it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from engine.model import RunId, TaskId
from engine.store.prepared import Prepared
from engine.store.writer import Tx
from engine.tables import TaskEventRow, table_of
from engine.task_events import Happened, TaskEvent

_event = table_of(TaskEventRow)

_ADD = Prepared(
    _event.insert().values(
        **{
            name: sa.bindparam(name)
            for name in ("run_id", "task_id", "attempt", "event", "at", "error")
        }
    )
)
_PAGE = 500


def add(tx: Tx, happened: Sequence[Happened]) -> None:
    """Write these down, in this order."""
    if happened:
        _ADD.each(
            tx,
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


def entries(
    tx: Tx, *, after: int = 0, run_id: str | None = None, since: datetime | None = None
) -> Iterator[Happened]:
    """The journal behind an entry, in order, read in pages so that memory stays flat."""
    wanted = [] if run_id is None else [_event.c.run_id == run_id]
    if since is not None:
        wanted.append(_event.c.at >= since)
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
