"""What persons want to be told: rows to values and back."""

from typing import Any

import sqlalchemy as sa

from engine.identity import Identity, IdentityKind, PersonId
from engine.store.writer import Tx
from engine.tables import IdentityRow, PersonRow, PreferenceRow, table_of
from engine.telling import Preferences

_identity = table_of(IdentityRow)
_person = table_of(PersonRow)
_preference = table_of(PreferenceRow)


def load(tx: Tx, person_id: PersonId) -> Preferences:
    """A person's own, or what holds for whoever said nothing."""
    query = sa.select(_preference).where(_preference.c.person_id == person_id)
    row = tx.run(query).one_or_none()
    return Preferences() if row is None else _value(row)


def save(tx: Tx, person_id: PersonId, preferences: Preferences) -> None:
    """Keep a person's own."""
    values = {
        "outcome": preferences.outcome,
        "asked": preferences.asked,
        "snoozed_until": preferences.snoozed_until,
        "changed_at": tx.now,
    }
    mine = _preference.c.person_id == person_id
    if tx.run(_preference.update().where(mine).values(**values)).rowcount == 0:
        tx.run(_preference.insert().values(person_id=person_id, **values))


def wants_to_be_asked(tx: Tx) -> list[Identity]:
    """The Slack accounts of everybody who wants to hear of what they could decide, in one order.

    Not of those whom an Admin stopped, nor while they are snoozed.
    """
    query = (
        sa.select(_identity.c.realm, _identity.c.subject)
        .join(_preference, _preference.c.person_id == _identity.c.person_id)
        .join(_person, _person.c.id == _identity.c.person_id)
        .where(
            _identity.c.kind == IdentityKind.SLACK,
            _preference.c.asked.is_(True),
            _person.c.disabled_at.is_(None),
            sa.or_(_preference.c.snoozed_until.is_(None), _preference.c.snoozed_until <= tx.now),
        )
        .order_by(_identity.c.person_id, _identity.c.realm, _identity.c.subject)
    )
    return [Identity(IdentityKind.SLACK, row.realm, row.subject) for row in tx.run(query)]


def _value(row: sa.Row[Any]) -> Preferences:
    return Preferences(outcome=row.outcome, asked=row.asked, snoozed_until=row.snoozed_until)
