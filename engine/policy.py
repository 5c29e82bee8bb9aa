"""Who may decide: facts in, a ruling out. Nothing is fetched here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from engine.entitlement import names
from engine.identity import (
    Caller,
    Candidate,
    Entitlement,
    IdentityKind,
    PersonId,
    Principal,
    PrincipalKind,
    Role,
    Standing,
    Surface,
)
from engine.inputs import parse_inputs
from engine.json_values import is_storable
from engine.model import Checkpoint, CheckpointState, Choice, Policy, ReasonRule
from engine.rulings import Accepted, Answer, Finding, Refused, Rule, Ruling, Settled, Vote, agree

__all__ = [
    "LOWEST_DECIDING_ROLE",
    "REASON_LIMIT",
    "Accepted",
    "Answer",
    "Finding",
    "Kinds",
    "Refused",
    "Rule",
    "Ruling",
    "Settled",
    "Vote",
    "admission",
    "alike",
    "asking",
    "authority",
    "early_end",
    "end_of",
    "entitled",
    "holds",
    "keepable",
    "minding",
    "operating",
    "rule",
    "started",
]

REASON_LIMIT = 3000  # characters; also what a Slack text input accepts at most

# Viewers decide nothing, whatever a checkpoint asks for.
LOWEST_DECIDING_ROLE = Role.OPERATOR

Kinds = frozenset[tuple[IdentityKind, str]]


def rule(
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    answer: Answer,
    requester_kinds: Kinds,
) -> Ruling:
    """Judge one answer.

    `checkpoint` must already be expired if its deadline has passed, `votes` holds
    the latest vote of every other person. Votes count together when they say the same,
    also in the form. `requester_kinds` are the kinds of account the requester is known by.
    """
    trace = admission(checkpoint, candidate, answer.request_digest, requester_kinds)
    trace.append(_reason(checkpoint.policy, answer))
    # A form belongs to approving: nobody fills one in to say no.
    wanted = checkpoint.policy.inputs if answer.choice is Choice.APPROVE else ()
    parsed = parse_inputs(wanted, answer.inputs if wanted else {})
    trace.append(_inputs(parsed.errors))
    if not all(finding.passed for finding in trace):
        return Refused(tuple(trace), field_errors=parsed.errors)
    return _count(
        checkpoint, votes, candidate, requester_kinds, answer.choice, parsed.values, trace
    )


def admission(
    checkpoint: Checkpoint, candidate: Candidate, request_digest: str, requester_kinds: Kinds
) -> list[Finding]:
    """What must hold before a person is even asked for a reason."""
    return [
        _open(checkpoint),
        _digest(checkpoint, request_digest),
        *authority(checkpoint, candidate, requester_kinds),
    ]


def authority(
    checkpoint: Checkpoint, candidate: Candidate, requester_kinds: Kinds
) -> list[Finding]:
    """The rules about the person alone: what `mine` and a re-checked vote ask."""
    return [
        _standing(candidate),
        _role(checkpoint, candidate),
        _approvers(checkpoint.policy, candidate.caller),
        *_assigned(checkpoint, candidate.caller),
        _self_approval(checkpoint, candidate),
        _known_person(checkpoint, candidate, requester_kinds),
    ]


def entitled(checkpoint: Checkpoint, candidate: Candidate, requester_kinds: Kinds) -> bool:
    """Whether this person could decide this checkpoint now."""
    return all(f.passed for f in authority(checkpoint, candidate, requester_kinds))


def early_end(checkpoint: Checkpoint, candidate: Candidate) -> list[Finding]:
    """What must hold for ending a checkpoint before its deadline, which approves nothing."""
    return [
        _open(checkpoint),
        _standing(candidate),
        # Its end may send the run down the reject path: that takes whoever may reject.
        holds(
            candidate,
            max(checkpoint.policy.required_role, LOWEST_DECIDING_ROLE),
            checkpoint.tenant,
        ),
    ]


def asking(checkpoint: Checkpoint, candidate: Candidate) -> list[Finding]:
    """Who may ask again: whoever started the run, and Operators."""
    return minding(candidate, checkpoint.tenant, checkpoint.requester)


def minding(candidate: Candidate, tenant: str, requester: PersonId) -> list[Finding]:
    """Who may end a run or ask in it again: whoever started it, and Operators."""
    standing, operator = operating(candidate, tenant)
    if candidate.person_id == requester:
        operator = replace(operator, passed=True)
    return [standing, operator]


def operating(candidate: Candidate, tenant: str) -> list[Finding]:
    """Who may steer runs: Operators."""
    return [_standing(candidate), holds(candidate, LOWEST_DECIDING_ROLE, tenant)]


def holds(candidate: Candidate, needed: Role, tenant: str) -> Finding:
    """The role rule: whether the candidate, resolved in this tenant, holds at least this role."""
    held = candidate.entitlement
    return Finding(
        Rule.ROLE,
        held is not None and held.role >= needed,
        f"{needed.label} in {tenant}",
        "no role" if held is None else _found(held, candidate.caller),
    )


def _found(held: Entitlement, caller: Caller) -> str:
    """`Operator (signoff.toml: S0RELEASE, as of 12 s ago)`."""
    return f"{held.role.label} ({held.source}{caller.age_of(held.principal)})"


def _count(
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    requester_kinds: Kinds,
    choice: Choice,
    inputs: Mapping[str, Any],
    trace: Sequence[Finding],
) -> Ruling:
    counted, others = alike(checkpoint, votes, candidate, requester_kinds, choice, inputs)
    needed = checkpoint.policy.needed(choice)
    apart = f" ({len(others)} filled in something else)" if others else ""
    found = f"{len(counted)}{apart}"
    full = (*trace, Finding(Rule.QUORUM, True, f"{needed} to {choice}", found))
    if len(counted) < needed:
        return Accepted(full, inputs, have=len(counted), needed=needed)
    return Settled(full, inputs, state=end_of(choice), counted=counted)


def alike(
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    requester_kinds: Kinds,
    choice: Choice,
    inputs: Mapping[str, Any],
) -> tuple[tuple[PersonId, ...], frozenset[PersonId]]:
    """Who says the same and counts, the candidate last; and who chose so with another form."""
    standing = [
        vote
        for vote in votes
        if vote.choice is choice
        and vote.person_id != candidate.person_id
        and vote.voter is not None
        and entitled(checkpoint, vote.voter, requester_kinds)
    ]
    agreeing = {vote.person_id for vote in standing if agree(vote.inputs, inputs)}
    others = frozenset(vote.person_id for vote in standing) - agreeing
    return (*sorted(agreeing), candidate.person_id), others


def end_of(choice: Choice) -> CheckpointState:
    """How a checkpoint ends that was decided so."""
    match choice:
        case Choice.APPROVE:
            return CheckpointState.APPROVED
        case Choice.REJECT:
            return CheckpointState.REJECTED
        case _:
            assert_never(choice)


def _open(checkpoint: Checkpoint) -> Finding:
    return Finding(Rule.OPEN, checkpoint.is_open, "pending", checkpoint.state)


def _digest(checkpoint: Checkpoint, seen: str) -> Finding:
    same = seen == checkpoint.request_digest
    return Finding(Rule.DIGEST, same, checkpoint.request_digest, seen)


def _standing(candidate: Candidate) -> Finding:
    standing = candidate.caller.standing
    by_id = candidate.entitlement is not None and candidate.entitlement.by_id
    match standing:
        case Standing.MEMBER:
            passed = True
        case Standing.DEACTIVATED:
            # Even a grant by id ends with the account: a vote must not outlive it.
            passed = False
        case Standing.GUEST | Standing.EXTERNAL | Standing.BOT:
            passed = by_id
        case _:
            assert_never(standing)
    return Finding(Rule.STANDING, passed, "a full member, or a grant by id", standing)


def _role(checkpoint: Checkpoint, candidate: Candidate) -> Finding:
    needed = max(checkpoint.policy.required_role, LOWEST_DECIDING_ROLE)
    return holds(candidate, needed, checkpoint.tenant)


def _approvers(policy: Policy, caller: Caller) -> Finding:
    named = next((p for p in policy.approvers if names(p, caller)), None)
    passed = not policy.approvers or named is not None
    needed = ", ".join(str(principal) for principal in policy.approvers) or "anyone with the role"
    through = f" through {named}{age}" if (age := caller.age_of(named)) else ""
    return Finding(Rule.APPROVERS, passed, needed, f"{caller.identity}{through}")


def _assigned(checkpoint: Checkpoint, caller: Caller) -> tuple[Finding, ...]:
    """On another engine: the gate may be for some of its users only."""
    there = checkpoint.elsewhere
    if there is None or there.assigned is None:
        return ()
    passed = any(names(principal, caller) for principal in there.assigned)
    needed = ", ".join(map(str, there.assigned)) or "an account that nobody here is known by"
    return (Finding(Rule.ASSIGNED, passed, needed, str(caller.identity)),)


def _self_approval(checkpoint: Checkpoint, candidate: Candidate) -> Finding:
    started_it = started(checkpoint, candidate)
    passed = checkpoint.policy.self_approval or not started_it
    needed = "anyone" if checkpoint.policy.self_approval else "not the one who started the run"
    return Finding(
        Rule.SELF_APPROVAL, passed, needed, "the requester" if started_it else "another person"
    )


def started(checkpoint: Checkpoint, candidate: Candidate) -> bool:
    """Whether this person is known to have started the run."""
    return candidate.person_id == checkpoint.requester or any(
        names(principal, candidate.caller) for principal in _started_by(checkpoint)
    )


def _started_by(checkpoint: Checkpoint) -> tuple[Principal, ...]:
    return () if checkpoint.elsewhere is None else checkpoint.elsewhere.started_by


def _known_person(checkpoint: Checkpoint, candidate: Candidate, requester: Kinds) -> Finding:
    """Two accounts of different kinds may be one human; then we cannot tell.

    On Slack that stops nobody whose run is one of ours. On another engine it does: there, who
    started a run is an account that Slack knows nothing of.
    """
    comparable = (
        checkpoint.policy.self_approval
        or _is_nobody(requester)
        or candidate.person_id == checkpoint.requester
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


_PRINCIPALS = {
    IdentityKind.SLACK: PrincipalKind.SLACK_USER,
    IdentityKind.OS: PrincipalKind.OS_USER,
}


def _is_nobody(requester: Kinds) -> bool:
    """Whether a schedule started the run: no human, so nobody can be the same one."""
    return bool(requester) and all(kind is IdentityKind.SCHEDULE for kind, _ in requester)


def _reason(policy: Policy, answer: Answer) -> Finding:
    kept = keepable(answer.reason)
    if not kept.passed:
        return kept
    wanted = policy.reason_rule(answer.choice)
    missing = wanted is ReasonRule.REQUIRED and not answer.reason.strip()
    found = "none" if missing else f"{len(answer.reason)} characters"
    return Finding(Rule.REASON, not missing, wanted, found)


def keepable(reason: str) -> Finding:
    """Whether a reason can be recorded, wanted or not: it is text, and not too long."""
    if not is_storable(reason):
        return Finding(Rule.REASON, False, "plain text", "a NUL or half a character")
    most, length = f"at most {REASON_LIMIT:,} characters", f"{len(reason):,} characters"
    return Finding(Rule.REASON, len(reason) <= REASON_LIMIT, most, length)


def _inputs(errors: Mapping[str, str]) -> Finding:
    found = "; ".join(f"{name} {sentence}" for name, sentence in errors.items()) or "valid"
    return Finding(Rule.INPUTS, not errors, "every field valid", found)
