"""Who may still decide a checkpoint, as far as the record can name them."""

from collections.abc import Collection
from dataclasses import dataclass

from engine.identity import IdentityKind, PersonId, Principal, PrincipalKind, Role
from engine.model import Checkpoint
from engine.policy import LOWEST_DECIDING_ROLE
from engine.store import links, people
from engine.store.writer import Tx


@dataclass(frozen=True, slots=True)
class StillAsked:
    """Whose answer a checkpoint can still use.

    `named` are the people and groups of its approver list who have not decided: by name where one
    is known, else as they are written there. None: whoever holds `role`, and then
    `but_requester` says whether that leaves out whoever started the run.
    """

    role: Role
    named: tuple[str, ...] | None = None
    but_requester: bool = False


def still_asked(tx: Tx, checkpoint: Checkpoint, decided: Collection[PersonId]) -> StillAsked:
    """Who may still decide; `decided` are those whose votes count."""
    policy, there = checkpoint.policy, checkpoint.elsewhere
    role = max(policy.required_role, LOWEST_DECIDING_ROLE)
    assigned = None if there is None else there.assigned
    if not policy.approvers and assigned is None:
        return StillAsked(role, but_requester=not policy.self_approval)
    started_by = () if there is None else there.started_by
    barred = set() if policy.self_approval else {links.person_of_today(tx, checkpoint.requester)}
    named = [
        name
        for principal in policy.approvers or assigned or ()
        if policy.self_approval or principal not in started_by
        for name in _names(tx, principal, {*decided, *barred})
    ]
    return StillAsked(role, tuple(named), but_requester=not policy.self_approval)


_KINDS = {
    PrincipalKind.SLACK_USER: IdentityKind.SLACK,
    PrincipalKind.OS_USER: IdentityKind.OS,
    PrincipalKind.EMAIL: IdentityKind.EMAIL,
}


def _names(tx: Tx, principal: Principal, out: Collection[PersonId]) -> tuple[str, ...]:
    """What to call a principal; nothing for a person who is `out`."""
    kind = _KINDS.get(principal.kind)
    found = None if kind is None else people.found_as(tx, kind, principal.realm, principal.subject)
    if found is None:
        return (str(principal),)
    person_id, name = found
    return () if person_id in out else (name or str(principal),)
