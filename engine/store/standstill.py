"""The record of an emergency stop: one fact about this database, there while it lasts."""

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engine.identity import PersonId
from engine.store.people import get_meta, set_meta
from engine.store.writer import Tx
from engine.tables import MetaRow, table_of

_KEY = "standstill"
_meta = table_of(MetaRow)

STANDS_STILL: sa.ColumnElement[bool] = sa.exists().where(_meta.c.key == _KEY)
"""Whether nothing may start, as a condition of a statement."""


@dataclass(frozen=True, slots=True)
class Record:
    """Who stopped everything, when (aware, in UTC) and why; the reason may be empty."""

    by: PersonId
    since: datetime
    reason: str


def read(tx: Tx) -> Record | None:
    """The standstill; None while runs start and go on."""
    written = get_meta(tx, _KEY)
    if written is None:
        return None
    held = json.loads(written)
    return Record(PersonId(held["by"]), datetime.fromisoformat(held["since"]), held["reason"])


def write(tx: Tx, record: Record) -> None:
    """From this transaction on nothing starts."""
    held = {"by": record.by, "since": record.since.isoformat(), "reason": record.reason}
    set_meta(tx, _KEY, json.dumps(held))


def remove(tx: Tx) -> None:
    """From this transaction on runs start again."""
    tx.run(_meta.delete().where(_meta.c.key == _KEY))
