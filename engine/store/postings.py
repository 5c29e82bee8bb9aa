"""Copies of cards: where each stands, what it shows, and what it should show."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from engine.model import CheckpointId
from engine.store import outbox
from engine.store.writer import Tx
from engine.tables import PostingRow, table_of

_posting = table_of(PostingRow)


class PostingState(StrEnum):
    """Where a copy of a card stands."""

    WANTED = "wanted"
    POSTED = "posted"
    HELD = "held"  # the surface refuses for now: not invited, no such channel, archived
    GONE = "gone"  # deleted by hand; another one was asked for if one was needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One copy of a card."""

    id: int
    checkpoint_id: CheckpointId
    surface: str
    place: str
    asked_place: str
    handle: str | None
    shown_version: int
    wanted_version: int
    state: PostingState
    error: str | None


def want(
    tx: Tx,
    checkpoint_id: str,
    surface: str,
    place: str,
    version: int,
    due_at: datetime | None = None,
) -> int:
    """Ask for a new copy of a card, due now unless a time is given; returns its id."""
    inserted = tx.run(
        _posting.insert().values(
            checkpoint_id=checkpoint_id,
            surface=surface,
            place=place,
            asked_place=place,
            shown_version=0,
            wanted_version=version,
            state=PostingState.WANTED,
            created_at=tx.now,
        )
    )
    posting_id = int(inserted.inserted_primary_key[0])  # type: ignore[index]
    ask(tx, checkpoint_id, posting_id, due_at)
    return posting_id


def adopt(tx: Tx, checkpoint_id: str, surface: str, place: str, handle: str) -> int | None:
    """Take in a copy that made itself known (a post whose reply was lost, or is still under way).

    When a copy is still wanted, this is that one; otherwise it is one more, to be
    drawn true like the others. Returns its id, or None when it was known already.
    """
    if is_known(tx, surface, place, handle):
        return None
    posting_id = _unposted(tx, checkpoint_id, surface)
    if posting_id is None:
        posting_id = want(tx, checkpoint_id, surface, _asked(tx, checkpoint_id, place), version=1)
    posted(tx, posting_id, place, handle, version=0)
    ask(tx, checkpoint_id, posting_id)
    return posting_id


def _asked(tx: Tx, checkpoint_id: str, place: str) -> str:
    """Where a copy that turned up at `place` was asked for, as far as the others tell."""
    others = of_checkpoint(tx, checkpoint_id)
    here = [other for other in others if other.place == place]
    return next((other.asked_place for other in here or others), place)


def _unposted(tx: Tx, checkpoint_id: str, surface: str) -> int | None:
    query = (
        sa.select(_posting.c.id)
        .where(
            _posting.c.checkpoint_id == checkpoint_id,
            _posting.c.surface == surface,
            _posting.c.handle.is_(None),
        )
        .order_by(_posting.c.id)
        .limit(1)
    )
    return tx.run(query).scalar_one_or_none()


def is_known(tx: Tx, surface: str, place: str, handle: str) -> bool:
    """Whether this copy is one we know of."""
    query = sa.select(_posting.c.id).where(_at(surface, place, handle))
    return tx.run(query).one_or_none() is not None


def forget(tx: Tx, posting_id: int) -> None:
    """A copy is gone. Its handle stays known: late news of it is no news of another copy."""
    here = _posting.c.id == posting_id
    tx.run(_posting.update().where(here).values(state=PostingState.GONE, error=None))


def count_gone(tx: Tx, checkpoint_id: str, asked_place: str) -> int:
    """How many copies that were asked for at a place are gone."""
    query = sa.select(sa.func.count()).where(
        _posting.c.checkpoint_id == checkpoint_id,
        _posting.c.asked_place == asked_place,
        _posting.c.state == PostingState.GONE,
    )
    return int(tx.run(query).scalar_one())


def find(tx: Tx, surface: str, place: str, handle: str) -> Posting | None:
    """The copy that stands, or stood, there; None for none of ours."""
    row = tx.run(sa.select(_posting).where(_at(surface, place, handle))).one_or_none()
    return None if row is None else _posting_value(row)


def move(tx: Tx, surface: str, old: str, new: str) -> None:
    """A place is called otherwise now."""
    here = sa.and_(_posting.c.surface == surface, _posting.c.place == old)
    tx.run(_posting.update().where(here).values(place=new))


def want_true(tx: Tx, checkpoint_id: str, version: int) -> None:
    """Every copy of this card should show at least this version."""
    tx.run(
        _posting.update()
        .where(
            _posting.c.checkpoint_id == checkpoint_id,
            _posting.c.wanted_version < version,
            _posting.c.state != PostingState.GONE,
        )
        .values(wanted_version=version)
    )
    for posting in of_checkpoint(tx, checkpoint_id):
        ask(tx, checkpoint_id, posting.id)


def load(tx: Tx, posting_id: int) -> Posting:
    """One copy of a card, even one that is gone."""
    return _posting_value(tx.run(sa.select(_posting).where(_posting.c.id == posting_id)).one())


def of_checkpoint(tx: Tx, checkpoint_id: str) -> list[Posting]:
    """Every copy of a card that is not gone, the first asked for first."""
    query = sa.select(_posting).where(
        _posting.c.checkpoint_id == checkpoint_id, _posting.c.state != PostingState.GONE
    )
    return [_posting_value(row) for row in tx.run(query.order_by(_posting.c.id))]


def posted(tx: Tx, posting_id: int, place: str, handle: str, version: int) -> None:
    """A copy stands at `place` and shows `version`."""
    tx.run(
        _posting.update()
        .where(_posting.c.id == posting_id)
        .values(
            place=place,
            handle=handle,
            shown_version=version,
            state=PostingState.POSTED,
            error=None,
            posted_at=tx.now,
            checked_at=tx.now,
        )
    )


def shown(tx: Tx, posting_id: int, version: int) -> bool:
    """A copy now shows `version`; True when that is what it should show."""
    tx.run(
        _posting.update()
        .where(_posting.c.id == posting_id, _posting.c.state != PostingState.GONE)
        .values(shown_version=version, state=PostingState.POSTED, error=None, checked_at=tx.now)
    )
    still_wanted = sa.select(_posting.c.id).where(
        _posting.c.id == posting_id, _posting.c.wanted_version > version
    )
    return tx.run(still_wanted).one_or_none() is None


def hold(tx: Tx, posting_id: int, error: str) -> None:
    """The surface refuses this copy for now."""
    tx.run(
        _posting.update()
        .where(_posting.c.id == posting_id, _posting.c.state != PostingState.GONE)
        .values(error=error, state=PostingState.HELD, checked_at=tx.now)
    )


def _at(surface: str, place: str, handle: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        _posting.c.surface == surface, _posting.c.place == place, _posting.c.handle == handle
    )


def ask(tx: Tx, checkpoint_id: str, posting_id: int, due_at: datetime | None = None) -> None:
    """Have a copy made true, now unless a time is given."""
    kind, key = outbox.DeliveryKind.POSTING, f"posting:{posting_id}"
    outbox.ask(tx, kind, checkpoint_id, key, posting_id=posting_id, due_at=due_at)


def _posting_value(row: sa.Row[Any]) -> Posting:
    return Posting(
        id=row.id,
        checkpoint_id=CheckpointId(row.checkpoint_id),
        surface=row.surface,
        place=row.place,
        asked_place=row.asked_place,
        handle=row.handle,
        shown_version=row.shown_version,
        wanted_version=row.wanted_version,
        state=PostingState(row.state),
        error=row.error,
    )
