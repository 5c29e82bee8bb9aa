"""The audit trail: appending, and reading it back to verify or export."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine import chain
from engine.events import Event
from engine.identity import Caller, PersonId
from engine.store.writer import Tx
from engine.tables import AuditContentRow, AuditHeadRow, AuditRow, RefusalWindowRow, table_of

_audit = table_of(AuditRow)
_content = table_of(AuditContentRow)
_head = table_of(AuditHeadRow)
_window = table_of(RefusalWindowRow)

# Made once: a decision appends three rows, and making a statement costs more than running it.
_READ_HEAD = sa.select(_head.c.seq, _head.c.hash).where(_head.c.id == 1)
_ADD_ROW = _audit.insert()
_ADD_PART = _content.insert()
_MOVE_HEAD = (
    _head.update()
    .where(_head.c.id == 1)
    .values(seq=sa.bindparam("to_seq"), hash=sa.bindparam("to_hash"))
)

_PAGE = 500
_FLOOD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Personal:
    """What an event says of a person: kept apart, erasable."""

    person_id: PersonId | None
    content: Mapping[str, Any]


def about(person_id: PersonId, caller: Caller, **more: object) -> Personal:
    """Who an event is about: their name and account, and what else is personal."""
    return Personal(person_id, {"name": caller.name, "identity": str(caller.identity), **more})


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the trail with the content that is still held."""

    link: chain.Link
    parts: tuple[chain.Part, ...]
    run_id: str | None
    checkpoint_id: str | None


def append(tx: Tx, event: Event, personal: Personal | None = None) -> int:
    """Add an event at the end of the chain; returns its sequence number."""
    head = tx.run(_READ_HEAD).one()
    seq, at = head.seq + 1, tx.now.isoformat()
    parts = [_part(seq, chain.FACTS, event.facts())]
    if personal is not None:
        parts.append(_part(seq, chain.PERSONAL, personal.content))
    commitments = {part.name: chain.commit(part.salt, part.body) for part in parts}
    own_hash = chain.link_hash(seq, at, event.name, commitments, head.hash)
    tx.run(
        _ADD_ROW,
        seq=seq,
        at=tx.now,
        event=event.name,
        checkpoint_id=event.checkpoint_id,
        run_id=event.run_id,
        commitments=commitments,
        prev=head.hash,
        hash=own_hash,
    )
    for part in parts:
        person_id = personal.person_id if personal and part.name == chain.PERSONAL else None
        tx.run(
            _ADD_PART,
            seq=seq,
            part=part.name,
            person_id=person_id,
            salt=part.salt,
            body=part.body,
        )
    tx.run(_MOVE_HEAD, to_seq=seq, to_hash=own_hash)
    return int(seq)


def _part(seq: int, name: str, content: Mapping[str, Any]) -> chain.Part:
    body = chain.body_of(_writable(content))
    return chain.Part(seq, name, salt=secrets.token_hex(16), body=body)


def _writable(value: Any) -> Any:
    """The value without half characters: what somebody tampered with is recorded all the same."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case Mapping():
            return {key: _writable(item) for key, item in value.items()}
        case list() | tuple():
            return [_writable(item) for item in value]
        case _:
            return value


def suppressed(tx: Tx, person_id: PersonId, about: str) -> int | None:
    """Whether to write a refusal: None means not now (it is counted instead).

    Otherwise how many equal ones went unwritten since the last that was written.
    """
    key = sa.and_(_window.c.person_id == person_id, _window.c.about == about)
    row = tx.run(sa.select(_window.c.since, _window.c.suppressed).where(key)).one_or_none()
    if row is None:
        tx.run(_window.insert().values(person_id=person_id, about=about, since=tx.now))
        return 0
    if tx.now - row.since < _FLOOD:
        tx.run(_window.update().where(key).values(suppressed=row.suppressed + 1))
        return None
    tx.run(_window.update().where(key).values(since=tx.now, suppressed=0))
    return int(row.suppressed)


def head(tx: Tx) -> tuple[int, str]:
    """The end of the chain as it was last written: sequence number and hash."""
    row = tx.run(_READ_HEAD).one()
    return int(row.seq), str(row.hash)


def hash_of(tx: Tx, seq: int) -> str | None:
    """The hash of one row; None when there is no such row."""
    return tx.run(sa.select(_audit.c.hash).where(_audit.c.seq == seq)).scalar_one_or_none()


def entries(
    tx: Tx,
    *,
    after: int = 0,
    checkpoint_id: str | None = None,
    run_id: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
) -> Iterator[Entry]:
    """The trail behind row `after`, in order, read in pages so that memory stays flat."""
    wanted = [
        column == value
        for column, value in (
            (_audit.c.checkpoint_id, checkpoint_id),
            (_audit.c.run_id, run_id),
            (_audit.c.event, event),
        )
        if value is not None
    ]
    if since is not None:
        wanted.append(_audit.c.at >= since)
    while page := _page(tx, after, wanted):
        yield from page
        after = page[-1].link.seq


def _page(tx: Tx, after: int, wanted: list[sa.ColumnElement[bool]]) -> list[Entry]:
    rows = tx.run(
        sa.select(_audit).where(_audit.c.seq > after, *wanted).order_by(_audit.c.seq).limit(_PAGE)
    ).all()
    if not rows:
        return []
    held: dict[int, list[chain.Part]] = {}
    for part in tx.run(sa.select(_content).where(_content.c.seq.in_([row.seq for row in rows]))):
        held.setdefault(part.seq, []).append(chain.Part(part.seq, part.part, part.salt, part.body))
    return [
        Entry(
            chain.Link(row.seq, row.at.isoformat(), row.event, row.commitments, row.prev, row.hash),
            tuple(held.get(row.seq, ())),
            row.run_id,
            row.checkpoint_id,
        )
        for row in rows
    ]
