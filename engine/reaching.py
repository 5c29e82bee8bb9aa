"""Whether a checkpoint can be decided by those whom the grants name: before anybody is asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.entitlement import Grant
from engine.identity import Principal, PrincipalKind, Role
from engine.model import Policy

_OF_SLACK = frozenset({PrincipalKind.SLACK_USER, PrincipalKind.SLACK_GROUP, PrincipalKind.EMAIL})


@dataclass(frozen=True, slots=True)
class Members:
    """Whom principals mean, as accounts. What is not in `known` stands for itself.

    `asked`: the surface was asked, so that an e-mail and an account of one person are one, and
    the members of groups are known; otherwise a group may be anybody.
    """

    known: Mapping[Principal, frozenset[str]]
    asked: bool = False

    def of(self, principal: Principal) -> frozenset[str] | None:
        """The accounts of a principal; None when nobody said who is in the group."""
        if principal in self.known:
            return self.known[principal]
        is_open = principal.kind is PrincipalKind.SLACK_GROUP
        return None if is_open else frozenset({str(principal)})


@dataclass(frozen=True, slots=True)
class Reach:
    """Who could decide. `unknown`: whose members, or whose role, cannot be told from here.

    `most` is how many it can be at best; None when a group holds the role, whoever is in it.
    """

    grants: tuple[Grant, ...]
    persons: frozenset[str]
    unknown: tuple[Principal, ...] = ()
    most: int | None = None

    def suffices(self, needed: int) -> bool | None:
        """Whether so many persons can be found; None when that cannot be told."""
        if len(self.persons) >= needed:
            return True
        too_few = self.most is not None and self.most < needed
        return None if self.unknown and not too_few else False


def reach(policy: Policy, grants: Sequence[Grant], members: Members) -> Reach:
    """Who could decide a checkpoint of this policy by the grants of its tenant.

    Whoever will start the run is not known yet.
    """
    needed = max(policy.required_role, Role.OPERATOR)
    able = tuple(grant for grant in grants if grant.role >= needed)
    holders, open_holders = _accounts((grant.principal for grant in able), members)
    most = None if open_holders else len(holders)
    if not policy.approvers:
        return Reach(able, holders, open_holders, most)
    named, _ = _accounts(policy.approvers, members)
    unknown = () if members.asked else _unsure(policy, able, holders, members)
    return Reach(able, holders & named, unknown, most)


def _accounts(
    principals: Iterable[Principal], members: Members
) -> tuple[frozenset[str], tuple[Principal, ...]]:
    found: set[str] = set()
    is_open: list[Principal] = []
    for principal in principals:
        accounts = members.of(principal)
        if accounts is None:
            is_open.append(principal)
        else:
            found |= accounts
    return frozenset(found), tuple(dict.fromkeys(is_open))


def _unsure(
    policy: Policy, able: Sequence[Grant], holders: frozenset[str], members: Members
) -> tuple[Principal, ...]:
    """Approvers who may hold the role by another name: an account's group, or its e-mail."""
    through = {grant.principal.kind for grant in able if grant.principal.kind in _OF_SLACK}
    return tuple(
        who
        for who in policy.approvers
        if who.kind in _OF_SLACK
        and not ((members.of(who) or frozenset()) & holders)
        and through - ({PrincipalKind.SLACK_USER} if _is_account(who) else set())
    )


def _is_account(who: Principal) -> bool:
    return who.kind is PrincipalKind.SLACK_USER
