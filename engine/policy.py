"""Who may decide: facts in, a ruling out. Nothing is fetched here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from engine.entitlement import names
from engine.identity import Caller, Candidate, Entitlement, PersonId, Role, Standing
from engine.inputs import parse_inputs
from engine.lending import Ground, again, ground
from engine.model import Checkpoint, CheckpointState, Choice, Policy
from engine.rulings import Accepted, Answer, Finding, Refused, Rule, Ruling, Settled, Vote, agree
from engine.saying import REASON_LIMIT, inputs_valid, keepable, reason_given
from engine.starters import Kinds, known_person, self_approval
from engine.voices import one_voice_each

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
    "asking",
    "authority",
    "early_end",
    "enabled",
    "end_of",
    "entitled",
    "holds",
    "keepable",
    "minding",
    "on_ground",
    "operating",
    "rule",
    "spare",
    "tally",
    "vote_findings",
]

# Viewers decide nothing, whatever a checkpoint asks for.
LOWEST_DECIDING_ROLE = Role.OPERATOR


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
    candidate = spare(candidate, votes, answer.choice)
    trace = admission(checkpoint, candidate, answer.request_digest, requester_kinds)
    trace.append(reason_given(checkpoint.policy, answer))
    # A form belongs to approving: nobody fills one in to say no.
    wanted = checkpoint.policy.inputs if answer.choice is Choice.APPROVE else ()
    parsed = parse_inputs(wanted, answer.inputs if wanted else {})
    trace.append(inputs_valid(parsed.errors))
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
    """The rules about the person alone, who may act in the place of another."""
    return list(on_ground(checkpoint, candidate, requester_kinds).findings)


def on_ground(checkpoint: Checkpoint, candidate: Candidate, requester_kinds: Kinds) -> Ground:
    """On what ground this person could decide now: on their own, or by a delegation."""
    judge = partial(_own, checkpoint, requester_kinds)
    return ground(candidate, judge(candidate), judge)


def _own(checkpoint: Checkpoint, requester_kinds: Kinds, candidate: Candidate) -> list[Finding]:
    """What the rules find of a person who acts for nobody else."""
    return [
        _standing(candidate),
        enabled(candidate),
        _role(checkpoint, candidate),
        _approvers(checkpoint.policy, candidate.caller),
        *_assigned(checkpoint, candidate.caller),
        self_approval(checkpoint, candidate),
        known_person(checkpoint, candidate, requester_kinds),
    ]


def entitled(checkpoint: Checkpoint, candidate: Candidate, requester_kinds: Kinds) -> bool:
    """Whether this person could decide this checkpoint now."""
    return on_ground(checkpoint, candidate, requester_kinds).suffices


def early_end(checkpoint: Checkpoint, candidate: Candidate) -> list[Finding]:
    """What must hold for ending a checkpoint before its deadline, which approves nothing."""
    return [
        _open(checkpoint),
        _standing(candidate),
        enabled(candidate),
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
    standing, active, operator = operating(candidate, tenant)
    if candidate.is_person(requester):
        operator = replace(operator, passed=True)
    return [standing, active, operator]


def operating(candidate: Candidate, tenant: str) -> list[Finding]:
    """Who may steer runs: Operators."""
    return [
        _standing(candidate),
        enabled(candidate),
        holds(candidate, LOWEST_DECIDING_ROLE, tenant),
    ]


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


def spare(candidate: Candidate, votes: Sequence[Vote], choice: Choice) -> Candidate:
    """A delegate of several acts for one whose voice is not used yet."""
    spoken = {person for vote in votes if vote.choice is choice for person in vote.persons}
    by_use = sorted(candidate.lent, key=lambda lending: lending.delegation.delegator in spoken)
    return replace(candidate, lent=tuple(by_use))


def _count(
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    requester_kinds: Kinds,
    choice: Choice,
    inputs: Mapping[str, Any],
    trace: Sequence[Finding],
) -> Ruling:
    lender = on_ground(checkpoint, candidate, requester_kinds).lender
    counted, found = tally(checkpoint, votes, candidate, requester_kinds, choice, inputs)
    needed = checkpoint.policy.needed(choice)
    full = (*trace, Finding(Rule.QUORUM, True, f"{needed} to {choice}", found))
    if len(counted) < needed:
        return Accepted(full, inputs, have=len(counted), needed=needed, lender=lender)
    return Settled(full, inputs, state=end_of(choice), counted=counted, lender=lender)


def tally(
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    requester_kinds: Kinds,
    choice: Choice,
    inputs: Mapping[str, Any],
) -> tuple[tuple[PersonId, ...], str]:
    """Whose voices count with the candidate's, the candidate last; and how that was counted."""
    lender = on_ground(checkpoint, candidate, requester_kinds).lender
    standing = [
        vote
        for vote in votes
        if vote.choice is choice
        and vote.person_id != candidate.person_id
        and _still_counts(checkpoint, vote, requester_kinds)
    ]
    agreeing = [vote for vote in standing if agree(vote.inputs, inputs)]
    own = {candidate.person_id} | ({lender.delegation.delegator} if lender else set())
    counting = one_voice_each(agreeing, lambda vote: vote.persons, taken=own)
    counted = (*sorted(vote.person_id for vote in counting), candidate.person_id)
    apart, doubled = len(standing) - len(agreeing), len(agreeing) - len(counting)
    return counted, _counted(len(counted), apart, doubled)


def end_of(choice: Choice) -> CheckpointState:
    """How a checkpoint ends that was decided so."""
    match choice:
        case Choice.APPROVE:
            return CheckpointState.APPROVED
        case Choice.REJECT:
            return CheckpointState.REJECTED
        case _:
            assert_never(choice)


def _counted(voices: int, apart: int, doubled: int) -> str:
    notes = [
        *([f"{apart} filled in something else"] if apart else []),
        *([f"{doubled} of a person who counts already"] if doubled else []),
    ]
    return f"{voices} ({', '.join(notes)})" if notes else str(voices)


def vote_findings(checkpoint: Checkpoint, vote: Vote, requester_kinds: Kinds) -> list[Finding]:
    """The rules about whoever voted, asked again on the ground they did it on.

    A delegate's vote needs the delegation it was cast by, and no place on the list. Nothing is
    found where the voter was not looked up again.
    """
    if vote.voter is None:
        return []
    judge = partial(_own, checkpoint, requester_kinds)
    found = judge(vote.voter)
    if vote.for_person is None:
        return found
    same = (one for one in vote.voter.lent if one.delegation.delegator == vote.for_person)
    return [*(one for one in found if one.rule is not Rule.APPROVERS), again(same, judge)]


def _still_counts(checkpoint: Checkpoint, vote: Vote, requester_kinds: Kinds) -> bool:
    found = vote_findings(checkpoint, vote, requester_kinds)
    return bool(found) and all(finding.passed for finding in found)


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


def enabled(candidate: Candidate) -> Finding:
    """The rule that nobody whom an Admin has stopped does anything."""
    stopped = candidate.disabled_at
    found = "active" if stopped is None else f"disabled on {stopped:%Y-%m-%d %H:%M UTC}"
    return Finding(Rule.ENABLED, stopped is None, "not disabled by an Admin", found)


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
