"""What the outside must learn: postings that should be true, deliveries until done."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from engine.model import CheckpointId, JsonObject
from engine.store.writer import Tx
from engine.tables import DeliveryRow, table_of

_delivery = table_of(DeliveryRow)

_SHARE = 4  # how many of one lane are taken at once: more would find it closed


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DONE = "done"
    GIVEN_UP = "given_up"
    VOID = "void"  # nothing to tell any more: its checkpoint ended first, or nobody is there


class DeliveryKind(StrEnum):
    """What is to be told."""

    POSTING = "posting"  # make one copy of a card true
    IN_FULL = "in_full"  # tell the thread what the card has no room for
    EXPIRED = "expired"  # tell the channel that nobody decided
    VOTE = "vote"  # tell the thread that somebody voted, where one vote is not enough
    RUN_ENDED = "run_ended"  # tell the thread what became of the run
    ELSEWHERE = "elsewhere"  # tell the thread what became of its gate on another engine
    GLASS_BROKEN = "glass_broken"  # tell the channel that the glass was broken, and who reviewed it
    REVIEW_OPEN = "review_open"  # remind the thread that a review waits
    REMINDER = "reminder"  # tell the thread that it still waits, again and again
    ESCALATION = "escalation"  # ask more people, and say so in the thread
    REACH = "reach"  # look whether anybody could decide
    UNDECIDABLE = "undecidable"  # tell the channel that too few could
    CALL = "call"  # look whom to ask in person
    NOTE = "note"  # ask one person directly
    OUTCOME = "outcome"  # tell whoever asked how it ended
    ANSWER = "answer"  # tell another engine how its gate was decided


TO_BACKENDS = frozenset({DeliveryKind.ANSWER})
TO_PEOPLE = frozenset(DeliveryKind) - TO_BACKENDS
WHILE_WAITING = frozenset(
    {
        DeliveryKind.REMINDER,
        DeliveryKind.ESCALATION,
        DeliveryKind.REACH,
        DeliveryKind.UNDECIDABLE,
        DeliveryKind.CALL,
        DeliveryKind.NOTE,
    }
)


IN_ORDER = frozenset({DeliveryKind.EXPIRED, DeliveryKind.ELSEWHERE, DeliveryKind.RUN_ENDED})
"""What tells of ends: a thread has these in the order they came to pass, whatever fails."""


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
    lane: str | None = None  # in which it waits for its turn


def ask(
    tx: Tx,
    kind: DeliveryKind,
    checkpoint_id: str,
    key: str,
    *,
    posting_id: int | None = None,
    payload: JsonObject | None = None,
    due_at: datetime | None = None,
) -> None:
    """Ask for a delivery, due now unless a time is given.

    Asking again with the same key makes it due again, and new again.
    """
    due_at = due_at or tx.now
    again = tx.run(
        _delivery.update()
        .where(_delivery.c.key == key)
        .values(
            state=DeliveryState.PENDING,
            due_at=due_at,
            attempts=0,
            lane=None,  # where it has to wait may be another place by now
            rank=0,
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
            due_at=due_at,
            created_at=tx.now,
        )
    )


def ask_once(
    tx: Tx,
    kind: DeliveryKind,
    checkpoint_id: str,
    key: str,
    *,
    payload: JsonObject | None = None,
) -> None:
    """Ask for a delivery, unless one with this key was ever asked for."""
    if tx.run(sa.select(_delivery.c.id).where(_delivery.c.key == key)).first() is None:
        ask(tx, kind, checkpoint_id, key, payload=payload)


def void(tx: Tx, checkpoint_id: str, kinds: Collection[DeliveryKind]) -> None:
    """What was still to be told of these kinds is not told any more."""
    tx.run(
        _delivery.update()
        .where(
            _delivery.c.checkpoint_id == checkpoint_id,
            _delivery.c.kind.in_(kinds),
            _delivery.c.state == DeliveryState.PENDING,
        )
        .values(_over(tx, DeliveryState.VOID))
    )


def claim(
    tx: Tx,
    holder: str,
    term: timedelta,
    limit: int,
    kinds: Collection[DeliveryKind] = tuple(DeliveryKind),
    closed: Collection[str] = (),
) -> list[Delivery]:
    """Take deliveries that are due, so that nobody else works on them for `term`.

    From every lane that is not closed by turns, so that a long one holds up no other; those
    in no lane yet take part as one.
    """
    turn = (_delivery.c.rank, _delivery.c.due_at, _delivery.c.id)
    due = (
        sa.select(
            _delivery.c.id,
            sa.func.row_number().over(partition_by=_delivery.c.lane, order_by=turn).label("nth"),
        )
        .where(*_due(tx, kinds, closed))
        .subquery("found")
    )
    rows = tx.run(
        sa.select(_delivery)
        .join(due, due.c.id == _delivery.c.id)
        .where(sa.or_(_delivery.c.lane.is_(None), due.c.nth <= _SHARE))
        .order_by(due.c.nth, *turn)
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
        .values(_over(tx, DeliveryState.DONE))
    )


def postpone(tx: Tx, delivery_id: int, holder: str, until: datetime, error: str | None) -> None:
    """Try again later."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(due_at=until, claimed_by=None, claimed_until=None, error=error, lane=None, rank=0)
    )


