"""Delegations: rows to values and back."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.identity import Delegation, DelegationId, PersonId
from engine.store.writer import Tx
from engine.tables import DelegationRow, table_of

_delegation = table_of(DelegationRow)


def insert(tx: Tx, delegation: Delegation, made_by: PersonId) -> None:
    """Write a new delegation."""
    tx.run(
        _delegation.insert().values(
            id=delegation.id,
            delegator=delegation.delegator,
            delegate=delegation.delegate,
            starts_at=delegation.starts_at,
            ends_at=delegation.ends_at,
            reason=delegation.reason,
            made_by=made_by,
            created_at=tx.now,
        )
    )


def load(tx: Tx, delegation_id: str) -> Delegation | None:
    """One delegation; None when there is none."""
    found = _listed(tx, _delegation.c.id == delegation_id)
    return found[0] if found else None


def end(tx: Tx, delegation_id: DelegationId, by: PersonId) -> None:
    """End a delegation before its time."""
    mine = _delegation.c.id == delegation_id
    tx.run(_delegation.update().where(mine).values(ended_by=by, ended_at=tx.now))


def to(tx: Tx, delegate: PersonId, since: datetime) -> list[Delegation]:
    """What was delegated to somebody and is not over, or was not yet at `since`."""
    return _listed(tx, _delegation.c.delegate == delegate, _not_over_at(since))


def of(tx: Tx, person_id: PersonId, since: datetime) -> list[Delegation]:
    """The same of what somebody delegated, or was delegated to them."""
    theirs = sa.or_(_delegation.c.delegate == person_id, _delegation.c.delegator == person_id)
    return _listed(tx, theirs, _not_over_at(since))


def _not_over_at(at: datetime) -> sa.ColumnElement[bool]:
    ended_early = sa.and_(_delegation.c.ended_at.is_not(None), _delegation.c.ended_at <= at)
    return sa.and_(_delegation.c.ends_at > at, sa.not_(ended_early))


def _listed(tx: Tx, *wanted: sa.ColumnElement[bool]) -> list[Delegation]:
    query = sa.select(_delegation).where(*wanted)
    rows = tx.run(query.order_by(_delegation.c.created_at, _delegation.c.id))
    return [_value(row) for row in rows]


def _value(row: sa.Row[Any]) -> Delegation:
    return Delegation(
        id=DelegationId(row.id),
        delegator=PersonId(row.delegator),
        delegate=PersonId(row.delegate),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        ended_at=row.ended_at,
    )
