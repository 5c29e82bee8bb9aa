"""Runs, the DAGs they are pinned to, and what others than their drivers do to them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.dag import Dag, dag_digest, dag_from_json, dag_to_json
from engine.identity import PersonId
from engine.json_values import is_storable
from engine.model import (
    ENDED_RUN_STATES,
    JsonObject,
    RunCause,
    RunId,
    RunState,
    TaskState,
)
from engine.store.writer import Tx
from engine.tables import DagRow, RunRow, TaskRow, table_of

_dag = table_of(DagRow)
_run = table_of(RunRow)
_task = table_of(TaskRow)

_TOUCH = (
    _run.update().where(_run.c.id == sa.bindparam("touched")).values(revision=_run.c.revision + 1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as recorded. Times are aware and in UTC."""

    id: RunId
    dag_name: str
    dag_digest: str
    tenant: str
    state: RunState
    cause: RunCause | None
    because: str | None
    host: str
    requester: PersonId
    requested_as: str
    params: JsonObject = field(default_factory=dict)
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    scheduled_for: datetime | None = None  # the tick of its schedule; None: somebody asked for it
    called_off_at: datetime | None = None
    revision: int = 0
    worked_s: float = 0.0  # seconds at work before `working_since`
    working_since: datetime | None = None

    @property
    def backend(self) -> str | None:
        """The backend this run lives on; None for one of ours."""
        # No machine has a colon in its name.
        _engine, colon, name = self.host.partition(":")
        return name if colon else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to this run any more."""
        return self.state in ENDED_RUN_STATES


def insert(
    tx: Tx,
    run_id: RunId,
    dag: Dag,
    *,
    host: str,
    requester: PersonId,
    requested_as: str,
    params: JsonObject | None = None,
    scheduled_for: datetime | None = None,
) -> str:
    """Write a queued run pinned to its DAG; returns the DAG digest.

    A DAG has one run to a tick of its schedule: see `of_tick`.
    """
    pinned = pin(tx, dag)
    tx.run(
        _run.insert().values(
            id=run_id,
            dag_digest=pinned,
            dag_name=dag.name,
            tenant=dag.tenant,
            state=RunState.QUEUED,
            host=host,
            requester=requester,
            requested_as=requested_as,
            params=dict(params or {}),
            created_at=tx.now,
            scheduled_for=scheduled_for,
            lease_epoch=0,
            revision=0,
            worked_s=0.0,
        )
    )
    rows = [
        {
            "run_id": run_id,
            "task_id": task.id,
            "position": position,
            "state": TaskState.PENDING,
            "attempt": 0,
            "attempts_before": 0,
        }
        for position, task in enumerate(dag.tasks)
    ]
    tx.connection.execute(_task.insert(), rows)
    return pinned


def pin(tx: Tx, dag: Dag) -> str:
    """Keep this DAG for the runs that are pinned to it; returns its digest."""
    pinned = dag_digest(dag)
    known = tx.run(sa.select(_dag.c.digest).where(_dag.c.digest == pinned)).one_or_none()
    if known is None:
        tx.run(
            _dag.insert().values(
                digest=pinned,
                name=dag.name,
                tenant=dag.tenant,
                definition=dag_to_json(dag),
                created_at=tx.now,
            )
        )
    return pinned


def load(tx: Tx, run_id: str) -> Run | None:
    """The run; None when there is none."""
    if not is_storable(run_id):
        return None
    row = tx.run(sa.select(_run).where(_run.c.id == run_id)).one_or_none()
    return None if row is None else _value(row)


def definition(tx: Tx, digest: str) -> Dag:
    """The DAG a run is pinned to."""
    query = sa.select(_dag.c.definition).where(_dag.c.digest == digest)
    return dag_from_json(tx.run(query).scalar_one())


def listed(
    tx: Tx, *, limit: int, tenant: str | None = None, state: RunState | None = None
) -> list[Run]:
    """Runs, the newest first."""
    query = sa.select(_run)
    if tenant is not None:
        query = query.where(_run.c.tenant == tenant)
    if state is not None:
        query = query.where(_run.c.state == state)
    newest_first = query.order_by(_run.c.created_at.desc(), _run.c.id.desc()).limit(limit)
    return read_all(tx, newest_first)


def of_tick(tx: Tx, tenant: str, dag_name: str, tick: datetime) -> RunId | None:
    """The run that a schedule started for this tick; None when there is none."""
    query = sa.select(_run.c.id).where(*_of(tenant, dag_name), _run.c.scheduled_for == tick)
    return tx.run(query).scalar_one_or_none()


def latest(tx: Tx, tenant: str, dag_name: str) -> Run | None:
    """The newest run of a DAG, whoever asked for it; None when it never ran."""
    newest_first = (
        sa.select(_run)
        .where(*_of(tenant, dag_name))
        .order_by(_run.c.created_at.desc(), _run.c.id.desc())
    )
    row = tx.run(newest_first.limit(1)).one_or_none()
    return None if row is None else _value(row)


def _of(tenant: str, dag_name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _run.c.tenant == tenant, _run.c.dag_name == dag_name


def wake(tx: Tx, run_id: str) -> bool:
    """A paused run may go on. False when it was not paused."""
    woken = tx.run(
        _run.update()
        .where(_run.c.id == run_id, _run.c.state == RunState.PAUSED)
        .values(state=RunState.RUNNING)
    )
    return woken.rowcount == 1


def touch(tx: Tx, run_id: str) -> None:
    """Tell whoever drives the run that somebody else has changed its tasks, or what it may do.

    A driver knows its tasks by heart and looks at the rows again only after this.
    """
    tx.run(_TOUCH, touched=run_id)


def reopen(tx: Tx, run_id: str) -> None:
    """A run that waits or has ended goes on, by whoever takes it; one being driven just does."""
    tx.run(
        _run.update()
        .where(_run.c.id == run_id, _run.c.state.in_((RunState.PAUSED, RunState.FAILED)))
        .values(
            state=RunState.RUNNING,
            cause=None,
            because=None,
            ended_at=None,
            lease_holder=None,
            lease_expires_at=None,
        )
    )


def read_all(tx: Tx, query: sa.Select[Any]) -> list[Run]:
    """The runs that a selection of whole rows finds, in its order."""
    return [_value(row) for row in tx.run(query)]


def _value(row: sa.Row[Any]) -> Run:
    return Run(
        id=RunId(row.id),
        dag_name=row.dag_name,
        dag_digest=row.dag_digest,
        tenant=row.tenant,
        state=RunState(row.state),
        cause=None if row.cause is None else RunCause(row.cause),
        because=row.because,
        host=row.host,
        requester=PersonId(row.requester),
        requested_as=row.requested_as,
        params=row.params,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        scheduled_for=row.scheduled_for,
        called_off_at=row.called_off_at,
        revision=row.revision,
        worked_s=row.worked_s,
        working_since=row.working_since,
    )
