"""Running bots and workers, as they last said."""

from datetime import timedelta

import sqlalchemy as sa

from engine.liveness import is_alive
from engine.store.writer import Tx
from engine.tables import ProcessRow, table_of

_process = table_of(ProcessRow)

WORKER = "worker"

_SILENT = timedelta(seconds=30)  # longer than any worker stays without a word


def register(tx: Tx, process_id: str, kind: str, host: str, pid: int, started: float) -> None:
    """Note a process that has just started."""
    forget(tx, process_id)
    tx.run(
        _process.insert().values(
            id=process_id, kind=kind, host=host, pid=pid, process_started=started, seen_at=tx.now
        )
    )


def seen(tx: Tx, process_id: str) -> None:
    """It is still there."""
    tx.run(_process.update().where(_process.c.id == process_id).values(seen_at=tx.now))


def forget(tx: Tx, process_id: str) -> None:
    """It has ended."""
    tx.run(_process.delete().where(_process.c.id == process_id))


def forget_dead(tx: Tx, host: str) -> None:
    """Remove the processes of this host that ended without a word."""
    rows = tx.run(sa.select(_process).where(_process.c.host == host)).all()
    for row in rows:
        if not is_alive(row.pid, row.process_started):
            forget(tx, row.id)


def live_worker(tx: Tx, host: str) -> bool:
    """Whether a worker runs on this host now. Ask on that host: it looks at its processes."""
    rows = tx.run(
        sa.select(_process.c.pid, _process.c.process_started).where(
            _process.c.kind == WORKER,
            _process.c.host == host,
            _process.c.seen_at > tx.now - _SILENT,
        )
    ).all()
    return any(is_alive(row.pid, row.process_started) for row in rows)
