"""Persons, their accounts, and role grants."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.entitlement import Grant
from engine.identity import (
    Identity,
    IdentityKind,
    PersonId,
    Principal,
    PrincipalKind,
    Role,
)
from engine.model import new_person_id
from engine.store.writer import Tx
from engine.tables import IdentityRow, MetaRow, PersonAliasRow, PersonRow, RoleGrantRow, table_of

_person = table_of(PersonRow)
_identity = table_of(IdentityRow)
_alias = table_of(PersonAliasRow)
_grant = table_of(RoleGrantRow)
_meta = table_of(MetaRow)


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """An active grant as it is listed."""

    principal: str
    tenant: str
    role: Role
    source: str
    granted_by: str
    granted_at: datetime
    number: int


def person_of(tx: Tx, identity: Identity) -> PersonId | None:
    """Whose account this is; None for one never seen."""
    found = tx.run(sa.select(_identity.c.person_id).where(_is(identity))).scalar_one_or_none()
    return None if found is None else PersonId(found)


def ensure_person(tx: Tx, identity: Identity, name: str) -> PersonId:
    """The person of this account, made at first sight; keeps the display name fresh."""
    known = person_of(tx, identity)
    if known is not None:
        tx.run(
            _person.update()
            .where(_person.c.id == known, _person.c.name != name, _person.c.erased_at.is_(None))
            .values(name=name)
        )
        return known
    person_id = new_person_id()
    tx.run(_person.insert().values(id=person_id, name=name, created_at=tx.now))
    tx.run(
        _identity.insert().values(
            kind=identity.kind,
            realm=identity.realm,
            subject=identity.subject,
            person_id=person_id,
            linked_by="first seen",
            created_at=tx.now,
        )
    )
    return person_id


def slack_realms(tx: Tx, subject: str) -> tuple[str, ...]:
    """The workspaces or organisations in which a Slack account of this id was seen."""
    query = sa.select(_identity.c.realm).where(
        _identity.c.kind == IdentityKind.SLACK, _identity.c.subject == subject
    )
    return tuple(sorted(tx.run(query).scalars()))


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person as recorded; the name is empty once erased."""

    id: PersonId
    name: str
    disabled_at: datetime | None


def load_person(tx: Tx, person_id: str) -> PersonRecord | None:
    """A person by the id they have today; None when there is none."""
    row = tx.run(sa.select(_person).where(_person.c.id == person_id)).one_or_none()
    return None if row is None else _record(row)


def listed_persons(tx: Tx) -> list[PersonRecord]:
    """Everybody, by name; not those found to be somebody else."""
    query = sa.select(_person).where(_person.c.id.not_in(sa.select(_alias.c.alias)))
    return [_record(row) for row in tx.run(query.order_by(_person.c.name, _person.c.id))]


def set_disabled(tx: Tx, person_id: PersonId, at: datetime | None) -> None:
    """Stop a person from this instant on; None lets them act again."""
    tx.run(_person.update().where(_person.c.id == person_id).values(disabled_at=at))


def _record(row: sa.Row[Any]) -> PersonRecord:
    return PersonRecord(PersonId(row.id), row.name, row.disabled_at)


def identities_of(tx: Tx, person_id: PersonId) -> tuple[Identity, ...]:
    """All accounts of a person."""
    rows = tx.run(
        sa.select(_identity.c.kind, _identity.c.realm, _identity.c.subject)
        .where(_identity.c.person_id == person_id)
        .order_by(_identity.c.kind, _identity.c.realm, _identity.c.subject)
    )
    return tuple(Identity(IdentityKind(row.kind), row.realm, row.subject) for row in rows)


def identities_of_all(tx: Tx, person_ids: Iterable[str]) -> dict[PersonId, tuple[Identity, ...]]:
    """All accounts of each of these persons; those without any are left out."""
    query = sa.select(_identity).where(_identity.c.person_id.in_(set(person_ids)))
    found: dict[PersonId, tuple[Identity, ...]] = {}
    for row in tx.run(query):
        account = Identity(IdentityKind(row.kind), row.realm, row.subject)
        found[row.person_id] = (*found.get(row.person_id, ()), account)
    return found


def grants(tx: Tx, tenant: str) -> list[Grant]:
    """The active grants of a tenant, as the policy reads them."""
    return [
        Grant(
            Principal.parse(record.principal),
            record.tenant,
            record.role,
            f"{record.source}: {record.principal}",
            record.number,
            record.granted_at,
        )
        for record in active_grants(tx, tenant)
    ]


def active_grants(tx: Tx, tenant: str | None = None) -> list[GrantRecord]:
    """The active grants, of one tenant or of all, in the order people read them."""
    query = sa.select(_grant).where(_grant.c.revoked_at.is_(None))
    if tenant is not None:
        query = query.where(_grant.c.tenant == tenant)
    rows = tx.run(query.order_by(_grant.c.tenant, _grant.c.principal, _grant.c.source))
    return [
        GrantRecord(
            row.principal,
            row.tenant,
            Role[row.role.upper()],
            row.source,
            row.granted_by,
            row.granted_at,
            row.id,
        )
        for row in rows
    ]


