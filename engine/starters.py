"""Whether somebody is the one who started the run, and whether that can be told. Pure."""

from engine.entitlement import names
from engine.identity import (
    Caller,
    Candidate,
    Identity,
    IdentityKind,
    Principal,
    PrincipalKind,
    Standing,
    Surface,
)
from engine.model import Checkpoint
from engine.rulings import Finding, Rule

Kinds = frozenset[tuple[IdentityKind, str]]

_PRINCIPALS = {
    IdentityKind.SLACK: PrincipalKind.SLACK_USER,
    IdentityKind.OS: PrincipalKind.OS_USER,
    IdentityKind.EMAIL: PrincipalKind.EMAIL,
}


def self_approval(checkpoint: Checkpoint, candidate: Candidate) -> Finding:
    """Whoever started the run does not decide it, by whichever of their accounts."""
    is_requester = started(checkpoint, candidate)
    passed = checkpoint.policy.self_approval or not is_requester
    needed = "anyone" if checkpoint.policy.self_approval else "not the one who started the run"
    return Finding(
        Rule.SELF_APPROVAL, passed, needed, "the requester" if is_requester else "another person"
    )


def started(checkpoint: Checkpoint, candidate: Candidate) -> bool:
    """Whether this person is known to have started the run, by whichever of their accounts."""
    return candidate.is_person(checkpoint.requester) or any(
        names(principal, candidate.caller)
        or any(_may_mean(principal, account) for account in candidate.accounts)
        for principal in _started_by(checkpoint)
    )


def _may_mean(principal: Principal, account: Identity) -> bool:
    """Whether a principal can be this account. "Here" may be any realm: in doubt it is."""
    return (
        _PRINCIPALS.get(account.kind) is principal.kind
        and principal.subject == account.subject
        and principal.realm in ("", account.realm)
    )


def _started_by(checkpoint: Checkpoint) -> tuple[Principal, ...]:
    return () if checkpoint.elsewhere is None else checkpoint.elsewhere.started_by


def known_person(checkpoint: Checkpoint, candidate: Candidate, requester: Kinds) -> Finding:
    """Two accounts of different kinds may be one human; then we cannot tell.

    On Slack that stops nobody whose run is one of ours. On another engine it does: there, who
    started a run is an account that Slack knows nothing of.
    """
    comparable = (
        checkpoint.policy.self_approval
        or _is_nobody(requester)
        or candidate.is_person(checkpoint.requester)
        or bool(candidate.kinds & requester)
        or _can_be_told_apart(checkpoint, candidate.caller)
    )
    return Finding(
        Rule.KNOWN_PERSON,
        comparable,
        "an account of a kind the requester has too, so that the two can be told apart",
        "comparable" if comparable else "the requester is known by another kind of account",
    )


def _can_be_told_apart(checkpoint: Checkpoint, caller: Caller) -> bool:
    if checkpoint.elsewhere is None:
        return caller.surface is not Surface.CLI
    kinds = {principal.kind for principal in checkpoint.elsewhere.started_by}
    is_member = caller.standing is Standing.MEMBER and caller.at_home
    by_email = PrincipalKind.EMAIL in kinds and caller.email is not None and is_member
    return by_email or _PRINCIPALS.get(caller.identity.kind) in kinds


def _is_nobody(requester: Kinds) -> bool:
    """Whether a schedule started the run: no human, so nobody can be the same one."""
    return bool(requester) and all(kind is IdentityKind.SCHEDULE for kind, _ in requester)
