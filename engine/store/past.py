"""What is over, and every run: a tenant's newest first, after a mark.

One tenant at a time, so that its index gives the order and nothing is sorted.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.model import Cause, Checkpoint, CheckpointState, RunState
from engine.store import checkpoints, runs
from engine.store.checkpoints import Persons
from engine.store.runs import Run
from engine.store.writer import Tx
from engine.tables import CheckpointRow, RunRow, table_of

_checkpoint = table_of(CheckpointRow)
_run = table_of(RunRow)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page of the past ended: the time and the id of its last row."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many of a tenant ended one way."""

    state: CheckpointState
    cause: Cause
    count: int


def ended(
    tx: Tx,
    tenant: str,
    *,
    limit: int,
    states: Collection[CheckpointState] = (),
    dag: str | None = None,
    by: Persons = None,
    since: datetime | None = None,
    after: Mark | None = None,
) -> list[Checkpoint]:
    """What ended in a tenant, the newest end first. No states: all of them."""
    here = _checkpoint.c
    query = sa.select(_checkpoint).where(here.tenant == tenant, here.ended_at.is_not(None))
    if states:
        query = query.where(here.state.in_(states))
    if dag is not None:
        query = query.where(here.dag_name == dag)
    if by is not None:
        query = query.where(checkpoints.decided_by(by))
    if since is not None:
        query = query.where(here.ended_at >= since)
    if after is not None:
        query = query.where(_before(here.ended_at, here.id, after))
    newest_first = query.order_by(here.ended_at.desc(), here.id.desc())
    return checkpoints.read_all(tx, newest_first.limit(limit))


def recent_runs(
    tx: Tx,
    tenant: str,
    *,
    limit: int,
    states: Collection[RunState] = (),
    dag: str | None = None,
    asked_by: Persons = None,
    since: datetime | None = None,
    after: Mark | None = None,
) -> list[Run]:
    """The runs of a tenant, the newest first. No states: all of them."""
    here = _run.c
    query = sa.select(_run).where(here.tenant == tenant)
    if states:
        query = query.where(here.state.in_(states))
    if dag is not None:
        query = query.where(here.dag_name == dag)
    if asked_by is not None:
        query = query.where(here.requester.in_(asked_by))
    if since is not None:
        query = query.where(here.created_at >= since)
    if after is not None:
        query = query.where(_before(here.created_at, here.id, after))
    newest_first = query.order_by(here.created_at.desc(), here.id.desc())
    return runs.read_all(tx, newest_first.limit(limit))


def count_asked(tx: Tx, tenant: str, since: datetime, dag: str | None = None) -> int:
    """How many checkpoints of a tenant opened since then."""
    here = _checkpoint.c
    query = sa.select(sa.func.count()).where(here.tenant == tenant, here.created_at >= since)
    return int(tx.run(_of_dag(query, dag)).scalar_one())


def count_ended(tx: Tx, tenant: str, since: datetime, dag: str | None = None) -> list[Ended]:
    """How many of a tenant ended since then, by how and why."""
    here = _checkpoint.c
    query = (
        sa.select(here.state, here.cause, sa.func.count().label("many"))
        .where(here.tenant == tenant, here.ended_at >= since)
        .group_by(here.state, here.cause)
    )
    return [
        Ended(state=CheckpointState(row.state), cause=Cause(row.cause), count=int(row.many))
        for row in tx.run(_of_dag(query, dag))
    ]


def approval_spans(
    tx: Tx,
    tenant: str,
    since: datetime,
    *,
    causes: Collection[Cause],
    limit: int,
    dag: str | None = None,
) -> list[float]:
    """How many seconds people took to approve, of the newest `limit` since then."""
    here = _checkpoint.c
    query = (
        sa.select(here.created_at, here.ended_at)
        .where(
            here.tenant == tenant,
            here.ended_at >= since,
            here.state == CheckpointState.APPROVED,
            here.cause.in_(causes),
        )
        .order_by(here.ended_at.desc(), here.id.desc())
        .limit(limit)
    )
    found = tx.run(_of_dag(query, dag))
    return [(row.ended_at - row.created_at).total_seconds() for row in found]


def waiting_in(
    tx: Tx, tenants: Sequence[str], dag: str | None = None
) -> tuple[int, datetime | None]:
    """How many wait for people now in these tenants, and since when at the longest."""
    here = _checkpoint.c
    oldest = sa.func.min(here.created_at).label("oldest")
    query = sa.select(sa.func.count().label("many"), oldest).where(
        here.tenant.in_(tenants),
        here.state == CheckpointState.PENDING,
        here.expires_at > tx.now,
    )
    found = tx.run(_of_dag(query, dag)).one()
    return int(found.many), found.oldest


def _of_dag(query: Any, dag: str | None) -> sa.Select[Any]:
    narrowed: sa.Select[Any] = query if dag is None else query.where(_checkpoint.c.dag_name == dag)
    return narrowed


def _before(
    at: sa.ColumnElement[datetime], row_id: sa.ColumnElement[str], mark: Mark
) -> sa.ColumnElement[bool]:
    return sa.tuple_(at, row_id) < sa.tuple_(sa.literal(mark.at, at.type), mark.id)