def tenants(tx: Tx) -> tuple[str, ...]:
    """Every tenant somebody holds a role in."""
    query = sa.select(_grant.c.tenant).where(_grant.c.revoked_at.is_(None)).distinct()
    return tuple(sorted(tx.run(query).scalars()))


def add_grant(tx: Tx, principal: Principal, tenant: str, role: Role, source: str, by: str) -> None:
    """Open a grant. The caller has closed the one it replaces."""
    tx.run(
        _grant.insert().values(
            principal=str(principal),
            tenant=tenant,
            role=role.label,
            source=source,
            granted_by=by,
            granted_at=tx.now,
        )
    )


def close_grant(tx: Tx, principal: Principal, tenant: str, source: str, by: str) -> Role | None:
    """Revoke a grant: the role it gave, or None when there was none."""
    active = sa.and_(
        _grant.c.principal == str(principal),
        _grant.c.tenant == tenant,
        _grant.c.source == source,
        _grant.c.revoked_at.is_(None),
    )
    role = tx.run(sa.select(_grant.c.role).where(active)).scalar_one_or_none()
    if role is None:
        return None
    tx.run(_grant.update().where(active).values(revoked_by=by, revoked_at=tx.now))
    return Role[role.upper()]


@dataclass(frozen=True, slots=True)
class Seen:
    """An account that somebody was seen with."""

    identity: Identity
    person_id: PersonId
    is_disabled: bool

    def names(self, principal: Principal) -> bool:
        """Whether the principal means this account, of any workspace or host where it says none."""
        return (
            principal.kind is _KIND_OF.get(self.identity.kind)
            and principal.subject == self.identity.subject
            and principal.realm in ("", self.identity.realm)
        )


_KIND_OF = {
    IdentityKind.SLACK: PrincipalKind.SLACK_USER,
    IdentityKind.OS: PrincipalKind.OS_USER,
}


def account_kind(principal: Principal) -> IdentityKind | None:
    """Of which kind the account is that a principal names; None for a group or an address."""
    return next((kind for kind, named in _KIND_OF.items() if named is principal.kind), None)


def seen_with(tx: Tx, subjects: Iterable[str]) -> list[Seen]:
    """The accounts of these names, of every kind and realm, with their persons."""
    query = (
        sa.select(_identity, _person.c.disabled_at)
        .join(_person, _person.c.id == _identity.c.person_id)
        .where(_identity.c.subject.in_(set(subjects)))
    )
    return [
        Seen(
            Identity(IdentityKind(row.kind), row.realm, row.subject),
            PersonId(row.person_id),
            is_disabled=row.disabled_at is not None,
        )
        for row in tx.run(query)
    ]


def display_names(tx: Tx, person_ids: Iterable[str]) -> dict[str, str]:
    """Names of several persons at once."""
    query = sa.select(_person.c.id, _person.c.name).where(_person.c.id.in_(set(person_ids)))
    return {row.id: row.name for row in tx.run(query)}


def found_as(tx: Tx, kind: IdentityKind, realm: str, subject: str) -> tuple[PersonId, str] | None:
    """Whose account this is, and their name; an empty realm means any."""
    here = sa.and_(_identity.c.kind == kind, _identity.c.subject == subject)
    if realm:
        here = sa.and_(here, _identity.c.realm == realm)
    query = (
        sa.select(_person.c.id, _person.c.name)
        .join(_identity, _identity.c.person_id == _person.c.id)
        .where(here)
        .order_by(_identity.c.realm)
        .limit(1)
    )
    row = tx.run(query).one_or_none()
    return None if row is None else (PersonId(row.id), row.name)


def slack_accounts(tx: Tx, person_ids: Iterable[str]) -> dict[str, Identity]:
    """A Slack account of each person who has one."""
    query = sa.select(_identity).where(
        _identity.c.person_id.in_(set(person_ids)), _identity.c.kind == IdentityKind.SLACK
    )
    return {
        row.person_id: Identity(IdentityKind.SLACK, row.realm, row.subject) for row in tx.run(query)
    }


def get_meta(tx: Tx, key: str) -> str | None:
    """A fact about this database."""
    return tx.run(sa.select(_meta.c.value).where(_meta.c.key == key)).scalar_one_or_none()


def set_meta(tx: Tx, key: str, value: str) -> None:
    """Write a fact about this database."""
    updated = tx.run(_meta.update().where(_meta.c.key == key).values(value=value))
    if updated.rowcount == 0:
        tx.run(_meta.insert().values(key=key, value=value))


def probe_writable(tx: Tx) -> None:
    """Write something of no consequence: only a commit proves that a database takes commits."""
    set_meta(tx, "probed_at", tx.now.isoformat())


def _is(identity: Identity) -> sa.ColumnElement[bool]:
    return sa.and_(
        _identity.c.kind == identity.kind,
        _identity.c.realm == identity.realm,
        _identity.c.subject == identity.subject,
    )
