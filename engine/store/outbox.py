"""What the outside must learn: postings that should be true, deliveries until done."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from engine.model import CheckpointId, JsonObject
from engine.store.writer import Tx
from engine.tables import DeliveryRow, PostingRow, table_of

_posting = table_of(PostingRow)
_delivery = table_of(DeliveryRow)


class PostingState(StrEnum):
    """Where a copy of a card stands."""

    WANTED = "wanted"
    POSTED = "posted"
    HELD = "held"  # the surface refuses for now: not invited, no such channel, archived


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DONE = "done"
    GIVEN_UP = "given_up"


class DeliveryKind(StrEnum):
    """What is to be told."""

    POSTING = "posting"  # make one copy of a card true
    EXPIRED = "expired"  # tell the channel that nobody decided
    RUN_ENDED = "run_ended"  # tell the thread what became of the run


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing to tell."""

    id: int
    kind: DeliveryKind
    checkpoint_id: CheckpointId
    posting_id: int | None
    payload: JsonObject
    state: DeliveryState
    attempts: int
    due_at: datetime
    created_at: datetime
    error: str | None


def want_posting(tx: Tx, checkpoint_id: str, surface: str, place: str, version: int) -> int:
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
    ask(tx, DeliveryKind.POSTING, checkpoint_id, f"posting:{posting_id}", posting_id=posting_id)
    return posting_id


def adopt_posting(tx: Tx, checkpoint_id: str, surface: str, place: str, handle: str) -> int | None:
    """Take in a copy that made itself known (a post whose reply was lost, or is still under way).

    When a copy is still wanted, this is that one; otherwise it is one more, to be
    drawn true like the others. Returns its id, or None when it was known already.
    """
    if is_known(tx, surface, place, handle):
        return None
    posting_id = _unposted(tx, checkpoint_id, surface)
    if posting_id is None:
        posting_id = want_posting(tx, checkpoint_id, surface, place, version=1)
    posted(tx, posting_id, place, handle, version=0)
    ask(tx, DeliveryKind.POSTING, checkpoint_id, f"posting:{posting_id}", posting_id=posting_id)
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
    same = sa.and_(
        _posting.c.surface == surface, _posting.c.place == place, _posting.c.handle == handle
    )
    return tx.run(sa.select(_posting.c.id).where(same)).one_or_none() is not None


def want_true(tx: Tx, checkpoint_id: str, version: int) -> None:
    """Every copy of this card should show at least this version."""
    tx.run(
        _posting.update()
        .where(_posting.c.checkpoint_id == checkpoint_id, _posting.c.wanted_version < version)
        .values(wanted_version=version)
    )
    for posting in postings(tx, checkpoint_id):
        ask(tx, DeliveryKind.POSTING, checkpoint_id, f"posting:{posting.id}", posting_id=posting.id)


def ask(
    tx: Tx,
    kind: DeliveryKind,
    checkpoint_id: str,
    key: str,
    *,
    posting_id: int | None = None,
    payload: JsonObject | None = None,
) -> None:
    """Ask for a delivery. Asking again with the same key makes it due now, and new again."""
    again = tx.run(
        _delivery.update()
        .where(_delivery.c.key == key)
        .values(
            state=DeliveryState.PENDING,
            due_at=tx.now,
            attempts=0,
            created_at=tx.now,
            ended_at=None,
        )
    )
    if again.rowcount:
        return
    tx.run(
        _delivery.insert().values(
            key=key,
            kind=kind,
            checkpoint_id=checkpoint_id,
            posting_id=posting_id,
            payload=dict(payload or {}),
            state=DeliveryState.PENDING,
            attempts=0,
            due_at=tx.now,
            created_at=tx.now,
        )
    )


