"""Which copies of cards to look at next, and what is owed to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.model import CheckpointState
from engine.store import postings
from engine.store.outbox import TO_PEOPLE, DeliveryState
from engine.store.postings import Posting, PostingState
from engine.store.writer import Tx
from engine.tables import CheckpointRow, DeliveryRow, PostingRow, table_of

_posting, _checkpoint = table_of(PostingRow), table_of(CheckpointRow)
_delivery = table_of(DeliveryRow)

_IS_OPEN = _checkpoint.c.state == CheckpointState.PENDING
_STANDS = _posting.c.state.in_((PostingState.POSTED, PostingState.HELD))
_IS_UNTRUE = _posting.c.shown_version < _posting.c.wanted_version
_IS_OFF = sa.or_(_IS_UNTRUE, _posting.c.state == PostingState.HELD)
_OF_ITS_CHECKPOINT = _checkpoint.c.id == _posting.c.checkpoint_id


def due(tx: Tx, surface: str, before: datetime, limit: int) -> list[Posting]:
    """Copies of cards that wait and were last looked at before a time, the longest ago first.

    After these, copies of ended ones that somebody asked to look at and that are not true.
    """
    seen_at = _posting.c.checked_at
    waiting = _looked_for(surface).where(_IS_OPEN, sa.or_(seen_at.is_(None), seen_at < before))
    found = tx.run(waiting.order_by(seen_at.asc().nulls_first(), _posting.c.id).limit(limit))
    ids = list(found.scalars().all())
    if len(ids) < limit:
        ended = _looked_for(surface).where(~_IS_OPEN, _STANDS, seen_at.is_(None), _IS_OFF)
        rest = tx.run(ended.order_by(_posting.c.id).limit(limit - len(ids)))
        ids.extend(rest.scalars().all())
    return [postings.load(tx, posting_id) for posting_id in ids]


def _looked_for(surface: str) -> sa.Select[Any]:
    # All copies are of one surface, or nearly: an index on it would lead through every one.
    of_surface = sa.func.coalesce(_posting.c.surface, "") == surface
    return (
        sa.select(_posting.c.id)
        .join(_checkpoint, _OF_ITS_CHECKPOINT)
        .where(of_surface, _posting.c.handle.is_not(None), _posting.c.state != PostingState.GONE)
    )


def soon(tx: Tx, surface: str, place: str) -> None:
    """Something happened to a place: what is used there, or not true, is looked at next."""
    is_open = sa.exists().where(_OF_ITS_CHECKPOINT, _IS_OPEN)
    tx.run(
        _posting.update()
        .where(
            _posting.c.surface == surface,
            _posting.c.place == place,
            _STANDS,
            sa.or_(_IS_OFF, is_open),
        )
        .values(checked_at=None)
    )


def stands(tx: Tx, posting_id: int) -> None:
    """A copy was seen where it should be."""
    tx.run(
        _posting.update()
        .where(_posting.c.id == posting_id)
        .values(state=PostingState.POSTED, error=None, checked_at=tx.now)
    )


def owed(tx: Tx, given_up_before: datetime, limit: int) -> Sequence[tuple[str, int]]:
    """Copies of cards that wait, are not true, and that nobody is making true.

    Those whose delivery was given up count only once that is a while ago. Each as its
    checkpoint and its id.
    """
    pending = sa.and_(
        _delivery.c.key == sa.literal("posting:") + sa.cast(_posting.c.id, sa.String),
        sa.or_(
            _delivery.c.state == DeliveryState.PENDING,
            sa.and_(
                _delivery.c.state == DeliveryState.GIVEN_UP,
                _delivery.c.ended_at > given_up_before,
            ),
        ),
    )
    query = (
        sa.select(_posting.c.checkpoint_id, _posting.c.id)
        .join(_checkpoint, _OF_ITS_CHECKPOINT)
        .where(
            _IS_OPEN, _IS_UNTRUE, _posting.c.state != PostingState.GONE, ~sa.exists().where(pending)
        )
        .order_by(_posting.c.id)
        .limit(limit)
    )
    return [(row.checkpoint_id, row.id) for row in tx.run(query)]


def given_up(tx: Tx, before: datetime, limit: int) -> list[int]:
    """Deliveries about checkpoints that wait which were given up before a time."""
    query = (
        sa.select(_delivery.c.id)
        .join(_checkpoint, _checkpoint.c.id == _delivery.c.checkpoint_id)
        .where(
            _IS_OPEN,
            _delivery.c.state == DeliveryState.GIVEN_UP,
            _delivery.c.kind.in_(TO_PEOPLE),
            _delivery.c.ended_at <= before,
        )
        .order_by(_delivery.c.id)
        .limit(limit)
    )
    return list(tx.run(query).scalars().all())


def unreachable(tx: Tx, limit: int) -> list[Posting]:
    """Copies of cards that wait which stand where nobody can use them, the first asked first."""
    query = (
        sa.select(_posting.c.id)
        .join(_checkpoint, _OF_ITS_CHECKPOINT)
        .where(_IS_OPEN, _posting.c.state == PostingState.HELD, _posting.c.handle.is_not(None))
        .order_by(_posting.c.id)
        .limit(limit)
    )
    return [postings.load(tx, posting_id) for posting_id in tx.run(query).scalars().all()]
