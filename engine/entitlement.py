"""Which role grants give whom, and whom a principal means. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from engine.identity import (
    Caller,
    Entitlement,
    IdentityKind,
    Principal,
    PrincipalKind,
    Role,
    Standing,
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role given to a principal in a tenant, and by whom."""

    principal: Principal
    tenant: str
    role: Role
    source: str
    number: int = field(default=0, compare=False)
    granted_at: datetime | None = field(default=None, compare=False)


_BY_ID = frozenset({PrincipalKind.SLACK_USER, PrincipalKind.OS_USER})


def entitlement(grants: Sequence[Grant], caller: Caller) -> Entitlement | None:
    """The highest role these grants give the caller; at equal role, one by id wins."""
    found = [
        Entitlement(
            grant.role,
            grant.source,
            by_id=grant.principal.kind in _BY_ID,
            principal=grant.principal,
            grant_number=grant.number,
            granted_at=grant.granted_at,
        )
        for grant in grants
        if names(grant.principal, caller)
    ]
    return max(found, key=lambda e: (e.role, e.by_id), default=None)


def names(principal: Principal, caller: Caller) -> bool:
    """Whether this principal means this caller.

    Groups and e-mails are the workspace's word about its own full members; of
    anybody else only the exact account id is believed.
    """
    identity = caller.identity
    here = caller.at_home if principal.realm == "" else principal.realm == identity.realm
    match principal.kind:
        case PrincipalKind.SLACK_USER:
            slack = identity.kind is IdentityKind.SLACK
            return slack and here and principal.subject == identity.subject
        case PrincipalKind.OS_USER:
            local = identity.kind is IdentityKind.OS
            return local and here and principal.subject == identity.subject
        case PrincipalKind.SLACK_GROUP:
            return here and _full_member(caller) and principal.subject in caller.groups
        case PrincipalKind.EMAIL:
            return _full_member(caller) and principal.subject == (caller.email or "").lower()
        case _:
            assert_never(principal.kind)


def _full_member(caller: Caller) -> bool:
    return caller.at_home and caller.standing is Standing.MEMBER