def claim(tx: Tx, holder: str, term: timedelta, limit: int) -> list[Delivery]:
    """Take deliveries that are due, so that nobody else works on them for `term`."""
    free = sa.or_(_delivery.c.claimed_until.is_(None), _delivery.c.claimed_until <= tx.now)
    rows = tx.run(
        sa.select(_delivery)
        .where(_delivery.c.state == DeliveryState.PENDING, _delivery.c.due_at <= tx.now, free)
        .order_by(_delivery.c.due_at, _delivery.c.id)
        .limit(limit)
    ).all()
    if rows:
        tx.run(
            _delivery.update()
            .where(_delivery.c.id.in_([row.id for row in rows]))
            .values(
                claimed_by=holder,
                claimed_until=tx.now + term,
                attempts=_delivery.c.attempts + 1,
            )
        )
    return [_delivery_value(row) for row in rows]


def drop_claims(tx: Tx) -> None:
    """Free every claim: for the one bot of a file, at its start."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.state == DeliveryState.PENDING)
        .values(claimed_by=None, claimed_until=None)
    )


def finish(tx: Tx, delivery_id: int, holder: str) -> None:
    """It is done. Nothing happens when somebody else has taken it over meanwhile."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(
            state=DeliveryState.DONE,
            claimed_by=None,
            claimed_until=None,
            error=None,
            ended_at=tx.now,
        )
    )


def postpone(tx: Tx, delivery_id: int, holder: str, until: datetime, error: str | None) -> None:
    """Try again later."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(due_at=until, claimed_by=None, claimed_until=None, error=error)
    )


def give_up(tx: Tx, delivery_id: int, holder: str, error: str) -> None:
    """It will not be told. Whoever calls this says so loudly."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(
            state=DeliveryState.GIVEN_UP,
            claimed_by=None,
            claimed_until=None,
            error=error,
            ended_at=tx.now,
        )
    )


def count_due(tx: Tx, limit: int) -> int:
    """How many deliveries wait for somebody to take them now, counted up to a limit."""
    free = sa.or_(_delivery.c.claimed_until.is_(None), _delivery.c.claimed_until <= tx.now)
    due = (
        sa.select(_delivery.c.id)
        .where(_delivery.c.state == DeliveryState.PENDING, _delivery.c.due_at <= tx.now, free)
        .limit(limit)
    )
    return len(tx.run(due).all())


def next_due(tx: Tx) -> datetime | None:
    """When the earliest pending delivery may be taken: when it is due, or its claim lapses."""
    taken = _delivery.c.claimed_until > _delivery.c.due_at
    free_at = sa.case((taken, _delivery.c.claimed_until), else_=_delivery.c.due_at)
    query = sa.select(sa.func.min(free_at)).where(_delivery.c.state == DeliveryState.PENDING)
    found: datetime | None = tx.run(query).scalar_one()
    return found


def posting(tx: Tx, posting_id: int) -> Posting:
    """One copy of a card."""
    return _posting_value(tx.run(sa.select(_posting).where(_posting.c.id == posting_id)).one())


def postings(tx: Tx, checkpoint_id: str) -> list[Posting]:
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


def troubled(tx: Tx, limit: int) -> list[Delivery]:
    """Deliveries that failed at least once and are not done: what a doctor looks at."""
    query = (
        sa.select(_delivery)
        .where(_delivery.c.error.is_not(None), _delivery.c.state != DeliveryState.DONE)
        .order_by(_delivery.c.due_at, _delivery.c.id)
        .limit(limit)
    )
    return [_delivery_value(row) for row in tx.run(query)]


def deliveries(tx: Tx, checkpoint_id: str) -> list[Delivery]:
    """Everything the outside was or is to be told about a checkpoint."""
    query = sa.select(_delivery).where(_delivery.c.checkpoint_id == checkpoint_id)
    return [_delivery_value(row) for row in tx.run(query.order_by(_delivery.c.id))]


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


def _delivery_value(row: sa.Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        kind=DeliveryKind(row.kind),
        checkpoint_id=CheckpointId(row.checkpoint_id),
        posting_id=row.posting_id,
        payload=row.payload,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
        error=row.error,
    )