def line_up(tx: Tx, delivery_id: int, holder: str, lane: str, rank: int) -> None:
    """It waits in a lane for its turn. It keeps its due time: who came first goes first."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(
            lane=lane,
            rank=rank,
            attempts=_delivery.c.attempts - 1,  # nothing was tried
            claimed_by=None,
            claimed_until=None,
            error=None,
        )
    )


def give_up(tx: Tx, delivery_id: int, holder: str, error: str) -> None:
    """It will not be told. Whoever calls this says so loudly."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(_over(tx, DeliveryState.GIVEN_UP, error))
    )


def revive(tx: Tx, delivery_id: int) -> None:
    """What was given up is tried again now. Its error stays until it is told."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.state == DeliveryState.GIVEN_UP)
        .values(state=DeliveryState.PENDING, due_at=tx.now, ended_at=None)
    )


def drop(tx: Tx, delivery_id: int, holder: str) -> None:
    """There is nothing to tell any more."""
    tx.run(
        _delivery.update()
        .where(_delivery.c.id == delivery_id, _delivery.c.claimed_by == holder)
        .values(_over(tx, DeliveryState.VOID))
    )


def count_due(
    tx: Tx,
    limit: int,
    kinds: Collection[DeliveryKind] = tuple(DeliveryKind),
    closed: Collection[str] = (),
) -> int:
    """How many deliveries wait for somebody to take them now, counted up to a limit."""
    due = sa.select(_delivery.c.id).where(*_due(tx, kinds, closed)).limit(limit)
    return len(tx.run(due).all())


def count_in_lane(tx: Tx, lane: str) -> int:
    """How many deliveries wait for their turn in a lane."""
    waiting = (_delivery.c.state == DeliveryState.PENDING, _delivery.c.lane == lane)
    found: int = tx.run(sa.select(sa.func.count(_delivery.c.id)).where(*waiting)).scalar_one()
    return found


def _over(tx: Tx, state: DeliveryState, error: str | None = None) -> dict[str, Any]:
    """What holds of a delivery that nobody works on any more."""
    return {
        "state": state,
        "claimed_by": None,
        "claimed_until": None,
        "error": error,
        "ended_at": tx.now,
    }


def _due(
    tx: Tx, kinds: Collection[DeliveryKind], closed: Collection[str]
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _delivery.c.state == DeliveryState.PENDING,
        _delivery.c.kind.in_(kinds),
        _delivery.c.due_at <= tx.now,
        sa.or_(_delivery.c.claimed_until.is_(None), _delivery.c.claimed_until <= tx.now),
        _is_open(closed),
        ~_comes_after_another(kinds),
    )


def _is_open(closed: Collection[str]) -> sa.ColumnElement[bool]:
    if not closed:
        return sa.true()
    return sa.or_(_delivery.c.lane.is_(None), _delivery.c.lane.not_in(closed))


def _comes_after_another(kinds: Collection[DeliveryKind]) -> sa.ColumnElement[bool]:
    """Something of the same checkpoint was asked for earlier and waits in a lane: that is first."""
    earlier = _delivery.alias()
    return (
        sa.select(earlier.c.id)
        .where(
            earlier.c.checkpoint_id == _delivery.c.checkpoint_id,
            earlier.c.id < _delivery.c.id,
            earlier.c.state == DeliveryState.PENDING,
            earlier.c.kind.in_(kinds),
            earlier.c.lane.is_not(None),
        )
        .exists()
    )


def hurry(tx: Tx) -> None:
    """What failed before is tried again now: somebody has changed something."""
    tx.run(
        _delivery.update()
        .where(
            _delivery.c.state == DeliveryState.PENDING,
            _delivery.c.error.is_not(None),
            _delivery.c.due_at > tx.now,
        )
        .values(due_at=tx.now)
    )


def told_before(tx: Tx, delivery: Delivery) -> datetime | None:
    """When what must be told before this one is due; None when nothing must."""
    if delivery.kind not in IN_ORDER:
        return None
    query = sa.select(sa.func.min(_delivery.c.due_at)).where(
        _delivery.c.checkpoint_id == delivery.checkpoint_id,
        _delivery.c.id < delivery.id,
        _delivery.c.state == DeliveryState.PENDING,
        _delivery.c.kind.in_(IN_ORDER),
    )
    found: datetime | None = tx.run(query).scalar_one()
    return found


def next_due(
    tx: Tx,
    kinds: Collection[DeliveryKind] = tuple(DeliveryKind),
    closed: Collection[str] = (),
) -> datetime | None:
    """When the earliest pending delivery may be taken: when it is due, or its claim lapses."""
    taken = _delivery.c.claimed_until > _delivery.c.due_at
    free_at = sa.case((taken, _delivery.c.claimed_until), else_=_delivery.c.due_at)
    query = sa.select(sa.func.min(free_at)).where(
        _delivery.c.state == DeliveryState.PENDING,
        _delivery.c.kind.in_(kinds),
        _is_open(closed),
        ~_comes_after_another(kinds),
    )
    found: datetime | None = tx.run(query).scalar_one()
    return found


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
        lane=row.lane,
    )
