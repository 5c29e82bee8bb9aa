"""The use cases of a checkpoint: one function, one transaction each.

Whatever a checkpoint's end means (the checkpoint, its task, its run, the audit row,
the deliveries) is written here together or not at all. Nothing remote happens inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.attempts import Missing, missing, note_refusal
from engine.ending import end_checkpoint, expired_if_due
from engine.events import DecisionRecorded
from engine.identity import Caller, Candidate, IdentityKind, PersonId, Surface
from engine.lapsing import with_lapses
from engine.lenders import with_lent
from engine.lending import lesser
from engine.model import (
    Cause,
    Checkpoint,
    CheckpointState,
    Choice,
    Decision,
    JsonObject,
)
from engine.people import LocalMode, known, requester_kinds, resolve
from engine.policy import (
    Accepted,
    Answer,
    Refused,
    Ruling,
    Settled,
    Vote,
    admission,
    early_end,
    rule,
)
from engine.rulings import Overruled, agree, lapsed
from engine.store import checkpoints, outbox, postings, trail
from engine.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of an answer: the checkpoint as it stands now, and the ruling."""

    checkpoint: Checkpoint
    ruling: Ruling


def decide(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    answer: Answer,
    voters: Sequence[Caller] = (),
    local: LocalMode | None = None,
) -> Decided | Missing:
    """Record one person's answer, and what follows from it.

    `voters` are earlier voters and whoever delegated to the caller or to them, looked up again
    by the surface: an earlier vote counts only when its voter is among them and is still
    entitled, and a delegation only when whoever made it is.
    """
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return missing(tx, caller, checkpoint_id)
    checkpoint = expired_if_due(tx, checkpoint)
    looked_up = [resolve(tx, voter, checkpoint.tenant, local) for voter in voters]
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    candidate = with_lent(tx, candidate, checkpoint, looked_up, local)
    votes = standing_votes(tx, checkpoint, looked_up, local)
    kinds = requester_kinds(tx, checkpoint)
    ruling = rule(checkpoint, votes, candidate, answer, kinds)
    ruling = with_lapses(ruling, checkpoint, votes, candidate, kinds)
    match ruling:
        case Refused():
            note_refusal(tx, checkpoint, candidate, answer.choice, ruling)
        case Accepted() if _said_before(tx, checkpoint, candidate, answer, ruling):
            pass  # the same click again: it counts once, and is written once
        case Accepted():
            _record(tx, checkpoint, candidate, answer, ruling, ruling.have, ruling.needed)
            checkpoint = replace(checkpoint, version=checkpoint.version + 1)
            checkpoints.save_version(tx, checkpoint)
            postings.want_true(tx, checkpoint.id, checkpoint.version)
        case Settled(state=state, counted=counted):
            needed = checkpoint.policy.needed(answer.choice)
            _record(tx, checkpoint, candidate, answer, ruling, len(counted), needed)
            output = output_of(answer, ruling, candidate)
            checkpoint = end_checkpoint(tx, checkpoint, state, Cause.DECIDED, output)
    return Decided(checkpoint, ruling)


