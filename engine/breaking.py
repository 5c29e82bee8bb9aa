"""Breaking the glass: deciding over the rules, in the open. One function, one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine import glass
from engine.attempts import Missing, missing, note_refusal
from engine.decisions import Decided, decision_of, output_of, standing_votes
from engine.ending import end_checkpoint, expired_if_due
from engine.events import GlassBroken
from engine.identity import Caller, Candidate, PersonId
from engine.lenders import with_lent
from engine.model import Cause, Checkpoint
from engine.people import LocalMode, known, requester_kinds, resolve
from engine.policy import Answer, Refused
from engine.reviewing import ask_for_notice
from engine.rulings import Overruled
from engine.store import checkpoints, people, reviews, trail
from engine.store.writer import Tx

_ATTEMPT = "break_glass"  # how a refusal of it is recorded


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """The checkpoint as it ended, and the ruling that ended it. Its review is open."""

    checkpoint: Checkpoint
    ruling: Overruled


def break_glass(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    answer: Answer,
    voters: Sequence[Caller] = (),
    local: LocalMode | None = None,
) -> BrokenGlass | Decided | Missing:
    """End a checkpoint at an Admin's word, over the rules about who decides and how many.

    `voters` are as for `decide`: by them it is found whether an ordinary answer would do. The
    channel is told at once, and a review stays open until another person has signed it.
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
    ruling = glass.overrule(checkpoint, votes, candidate, answer, kinds)
    if isinstance(ruling, Refused):
        note_refusal(tx, checkpoint, candidate, _ATTEMPT, ruling)
        return Decided(checkpoint, ruling)
    _record(tx, checkpoint, candidate, answer, ruling)
    output = output_of(answer, ruling, candidate)
    ended = end_checkpoint(tx, checkpoint, ruling.state, Cause.BREAK_GLASS, output)
    overridden = [finding.rule for finding in ruling.overridden]
    reviews.open_one(tx, ended.id, candidate.person_id, overridden)
    ask_for_notice(tx, ended.id)
    return BrokenGlass(ended, ruling)


def admit_breaking(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    request_digest: str,
    local: LocalMode | None = None,
) -> Decided | Missing | Checkpoint:
    """Whether this caller may be shown the form to break the glass; a refusal is audited."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return missing(tx, caller, checkpoint_id)
    checkpoint = expired_if_due(tx, checkpoint)
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    kinds = requester_kinds(tx, checkpoint)
    trace = glass.breaking(checkpoint, candidate, request_digest, kinds)
    if all(finding.passed for finding in trace):
        return checkpoint
    refused = Refused(tuple(trace))
    note_refusal(tx, checkpoint, candidate, _ATTEMPT, refused)
    return Decided(checkpoint, refused)


def may_break_glass(tx: Tx, checkpoint_id: str, caller: Caller) -> bool:
    """Whether this caller is offered to break the glass. Writes nothing."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None or tx.now >= checkpoint.expires_at:
        return False
    # Whoever was never seen before has started nothing and decided nothing yet.
    person_id = people.person_of(tx, caller.identity) or PersonId("")
    candidate = known(tx, caller, person_id, checkpoint.tenant)
    kinds = requester_kinds(tx, checkpoint)
    trace = glass.breaking(checkpoint, candidate, checkpoint.request_digest, kinds)
    return all(finding.passed for finding in trace)


def _record(
    tx: Tx, checkpoint: Checkpoint, candidate: Candidate, answer: Answer, ruling: Overruled
) -> None:
    decision = decision_of(tx, checkpoint, candidate, answer, ruling)
    checkpoints.add_decision(tx, decision, ruling.trace)
    trail.append(
        tx,
        GlassBroken(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            choice=decision.choice,
            person=decision.person_id,
            role=decision.role.label,
            surface=decision.surface,
            request_digest=decision.request_digest,
            overridden=tuple(finding.rule for finding in ruling.overridden),
        ),
        trail.about(
            candidate.person_id,
            candidate.caller,
            reason=answer.reason,
            role_source=decision.role_source,
            trace=[finding.as_json() for finding in ruling.trace],
        ),
    )
