"""The lease a run is driven under: taking, keeping, and letting go of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.errors import LeaseLost
from engine.model import RunCause, RunId, RunState, TaskId
from engine.store.prepared import Prepared
from engine.store.standstill import STANDS_STILL
from engine.store.writer import Tx
from engine.tables import RunRow, table_of

_run = table_of(RunRow)

_DRIVABLE = (RunState.QUEUED, RunState.RUNNING)
# During a standstill only what was called off is driven: to its end.
_MAY_GO_ON = sa.or_(_run.c.called_off_at.is_not(None), sa.not_(STANDS_STILL))

_HELD = Prepared(
    sa.select(_run.c.revision).where(
        _run.c.id == sa.bindparam("of_run"),
        _run.c.lease_holder == sa.bindparam("holder"),
        _run.c.lease_epoch == sa.bindparam("epoch"),
    )
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive a run. A later epoch makes every earlier one powerless."""

    run_id: RunId
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A lease that ran out while its holder should have been driving."""

    run_id: RunId
    holder: str
    expired_at: datetime


def drivable(tx: Tx, host: str, now: datetime, limit: int) -> list[RunId]:
    """Runs of this host that want a driver: queued, or running with nobody alive at it.

    During a standstill only those that were called off.
    """
    free = sa.or_(_run.c.lease_expires_at.is_(None), _run.c.lease_expires_at <= now)
    query = (
        sa.select(_run.c.id)
        .where(_run.c.host == host, _run.c.state.in_(_DRIVABLE), free, _MAY_GO_ON)
        .order_by(_run.c.created_at, _run.c.id)
        .limit(limit)
    )
    return [RunId(run_id) for run_id in tx.run(query).scalars()]


def wants_driver(tx: Tx, run_id: str) -> bool:
    """Whether `acquire` would give the lease now."""
    free = sa.or_(_run.c.lease_expires_at.is_(None), _run.c.lease_expires_at <= tx.now)
    query = sa.select(_run.c.id).where(
        _run.c.id == run_id, _run.c.state.in_(_DRIVABLE), free, _MAY_GO_ON
    )
    return tx.run(query).one_or_none() is not None


def lapsed(tx: Tx, host: str) -> list[Lapsed]:
    """The leases on runs of this host that ran out and that nobody has taken yet."""
    query = sa.select(_run.c.id, _run.c.lease_holder, _run.c.lease_expires_at).where(
        _run.c.host == host,
        _run.c.state.in_(_DRIVABLE),
        _run.c.lease_holder.is_not(None),
        _run.c.lease_expires_at <= tx.now,
    )
    return [Lapsed(RunId(row.id), row.lease_holder, row.lease_expires_at) for row in tx.run(query)]


def acquire(tx: Tx, run_id: RunId, holder: str, term: timedelta) -> Lease | None:
    """Take the lease when it is free or has run out; None when somebody drives the run.

    None, too, during a standstill, unless the run was called off.
    """
    free = sa.or_(_run.c.lease_expires_at.is_(None), _run.c.lease_expires_at <= tx.now)
    now = sa.literal(tx.now, _run.c.started_at.type)
    epoch = tx.run(
        _run.update()
        .where(_run.c.id == run_id, _run.c.state.in_(_DRIVABLE), free, _MAY_GO_ON)
        .values(
            lease_holder=holder,
            lease_epoch=_run.c.lease_epoch + 1,
            lease_expires_at=tx.now + term,
            started_at=sa.func.coalesce(_run.c.started_at, now),
            working_since=sa.func.coalesce(_run.c.working_since, now),
            state=RunState.RUNNING,
        )
        .returning(_run.c.lease_epoch)
    ).scalar_one_or_none()
    return None if epoch is None else Lease(run_id, holder, epoch)


def held(tx: Tx, lease: Lease) -> int:
    """The revision of a run that is driven. Raises `LeaseLost`.

    Every write of a driver starts here, so that a stale one changes nothing.
    """
    found = _HELD.first(tx, of_run=lease.run_id, holder=lease.holder, epoch=lease.epoch)
    if found is None:
        raise LeaseLost(lease.run_id)
    return int(found)


def renew(tx: Tx, lease: Lease, term: timedelta) -> None:
    """Keep the lease. Raises `LeaseLost`."""
    _set(tx, lease, lease_expires_at=tx.now + term)


def holders(tx: Tx, host: str) -> list[str]:
    """Who holds a lease on a run of this host that wants a driver, alive or not."""
    query = sa.select(_run.c.lease_holder).where(
        _run.c.host == host,
        _run.c.state.in_(_DRIVABLE),
        _run.c.lease_holder.is_not(None),
        _run.c.lease_expires_at > tx.now,
    )
    return list(tx.run(query.distinct()).scalars())


def free_leases_of(tx: Tx, holder: str) -> None:
    """A dead holder's runs may be driven at once."""
    tx.run(
        _run.update()
        .where(_run.c.lease_holder == holder, _run.c.lease_expires_at.is_not(None))
        .values(lease_expires_at=tx.now)
    )


def pause(tx: Tx, lease: Lease) -> None:
    """Let go of a run that waits for people. Raises `LeaseLost`."""
    _set(tx, lease, state=RunState.PAUSED, **_let_go(tx, lease))


def release(tx: Tx, lease: Lease) -> None:
    """Let go of a run that somebody else should drive on. Raises `LeaseLost`."""
    _set(tx, lease, **_let_go(tx, lease))


def end(
    tx: Tx, lease: Lease, state: RunState, cause: RunCause | None, because: TaskId | None
) -> None:
    """Write how the run ended. Raises `LeaseLost`."""
    _set(
        tx,
        lease,
        state=state,
        cause=cause,
        because=because,
        ended_at=tx.now,
        **_let_go(tx, lease),
    )


def _let_go(tx: Tx, lease: Lease) -> dict[str, Any]:
    """The columns of a run that nobody drives. What it worked so far is added up."""
    query = sa.select(_run.c.worked_s, _run.c.working_since).where(_run.c.id == lease.run_id)
    row = tx.run(query).one()
    since = row.working_since or tx.now
    worked_s = row.worked_s + max(0.0, (tx.now - since).total_seconds())
    return {
        "worked_s": worked_s,
        "working_since": None,
        "lease_holder": None,
        "lease_expires_at": None,
    }


def _holds(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        _run.c.id == lease.run_id,
        _run.c.lease_holder == lease.holder,
        _run.c.lease_epoch == lease.epoch,
    )


def _set(tx: Tx, lease: Lease, **values: Any) -> None:
    if tx.run(_run.update().where(_holds(lease)).values(**values)).rowcount == 0:
        raise LeaseLost(lease.run_id)
