"""What a delegation lends: a place on the approver list, never a role. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.identity import Candidate, Entitlement, Lending
from engine.rulings import Finding, Rule

_NEEDED = "somebody among the approvers who lends their place"
_FORMAT = "%Y-%m-%d %H:%M UTC"
_MOST_TOLD = 3  # delegations that do not help, in one refusal


@dataclass(frozen=True, slots=True)
class Ground:
    """On what ground somebody may decide, or may not."""

    findings: tuple[Finding, ...]
    lender: Lending | None = None  # None: on their own

    @property
    def suffices(self) -> bool:
        """Whether every rule about the person holds."""
        return all(finding.passed for finding in self.findings)


def ground(
    candidate: Candidate, own: Sequence[Finding], judge: Callable[[Candidate], Sequence[Finding]]
) -> Ground:
    """The candidate's own authority, or else what one of their delegations lends them.

    `own` is what the rules find of the candidate; `judge` applies the same rules to somebody
    who lends. What is lent to a lender is not asked: a delegation is no link of a chain.
    """
    lacking = {finding.rule for finding in own if not finding.passed}
    if Rule.APPROVERS not in lacking:
        return Ground(tuple(own))
    tried = [(lending, lent(lending, judge)) for lending in candidate.lent]
    if lacking == {Rule.APPROVERS}:
        for lending, finding in tried:
            if finding.passed:
                return Ground(_in_place(candidate, lending, own, finding), lending)
    failed = [finding for _, finding in tried if not finding.passed]
    return Ground((*own, *failed[:_MOST_TOLD]))


def lent(lending: Lending, judge: Callable[[Candidate], Sequence[Finding]]) -> Finding:
    """Whether this delegation lends a place here and now."""
    why = _obstacle(lending, judge)
    found = f"{lending.name}'s, until {lending.delegation.ends_at:{_FORMAT}}"
    return Finding(Rule.DELEGATION, why is None, _NEEDED, why or found)


def again(lendings: Iterable[Lending], judge: Callable[[Candidate], Sequence[Finding]]) -> Finding:
    """Whether any of these delegations of one person lends a place still."""
    found = [lent(lending, judge) for lending in lendings]
    gone = Finding(Rule.DELEGATION, False, _NEEDED, "the delegation is gone")
    return next((finding for finding in found if finding.passed), found[0] if found else gone)


def lesser(candidate: Candidate, lending: Lending | None) -> Entitlement | None:
    """The role that counts: a delegate acts with the lower of both."""
    if lending is None or lending.delegator is None:
        return candidate.entitlement
    own, theirs = candidate.entitlement, lending.delegator.entitlement
    if own is None or theirs is None:
        return None
    return own if own.role <= theirs.role else theirs


def _obstacle(lending: Lending, judge: Callable[[Candidate], Sequence[Finding]]) -> str | None:
    delegation, name = lending.delegation, lending.name
    if delegation.over_at <= lending.at:
        return f"{name}'s delegation ended on {delegation.over_at:{_FORMAT}}"
    if lending.at < delegation.starts_at:
        return f"{name}'s delegation begins on {delegation.starts_at:{_FORMAT}}"
    if lending.delegator is None:
        return f"{name}, who delegated, could not be looked up from here"
    lacking = [finding.rule for finding in judge(lending.delegator) if not finding.passed]
    return f"{name} may not decide it either: {', '.join(lacking)}" if lacking else None


def _in_place(
    candidate: Candidate, lending: Lending, own: Sequence[Finding], finding: Finding
) -> tuple[Finding, ...]:
    """The findings of a delegate: the place is the lender's, the role the lower of both."""
    held = lesser(candidate, lending)
    told = []
    for one in own:
        match one.rule:
            case Rule.APPROVERS:
                told += [Finding(one.rule, True, one.needed, _account(lending)), finding]
            case Rule.ROLE if held is not None:
                found = f"{held.role.label} ({held.source}), the lower of both"
                told.append(Finding(one.rule, True, one.needed, found))
            case _:
                told.append(one)
    return tuple(told)


def _account(lending: Lending) -> str:
    return "" if lending.delegator is None else str(lending.delegator.caller.identity)
