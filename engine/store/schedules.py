"""How far the schedules of DAGs have been followed."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engine.store.writer import Tx
from engine.tables import ScheduleRow, table_of

_schedule = table_of(ScheduleRow)


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a schedule has been followed, and how it was declared then. Time in UTC."""

    declared: str
    upto: datetime


def load(tx: Tx, tenant: str, dag_name: str) -> Followed | None:
    """How far the schedule of this DAG has been followed; None for one never seen."""
    row = tx.run(sa.select(_schedule).where(_of(tenant, dag_name))).one_or_none()
    return None if row is None else Followed(row.declared, row.upto)


def every(tx: Tx) -> dict[tuple[str, str], Followed]:
    """All that are followed, by tenant and DAG."""
    rows = tx.run(sa.select(_schedule))
    return {(row.tenant, row.dag_name): Followed(row.declared, row.upto) for row in rows}


def begin(tx: Tx, tenant: str, dag_name: str, declared: str) -> None:
    """Follow a schedule as it is declared, from now on: nothing is started for the past."""
    values = {"declared": declared, "upto": tx.now}
    known = tx.run(_schedule.update().where(_of(tenant, dag_name)).values(**values))
    if known.rowcount == 0:
        tx.run(_schedule.insert().values(tenant=tenant, dag_name=dag_name, **values))


def move(tx: Tx, tenant: str, dag_name: str, was: datetime, upto: datetime) -> bool:
    """Note how far a schedule has been followed. False when somebody else did meanwhile."""
    moved = tx.run(
        _schedule.update().where(_of(tenant, dag_name), _schedule.c.upto == was).values(upto=upto)
    )
    return moved.rowcount == 1


def forget(tx: Tx, tenant: str, dag_name: str) -> None:
    """This DAG has no schedule any more."""
    tx.run(_schedule.delete().where(_of(tenant, dag_name)))


def _of(tenant: str, dag_name: str) -> sa.ColumnElement[bool]:
    return sa.and_(_schedule.c.tenant == tenant, _schedule.c.dag_name == dag_name)
