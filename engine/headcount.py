"""Whether enough persons could decide, as far as grants and the record tell. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.entitlement import Grant
from engine.identity import PersonId, Principal, PrincipalKind
from engine.model import Checkpoint
from engine.policy import LOWEST_DECIDING_ROLE

_ON_SLACK = frozenset(
    {PrincipalKind.SLACK_USER, PrincipalKind.SLACK_GROUP, PrincipalKind.EMAIL},
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose account a principal names, where somebody was seen with it."""

    person_id: PersonId
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Headcount:
    """How many persons could approve a checkpoint."""

    needed: int
    at_most: int | None  # None: only a directory can tell, as groups and e-mails are involved
    on_slack: tuple[Principal, ...]  # whom to look up there
    at_a_terminal: bool  # whether an account of a machine could be among them

    @property
    def is_short(self) -> bool:
        """Whether it is certain that too few could."""
        return self.at_most is not None and self.at_most < self.needed

    @property
    def wants_look(self) -> bool:
        """Whether a directory may find that too few could after all."""
        return not self.is_short and not self.at_a_terminal and bool(self.on_slack)


def headcount(
    checkpoint: Checkpoint,
    grants: Sequence[Grant],
    owners: Mapping[Principal, Owner],
    requester: PersonId,
) -> Headcount:
    """Judge by the grants of the checkpoint's tenant; `requester` is who that is today.

    `at_most` never counts too few: where something is not known, more might be able to.
    """
    needed = max(checkpoint.policy.required_role, LOWEST_DECIDING_ROLE)
    granted = tuple(dict.fromkeys(g.principal for g in grants if g.role >= needed))
    lists = _lists(checkpoint)
    bounds = [_both(granted, listed) for listed in lists] if lists else [_alone(granted)]
    barred = None if checkpoint.policy.self_approval else requester
    counts = [
        len(_persons(checkpoint, bound, owners, barred)) for bound in bounds if bound is not None
    ]
    named = {principal for listed in lists for principal in listed}
    by_id = not lists and all(p.kind is PrincipalKind.SLACK_USER for p in granted)
    look_up = () if by_id else sorted(p for p in {*granted, *named} if p.kind in _ON_SLACK)
    return Headcount(
        needed=checkpoint.policy.quorum,
        at_most=min(counts, default=None),
        on_slack=tuple(look_up),
        at_a_terminal=all(any(_is_local(p) for p in who) for who in (granted, *lists)),
    )


def _lists(checkpoint: Checkpoint) -> list[tuple[Principal, ...]]:
    """The lists that whoever decides must be on, besides holding the role."""
    there = checkpoint.elsewhere
    assigned = None if there is None else there.assigned
    named = [checkpoint.policy.approvers] if checkpoint.policy.approvers else []
    return named if assigned is None else [*named, assigned]


def _alone(granted: Collection[Principal]) -> frozenset[Principal] | None:
    return None if any(map(_is_open, granted)) else frozenset(granted)


def _both(
    granted: Collection[Principal], listed: Collection[Principal]
) -> frozenset[Principal] | None:
    """The accounts that may be in both; None where that may be anybody."""
    anybody_granted = any(map(_is_open, granted))
    anybody_listed = any(map(_is_open, listed))
    if anybody_granted and anybody_listed:
        return None
    if anybody_listed:
        return frozenset(granted)
    return frozenset(p for p in listed if anybody_granted or any(_same(p, g) for g in granted))


def _persons(
    checkpoint: Checkpoint,
    accounts: Collection[Principal],
    owners: Mapping[Principal, Owner],
    barred: PersonId | None,
) -> set[str]:
    persons: set[str] = set()
    for account in accounts:
        owner = owners.get(account)
        if (owner is not None and owner.is_disabled) or _asks(checkpoint, account, owner, barred):
            continue
        persons.add(str(account) if owner is None else owner.person_id)
    return persons


def _asks(
    checkpoint: Checkpoint, account: Principal, owner: Owner | None, barred: PersonId | None
) -> bool:
    """Whether it is of whoever started the run, who may not decide."""
    if barred is None:
        return False
    there = checkpoint.elsewhere
    started_by = () if there is None else there.started_by
    is_requester = owner is not None and owner.person_id == barred
    return is_requester or any(_same(account, starter) for starter in started_by)


def _is_open(principal: Principal) -> bool:
    """Whether it may name any number of accounts."""
    if principal.kind is PrincipalKind.OS_USER:
        return principal.realm == ""  # of every host
    return principal.kind is not PrincipalKind.SLACK_USER


def _is_local(principal: Principal) -> bool:
    return principal.kind is PrincipalKind.OS_USER


def _same(one: Principal, other: Principal) -> bool:
    realms = "" in (one.realm, other.realm) or one.realm == other.realm
    return realms and (one.kind, one.subject) == (other.kind, other.subject)