def expire_now(
    tx: Tx, checkpoint_id: str, caller: Caller, local: LocalMode | None = None
) -> Decided | Missing | Checkpoint:
    """End a pending checkpoint before its deadline: an Operator's word, never an approval."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return missing(tx, caller, checkpoint_id)
    checkpoint = expired_if_due(tx, checkpoint)
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    trace = early_end(checkpoint, candidate)
    if not all(finding.passed for finding in trace):
        refused = Refused(tuple(trace))
        note_refusal(tx, checkpoint, candidate, "expire", refused)
        return Decided(checkpoint, refused)
    output = {"decision": "expired", "decided_by": candidate.caller.name, "reason": ""}
    return end_checkpoint(
        tx, checkpoint, CheckpointState.EXPIRED, Cause.FORCED, output, by=candidate
    )


def standing_votes(
    tx: Tx, checkpoint: Checkpoint, looked_up: Sequence[Candidate], local: LocalMode | None
) -> list[Vote]:
    """The latest answer of each person, with whoever gave it as they were looked up again."""
    by_account = {candidate.caller.identity: candidate for candidate in looked_up}
    votes = []
    for decision in checkpoints.latest(checkpoints.decisions(tx, checkpoint.id)):
        voter = by_account.get(decision.identity) or _os_user(tx, checkpoint, decision, local)
        if voter is not None and decision.for_person is not None:
            voter = with_lent(tx, voter, checkpoint, looked_up, local)
        votes.append(
            Vote(decision.person_id, decision.choice, voter, decision.inputs, decision.for_person)
        )
    return votes


def _os_user(
    tx: Tx, checkpoint: Checkpoint, decision: Decision, local: LocalMode | None
) -> Candidate | None:
    """Whoever voted at a terminal: there is nobody to look them up with but the record."""
    if decision.identity.kind is not IdentityKind.OS:
        return None
    voter = Caller(identity=decision.identity, surface=Surface.CLI, name="")
    return known(tx, voter, decision.person_id, checkpoint.tenant, local)


def _said_before(
    tx: Tx, checkpoint: Checkpoint, candidate: Candidate, answer: Answer, ruling: Accepted
) -> bool:
    said = {d.person_id: d for d in checkpoints.decisions(tx, checkpoint.id)}
    last = said.get(candidate.person_id)
    return (
        last is not None
        and (last.choice, last.reason, last.identity)
        == (answer.choice, answer.reason, candidate.caller.identity)
        and last.for_person == _lender(ruling)
        and agree(last.inputs, ruling.inputs)
        and lapsed(ruling.trace) == lapsed(checkpoints.last_trace(tx, checkpoint.id))
    )


def _record(
    tx: Tx,
    checkpoint: Checkpoint,
    candidate: Candidate,
    answer: Answer,
    ruling: Accepted | Settled,
    have: int,
    needed: int,
) -> None:
    decision = decision_of(tx, checkpoint, candidate, answer, ruling)
    number = checkpoints.add_decision(tx, decision, ruling.trace)
    if needed > 1:  # what settles alone is told by the card
        _tell_thread(tx, checkpoint, number)
    trail.append(
        tx,
        DecisionRecorded(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            choice=answer.choice,
            person=candidate.person_id,
            for_person=decision.for_person,
            role=decision.role.label,
            surface=decision.surface,
            request_digest=answer.request_digest,
            have=have,
            needed=needed,
        ),
        trail.about(
            candidate.person_id,
            candidate.caller,
            reason=answer.reason,
            role_source=decision.role_source,
            trace=[finding.as_json() for finding in ruling.trace],
        ),
    )


def _tell_thread(tx: Tx, checkpoint: Checkpoint, number: int) -> None:
    # Its number alone: who said what is read when it is told, for it may be erased by then.
    said, key = {"decision": number}, f"vote:{number}"
    outbox.ask(tx, outbox.DeliveryKind.VOTE, checkpoint.id, key, payload=said)


def decision_of(
    tx: Tx,
    checkpoint: Checkpoint,
    candidate: Candidate,
    answer: Answer,
    ruling: Accepted | Settled | Overruled,
) -> Decision:
    """An answer that was accepted, as it is recorded."""
    held = lesser(candidate, ruling.lender)
    if held is None:
        raise AssertionError("the policy accepted somebody without a role")
    return Decision(
        checkpoint_id=checkpoint.id,
        person_id=candidate.person_id,
        for_person=_lender(ruling),
        choice=answer.choice,
        reason=answer.reason,
        inputs=ruling.inputs,
        surface=candidate.caller.surface,
        identity=candidate.caller.identity,
        role=held.role,
        role_source=held.source,
        request_digest=answer.request_digest,
        decided_at=tx.now,
        broke_glass=isinstance(ruling, Overruled),
    )


def output_of(answer: Answer, ruling: Settled | Overruled, candidate: Candidate) -> JsonObject:
    """What children of the checkpoint are given: its inputs, and who decided what."""
    return {
        **ruling.inputs,
        "decision": ruling.state,
        "decided_by": _called(candidate, ruling),
        "reason": answer.reason,
    }


def _lender(ruling: Accepted | Settled | Overruled) -> PersonId | None:
    return None if ruling.lender is None else ruling.lender.delegation.delegator


def _called(candidate: Candidate, ruling: Settled | Overruled) -> str:
    """`Bob`, or `Bob for Alice`."""
    name = candidate.caller.name
    return name if ruling.lender is None else f"{name} for {ruling.lender.name}"


def admit(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    choice: Choice,
    request_digest: str,
    local: LocalMode | None = None,
    lenders: Sequence[Caller] = (),
) -> Decided | Missing | Checkpoint:
    """Whether this caller may even be shown the form to decide; a refusal is audited.

    `lenders` are those who delegated to the caller, looked up by the surface. The answer
    itself is judged again, in full, by `decide`.
    """
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return missing(tx, caller, checkpoint_id)
    checkpoint = expired_if_due(tx, checkpoint)
    looked_up = [resolve(tx, lender, checkpoint.tenant, local) for lender in lenders]
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    candidate = with_lent(tx, candidate, checkpoint, looked_up, local)
    trace = admission(checkpoint, candidate, request_digest, requester_kinds(tx, checkpoint))
    if all(finding.passed for finding in trace):
        return checkpoint
    refused = Refused(tuple(trace))
    note_refusal(tx, checkpoint, candidate, choice, refused)
    return Decided(checkpoint, refused)
