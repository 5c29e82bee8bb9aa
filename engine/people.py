"""Who somebody is and which role they hold: resolved in the transaction that needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.entitlement import entitlement
from engine.events import RoleChangeRefused, RoleGranted, RoleRevoked
from engine.identity import Caller, Candidate, Entitlement, PersonId, Principal, Role, Surface
from engine.model import Checkpoint
from engine.policy import Kinds, Refused, enabled, holds
from engine.store import links, people, trail
from engine.store.writer import Tx

FILE_SOURCE = "signoff.toml"
CLI_SOURCE = "signoff roles"


@dataclass(frozen=True, slots=True)
class LocalMode:
    """On one machine, explicitly: the role an OS user has who was granted none."""

    role: Role = Role.VIEWER


@dataclass(frozen=True, slots=True)
class Wanted:
    """A grant as the configuration file asks for it."""

    principal: Principal
    tenant: str
    role: Role


def resolve(tx: Tx, caller: Caller, tenant: str, local: LocalMode | None = None) -> Candidate:
    """The caller as a person with the role they hold in a tenant right now.

    Somebody never seen before becomes a person here; reads use `known`.
    """
    person_id = people.ensure_person(tx, caller.identity, caller.name)
    return known(tx, caller, person_id, tenant, local)


def known(
    tx: Tx, caller: Caller, person_id: PersonId, tenant: str, local: LocalMode | None = None
) -> Candidate:
    """As `resolve`, for a person whose id is known; writes nothing."""
    return _candidate(tx, caller, person_id, _entitlement(tx, caller, tenant, local))


def anywhere(tx: Tx, caller: Caller, local: LocalMode | None = None) -> Candidate:
    """The caller as a person with the highest role they hold in any tenant."""
    found = [*roles_of(tx, caller).values()]
    if local is not None and caller.surface is Surface.CLI:
        found.append(Entitlement(local.role, "USER_RBAC_ROLE", by_id=True))
    highest = max(found, key=lambda held: (held.role, held.by_id), default=None)
    person_id = people.ensure_person(tx, caller.identity, caller.name)
    return _candidate(tx, caller, person_id, highest)


def _candidate(tx: Tx, caller: Caller, person_id: PersonId, held: Entitlement | None) -> Candidate:
    accounts = frozenset((caller.identity, *people.identities_of(tx, person_id)))
    recorded = people.load_person(tx, person_id)
    return Candidate(
        person_id=person_id,
        caller=caller,
        entitlement=held,
        kinds=frozenset((account.kind, account.realm) for account in accounts),
        accounts=accounts,
        formerly=links.formerly(tx, person_id),
        disabled_at=None if recorded is None else recorded.disabled_at,
    )


def _entitlement(
    tx: Tx, caller: Caller, tenant: str, local: LocalMode | None
) -> Entitlement | None:
    granted = entitlement(people.grants(tx, tenant), caller)
    if granted is not None or local is None or caller.surface is not Surface.CLI:
        return granted
    # Only where nothing was granted: the variable never lifts or lowers an explicit grant.
    return Entitlement(local.role, "USER_RBAC_ROLE", by_id=True)


def requester_kinds(tx: Tx, checkpoint: Checkpoint) -> Kinds:
    """The kinds of account that whoever started the run is known by today."""
    return kinds_of(tx, checkpoint.requester)


def kinds_of(tx: Tx, person_id: PersonId) -> Kinds:
    """The kinds of account that a person is known by today."""
    accounts = people.identities_of(tx, links.person_of_today(tx, person_id))
    return frozenset((account.kind, account.realm) for account in accounts)


def roles_of(tx: Tx, caller: Caller) -> dict[str, Entitlement]:
    """The caller's role in every tenant where they hold one. Writes nothing."""
    found = {
        tenant: entitlement(people.grants(tx, tenant), caller) for tenant in people.tenants(tx)
    }
    return {tenant: held for tenant, held in found.items() if held is not None}


def grant(
    tx: Tx,
    principal: Principal,
    tenant: str,
    role: Role,
    by: Caller,
    local: LocalMode | None = None,
) -> Refused | None:
    """Give a role; replaces what the same source gave this principal there before.

    Needs Admin in the tenant, except for the first grant of a tenant without an Admin.
    """
    if refused := _may_change_roles(tx, tenant, by, local):
        return refused
    people.close_grant(tx, principal, tenant, CLI_SOURCE, str(by.identity))
    people.add_grant(tx, principal, tenant, role, CLI_SOURCE, str(by.identity))
    trail.append(
        tx,
        RoleGranted(tenant=tenant, role=role.label, source=CLI_SOURCE),
        _about_grant(tx, principal, by),
    )
    return None


def revoke(
    tx: Tx, principal: Principal, tenant: str, by: Caller, local: LocalMode | None = None
) -> Refused | Role | None:
    """Take back what `signoff roles` gave: the role it was, or None when there was none."""
    if refused := _may_change_roles(tx, tenant, by, local):
        return refused
    role = people.close_grant(tx, principal, tenant, CLI_SOURCE, str(by.identity))
    if role is not None:
        trail.append(
            tx,
            RoleRevoked(tenant=tenant, role=role.label, source=CLI_SOURCE),
            _about_grant(tx, principal, by),
        )
    return role


def _may_change_roles(tx: Tx, tenant: str, by: Caller, local: LocalMode | None) -> Refused | None:
    candidate = resolve(tx, by, tenant, local)
    held = holds(candidate, Role.ADMIN, tenant)
    has_admins = any(g.role is Role.ADMIN for g in people.active_grants(tx, tenant))
    active = enabled(candidate)
    if active.passed and (held.passed or not has_admins):
        return None
    trail.append(
        tx,
        RoleChangeRefused(tenant=tenant, person=candidate.person_id),
        trail.about(candidate.person_id, by),
    )
    return Refused((active, held))


def sync_file(tx: Tx, wanted: Sequence[Wanted]) -> tuple[int, int]:
    """Make the grants of the configuration file exactly these: (given, taken back)."""
    target: Mapping[tuple[str, str], Wanted] = {(str(w.principal), w.tenant): w for w in wanted}
    active = {
        (record.principal, record.tenant): record.role
        for record in people.active_grants(tx)
        if record.source == FILE_SOURCE
    }
    stale = {
        key: role
        for key, role in active.items()
        if key not in target or target[key].role is not role
    }
    for (principal, tenant), role in stale.items():
        people.close_grant(tx, Principal.parse(principal), tenant, FILE_SOURCE, FILE_SOURCE)
        trail.append(
            tx,
            RoleRevoked(tenant=tenant, role=role.label, source=FILE_SOURCE),
            trail.Personal(None, {"principal": principal}),
        )
    fresh = [want for key, want in target.items() if key not in active or key in stale]
    for want in fresh:
        people.add_grant(tx, want.principal, want.tenant, want.role, FILE_SOURCE, FILE_SOURCE)
        trail.append(
            tx,
            RoleGranted(tenant=want.tenant, role=want.role.label, source=FILE_SOURCE),
            trail.Personal(None, {"principal": str(want.principal)}),
        )
    return len(fresh), len(stale)


def _about_grant(tx: Tx, principal: Principal, by: Caller) -> trail.Personal:
    person_id = people.person_of(tx, by.identity)
    return trail.Personal(
        person_id, {"principal": str(principal), "by": str(by.identity), "name": by.name}
    )
