"""Copies of cards: where each stands, what it shows, and what it should show."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One copy of a card."""

    id: int
    checkpoint_id: CheckpointId
    surface: str
    place: str
    handle: str | None
    shown_version: int
    wanted_version: int
    state: PostingState
    error: str | None


def want(tx: Tx, checkpoint_id: str, surface: str, place: str, version: int) -> int:
    """Ask for a new copy of a card; returns its id."""
    inserted = tx.run(
        _posting.insert().values(
            checkpoint_id=checkpoint_id,
            surface=surface,
            place=place,
            shown_version=0,
            wanted_version=version,
            state=PostingState.WANTED,
            created_at=tx.now,
        )
    )
    posting_id = int(inserted.inserted_primary_key[0])  # type: ignore[index]
    _ask(tx, checkpoint_id, posting_id)
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
        posting_id = want(tx, checkpoint_id, surface, place, version=1)
    posted(tx, posting_id, place, handle, version=0)
    _ask(tx, checkpoint_id, posting_id)
    return posting_id


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


def forget(tx: Tx, surface: str, place: str, handle: str) -> None:
    """A copy is gone, and wanted anew."""
    found = tx.run(
        sa.select(_posting.c.id, _posting.c.checkpoint_id).where(_at(surface, place, handle))
    ).one()
    tx.run(
        _posting.update()
        .where(_posting.c.id == found.id)
        .values(handle=None, shown_version=0, state=PostingState.WANTED, posted_at=None)
    )
    _ask(tx, found.checkpoint_id, found.id)


def checkpoint_of(tx: Tx, surface: str, place: str, handle: str) -> str | None:
    """The checkpoint whose card this copy is; None for none of ours."""
    query = sa.select(_posting.c.checkpoint_id).where(_at(surface, place, handle))
    return tx.run(query).scalar_one_or_none()


def move(tx: Tx, surface: str, old: str, new: str) -> None:
    """A place is called otherwise now."""
    here = sa.and_(_posting.c.surface == surface, _posting.c.place == old)
    tx.run(_posting.update().where(here).values(place=new))


def want_true(tx: Tx, checkpoint_id: str, version: int) -> None:
    """Every copy of this card should show at least this version."""
    tx.run(
        _posting.update()
        .where(_posting.c.checkpoint_id == checkpoint_id, _posting.c.wanted_version < version)
        .values(wanted_version=version)
    )
    for posting in of_checkpoint(tx, checkpoint_id):
        _ask(tx, checkpoint_id, posting.id)


def load(tx: Tx, posting_id: int) -> Posting:
    """One copy of a card."""
    return _posting_value(tx.run(sa.select(_posting).where(_posting.c.id == posting_id)).one())


def of_checkpoint(tx: Tx, checkpoint_id: str) -> list[Posting]:
    """Every copy of a card, the first asked for first."""
    query = sa.select(_posting).where(_posting.c.checkpoint_id == checkpoint_id)
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
        )
    )


def shown(tx: Tx, posting_id: int, version: int) -> bool:
    """A copy now shows `version`; True when that is what it should show."""
    tx.run(
        _posting.update()
        .where(_posting.c.id == posting_id)
        .values(shown_version=version, error=None)
    )
    still_wanted = sa.select(_posting.c.id).where(
        _posting.c.id == posting_id, _posting.c.wanted_version > version
    )
    return tx.run(still_wanted).one_or_none() is None


def hold(tx: Tx, posting_id: int, error: str) -> None:
    """The surface refuses this copy for now."""
    tx.run(
        _posting.update()
        .where(_posting.c.id == posting_id)
        .values(
            error=error,
            state=sa.case(
                (_posting.c.handle.is_(None), PostingState.HELD.value), else_=_posting.c.state
            ),
        )
    )


def _at(surface: str, place: str, handle: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        _posting.c.surface == surface, _posting.c.place == place, _posting.c.handle == handle
    )


def _ask(tx: Tx, checkpoint_id: str, posting_id: int) -> None:
    kind = outbox.DeliveryKind.POSTING
    outbox.ask(tx, kind, checkpoint_id, f"posting:{posting_id}", posting_id=posting_id)


def _posting_value(row: sa.Row[Any]) -> Posting:
    return Posting(
        id=row.id,
        checkpoint_id=CheckpointId(row.checkpoint_id),
        surface=row.surface,
        place=row.place,
        handle=row.handle,
        shown_version=row.shown_version,
        wanted_version=row.wanted_version,
        state=PostingState(row.state),
        error=row.error,
    )
