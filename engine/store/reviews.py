"""Reviews: what waits for a signature because somebody broke the glass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.identity import PersonId
from engine.model import CheckpointId
from engine.rulings import Rule
from engine.store import links
from engine.store.writer import Tx
from engine.tables import CheckpointRow, ReviewRow, table_of

_review = table_of(ReviewRow)
_checkpoint = table_of(CheckpointRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRecord:
    """A review as it is recorded; it is open until somebody has signed it."""

    checkpoint_id: CheckpointId
    broken_by: PersonId
    overridden: tuple[Rule, ...]
    opened_at: datetime
    signed_by: PersonId | None
    signed_at: datetime | None
    note: str
    place: str | None  # where its notice stands; None: it is not posted yet
    handle: str | None
    shows_signed: bool  # whether the notice says that it was signed

    @property
    def is_open(self) -> bool:
        """Whether it waits for a signature."""
        return self.signed_at is None


def open_one(
    tx: Tx, checkpoint_id: CheckpointId, broken_by: PersonId, overridden: Sequence[Rule]
) -> None:
    """Ask for a review. A checkpoint has one end, so it has one review at most."""
    tx.run(
        _review.insert().values(
            checkpoint_id=checkpoint_id,
            broken_by=broken_by,
            overridden=[rule.value for rule in overridden],
            opened_at=tx.now,
            note="",
            shows_signed=False,
        )
    )


def load(tx: Tx, checkpoint_id: str) -> ReviewRecord | None:
    """The review of a checkpoint; None where nobody broke the glass."""
    query = sa.select(_review).where(_review.c.checkpoint_id == checkpoint_id)
    row = tx.run(query).one_or_none()
    return None if row is None else _values(tx, [row])[0]


def sign(tx: Tx, checkpoint_id: str, signed_by: PersonId, note: str) -> bool:
    """Compare-and-set: True for the one who signed an open review."""
    signed = tx.run(
        _review.update()
        .where(_review.c.checkpoint_id == checkpoint_id, _review.c.signed_at.is_(None))
        .values(signed_by=signed_by, signed_at=tx.now, note=note)
    )
    return signed.rowcount == 1


def listed(
    tx: Tx, *, limit: int, tenant: str | None = None, only_open: bool = True
) -> list[ReviewRecord]:
    """Reviews, those that wait longest first."""
    query = sa.select(_review)
    if only_open:
        query = query.where(_review.c.signed_at.is_(None))
    if tenant is not None:
        here = sa.select(_checkpoint.c.id).where(_checkpoint.c.tenant == tenant)
        query = query.where(_review.c.checkpoint_id.in_(here))
    by_age = query.order_by(_review.c.opened_at, _review.c.checkpoint_id).limit(limit)
    return _values(tx, tx.run(by_age).all())


def to_remind_of(tx: Tx, before: datetime, limit: int) -> list[CheckpointId]:
    """The open reviews that nobody was told of since `before`."""
    since = sa.literal(before, _review.c.opened_at.type)
    told_at = sa.func.coalesce(_review.c.reminded_at, _review.c.opened_at)
    query = (
        sa.select(_review.c.checkpoint_id)
        .where(_review.c.signed_at.is_(None), told_at <= since)
        .order_by(_review.c.opened_at)
        .limit(limit)
    )
    return [CheckpointId(found) for found in tx.run(query).scalars()]


def note_reminder(tx: Tx, checkpoint_id: str) -> None:
    """The thread is told again, now."""
    tx.run(
        _review.update().where(_review.c.checkpoint_id == checkpoint_id).values(reminded_at=tx.now)
    )


def note_notice(tx: Tx, checkpoint_id: str, place: str, handle: str, *, shows_signed: bool) -> None:
    """The notice stands here, and says this."""
    tx.run(
        _review.update()
        .where(_review.c.checkpoint_id == checkpoint_id)
        .values(place=place, handle=handle, shows_signed=shows_signed)
    )


def _values(tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[ReviewRecord]:
    """The rows as values, their persons as who they are known to be today."""
    named = {row.broken_by for row in rows} | {row.signed_by for row in rows} - {None}
    today = links.persons_of_today(tx, named)
    return [_value(row, today) for row in rows]


def _value(row: sa.Row[Any], today: Mapping[str, PersonId]) -> ReviewRecord:
    return ReviewRecord(
        checkpoint_id=CheckpointId(row.checkpoint_id),
        broken_by=today[row.broken_by],
        overridden=tuple(Rule(name) for name in row.overridden),
        opened_at=row.opened_at,
        signed_by=None if row.signed_by is None else today[row.signed_by],
        signed_at=row.signed_at,
        note=row.note,
        place=row.place,
        handle=row.handle,
        shows_signed=row.shows_signed,
    )
