"""Signed heads of the audit chain, and where each was anchored."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engine.heads import SignedHead
from engine.store.writer import Tx
from engine.tables import AnchoredRow, AuditRow, SignedHeadRow, table_of

_head = table_of(SignedHeadRow)
_anchored = table_of(AnchoredRow)
_audit = table_of(AuditRow)


def add(tx: Tx, head: SignedHead) -> None:
    """Keep a head that was signed now."""
    tx.run(
        _head.insert().values(
            seq=head.seq,
            hash=head.hash,
            at=tx.now,
            key_id=head.key_id,
            signature=head.signature,
        )
    )


def last(tx: Tx) -> SignedHead | None:
    """The newest signed head."""
    row = tx.run(sa.select(_head).order_by(_head.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else _value(row)


def every(tx: Tx) -> list[SignedHead]:
    """All signed heads, the oldest first."""
    return [_value(row) for row in tx.run(sa.select(_head).order_by(_head.c.seq))]


@dataclass(frozen=True, slots=True)
class Given:
    """The last head that a place was given: of which row, and when."""

    seq: int
    at: datetime


def anchored(tx: Tx, place: str) -> Given | None:
    """What this place has; None where it was given nothing yet."""
    query = sa.select(_anchored.c.seq, _anchored.c.at).where(_anchored.c.place == place)
    row = tx.run(query).one_or_none()
    return None if row is None else Given(row.seq, row.at)


def note_anchored(tx: Tx, place: str, seq: int) -> None:
    """This place has the heads up to here."""
    here = _anchored.c.place == place
    moved = tx.run(_anchored.update().where(here).values(seq=seq, at=tx.now))
    if not moved.rowcount:
        tx.run(_anchored.insert().values(place=place, seq=seq, at=tx.now))


def has_event_since(tx: Tx, seq: int, events: frozenset[str]) -> bool:
    """Whether one of these was written behind this row."""
    query = sa.select(_audit.c.seq).where(_audit.c.seq > seq, _audit.c.event.in_(events)).limit(1)
    return tx.run(query).first() is not None


def _value(row: sa.Row[tuple[object, ...]]) -> SignedHead:
    return SignedHead(
        seq=row.seq,
        hash=row.hash,
        at=row.at.isoformat(),
        key_id=row.key_id,
        signature=row.signature,
    )
