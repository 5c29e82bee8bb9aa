"""Attempts that were not counted: written down, and flood-limited."""

from dataclasses import dataclass

from engine.events import DecisionRefused, UnknownRequested
from engine.identity import Caller, Candidate, PersonId, Role
from engine.model import Checkpoint
from engine.people import resolve
from engine.policy import Finding, Refused, Rule, holds
from engine.store import checkpoints, people, trail
from engine.store.writer import Tx

_MOST_WHAT = 200  # characters


@dataclass(frozen=True, slots=True)
class Missing:
    """No checkpoint has this id. Nothing changed but the trail."""

    checkpoint_id: str


def note_unknown(tx: Tx, caller: Caller, what: str) -> None:
    """Somebody sent a button, form or command that names nothing real."""
    person_id = _person(tx, caller)
    unwritten = trail.suppressed(tx, person_id, "unknown")
    if unwritten is None:
        return
    trail.append(
        tx,
        UnknownRequested(
            person=person_id,
            surface=caller.surface,
            suppressed_before=unwritten,
        ),
        # `what` may be anything somebody typed, so it belongs to what can be erased.
        trail.about(person_id, caller, what=what[:_MOST_WHAT]),
    )


def note_unverified(tx: Tx, checkpoint_id: str, caller: Caller, choice: str, why: str) -> None:
    """Somebody answered whom the surface could not look up: nothing was counted."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        note_unknown(tx, caller, f"checkpoint {checkpoint_id}")
        return
    trace = (Finding(Rule.LOOK_UP, False, "an answer from the surface", why),)
    candidate = Candidate(person_id=_person(tx, caller), caller=caller, entitlement=None)
    note_refusal(tx, checkpoint, candidate, choice, Refused(trace))


def note_unseen(tx: Tx, checkpoint_id: str, caller: Caller) -> None:
    """Somebody wanted to look at what does not exist, or at what a tenant keeps to itself."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        note_unknown(tx, caller, f"checkpoint {checkpoint_id}")
        return
    candidate = resolve(tx, caller, checkpoint.tenant)
    held = holds(candidate, Role.VIEWER, checkpoint.tenant)
    if not held.passed:
        note_refusal(tx, checkpoint, candidate, "look", Refused((held,)))


def missing(tx: Tx, caller: Caller, checkpoint_id: str) -> Missing:
    """Write down that somebody named a checkpoint that does not exist."""
    note_unknown(tx, caller, f"checkpoint {checkpoint_id}")
    return Missing(checkpoint_id)


def note_refusal(
    tx: Tx, checkpoint: Checkpoint, candidate: Candidate, choice: str, refused: Refused
) -> None:
    """Write down a refusal, unless an equal one was written within the last minute."""
    rules = tuple(finding.rule for finding in refused.reasons)
    same = f"{checkpoint.id}:{choice}:{','.join(rules)}"
    unwritten = trail.suppressed(tx, candidate.person_id, same)
    if unwritten is None:
        return
    trail.append(
        tx,
        DecisionRefused(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            choice=choice,
            person=candidate.person_id,
            surface=candidate.caller.surface,
            rules=rules,
            suppressed_before=unwritten,
        ),
        trail.about(
            candidate.person_id,
            candidate.caller,
            trace=[finding.as_json() for finding in refused.trace],
        ),
    )


def _person(tx: Tx, caller: Caller) -> PersonId:
    """The person of an account, without believing the name it came with."""
    known = people.person_of(tx, caller.identity)
    return known or people.ensure_person(tx, caller.identity, caller.name)
