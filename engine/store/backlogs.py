"""Lanes in which many cards wait for their turn, and the one message that says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.model import CheckpointState
from engine.store.outbox import DeliveryKind, DeliveryState
from engine.store.writer import Tx
from engine.tables import BacklogRow, CheckpointRow, DeliveryRow, PostingRow, table_of

_backlog = table_of(BacklogRow)
_delivery = table_of(DeliveryRow)
_posting = table_of(PostingRow)
_checkpoint = table_of(CheckpointRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """That cards wait in a lane, and where it is said."""

    id: int
    lane: str
    place: str | None
    handle: str | None
    waiting: int  # as the message says
    most: int  # how many waited at once
    due_at: datetime


def crowded(tx: Tx, least: int) -> list[str]:
    """The lanes in which at least so many cards wait and nothing says so yet."""
    told = sa.select(_backlog.c.lane).where(_backlog.c.ended_at.is_(None))
    query = (
        sa.select(_delivery.c.lane)
        .select_from(_waiting_cards())
        .where(*_waits(), _delivery.c.lane.is_not(None), _delivery.c.lane.not_in(told))
        .group_by(_delivery.c.lane)
        .having(sa.func.count() >= least)
    )
    return list(tx.run(query).scalars())


def begin(tx: Tx, lane: str, due_at: datetime) -> None:
    """From now on a message should say that cards wait here. Nothing when one does already."""
    is_told = sa.select(_backlog.c.id).where(_backlog.c.lane == lane, _backlog.c.ended_at.is_(None))
    if tx.run(is_told).first() is None:
        row = _backlog.insert().values(
            lane=lane, waiting=0, most=0, due_at=due_at, created_at=tx.now
        )
        tx.run(row)


def unclaimed(tx: Tx) -> list[Backlog]:
    """Those that nobody works on."""
    free = sa.or_(_backlog.c.claimed_until.is_(None), _backlog.c.claimed_until <= tx.now)
    query = sa.select(_backlog).where(_backlog.c.ended_at.is_(None), free)
    return [_value(row) for row in tx.run(query.order_by(_backlog.c.id))]


def claim(tx: Tx, backlog_id: int, holder: str, term: timedelta) -> None:
    """Nobody else works on it for `term`."""
    _change(tx, backlog_id, claimed_by=holder, claimed_until=tx.now + term)


def drawn(
    tx: Tx, backlog: Backlog, holder: str, place: str, handle: str, waiting: int, due_at: datetime
) -> None:
    """The message stands at `place` and says that so many wait."""
    _change(
        tx,
        backlog.id,
        _backlog.c.claimed_by == holder,
        place=place,
        handle=handle,
        waiting=waiting,
        most=max(backlog.most, waiting),
        due_at=due_at,
        claimed_by=None,
        claimed_until=None,
    )


def put_back(tx: Tx, backlog_id: int, holder: str, due_at: datetime) -> None:
    """Not now."""
    free: dict[str, Any] = {"claimed_by": None, "claimed_until": due_at}
    _change(tx, backlog_id, _backlog.c.claimed_by == holder, due_at=due_at, **free)


def end(tx: Tx, backlog_id: int) -> None:
    """Nothing more is to be said here. The next crowd gets a message of its own."""
    _change(tx, backlog_id, ended_at=tx.now, claimed_by=None, claimed_until=None)


def count_waiting(tx: Tx, lane: str) -> int:
    """How many cards of open checkpoints wait in a lane to be posted."""
    query = sa.select(sa.func.count()).select_from(_waiting_cards())
    found: int = tx.run(query.where(*_waits(), _delivery.c.lane == lane)).scalar_one()
    return found


def most_urgent(tx: Tx, lane: str, limit: int) -> list[str]:
    """The checkpoints of those cards, the nearest deadline first."""
    query = (
        sa.select(_checkpoint.c.id)
        .select_from(_waiting_cards())
        .where(*_waits(), _delivery.c.lane == lane)
        .order_by(_checkpoint.c.expires_at, _checkpoint.c.id)
        .limit(limit)
    )
    return list(tx.run(query).scalars())


def _waiting_cards() -> sa.FromClause:
    return _delivery.join(_posting, _posting.c.id == _delivery.c.posting_id).join(
        _checkpoint, _checkpoint.c.id == _delivery.c.checkpoint_id
    )


def _waits() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _delivery.c.state == DeliveryState.PENDING,
        _delivery.c.kind == DeliveryKind.POSTING,
        _posting.c.handle.is_(None),
        _checkpoint.c.state == CheckpointState.PENDING,
    )


def _change(tx: Tx, backlog_id: int, *only: sa.ColumnElement[bool], **values: Any) -> None:
    tx.run(_backlog.update().where(_backlog.c.id == backlog_id, *only).values(**values))


def _value(row: sa.Row[Any]) -> Backlog:
    return Backlog(
        id=row.id,
        lane=row.lane,
        place=row.place,
        handle=row.handle,
        waiting=row.waiting,
        most=row.most,
        due_at=row.due_at,
    )
