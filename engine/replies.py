"""What is said to a gate for the end of its checkpoint, and what to make of what is found there.

Pure. Settling a checkpoint and the answer's effect are two things: people settle it here, the
engine that holds the run lets the answer count, or has been answered by somebody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from engine.auto.judging import approving
from engine.gates import Answered, Found, Gone, Reply, Waits
from engine.inputs import parse_inputs
from engine.model import (
    Cause,
    Checkpoint,
    CheckpointState,
    Choice,
    Decision,
    Elsewhere,
    OnExpire,
)

_CHOICE_OF = {
    CheckpointState.APPROVED: Choice.APPROVE,
    CheckpointState.REJECTED: Choice.REJECT,
}


def reply_of(
    checkpoint: Checkpoint, decided: Sequence[Decision], names: Mapping[str, str]
) -> Reply:
    """What an ended checkpoint says to its gate.

    `decided` are the decisions that count, `names` what whoever made them is called. An expiry
    never approves: it says no, or withdraws the gate.
    """
    there = checkpoint.elsewhere
    if there is None or checkpoint.is_open:
        raise AssertionError(f"{checkpoint.id} has nothing to say elsewhere")
    if checkpoint.cause is Cause.AUTO:
        return _of_rule(checkpoint, there)
    choice = _CHOICE_OF.get(checkpoint.state)
    said = [decision for decision in decided if decision.choice is choice]
    # Who broke the glass answers alone: what others said before did not bring it about.
    said = [decision for decision in said if decision.broke_glass] or said
    last = max(said, key=lambda decision: decision.decided_at, default=None)
    by = ", ".join(_called(decision, names) for decision in said)
    if checkpoint.state is CheckpointState.APPROVED:
        if last is None:
            raise AssertionError(f"{checkpoint.id} was approved by nobody")
        values = {name: value for name, value in last.inputs.items() if name != there.choosing}
        return Reply(
            options=_chosen(there, last),
            values=values,
            by=by,
            reason=last.reason,
            checkpoint_id=checkpoint.id,
        )
    return Reply(
        options=_no(checkpoint, there),
        by=by or "nobody, in time",
        reason="" if last is None else last.reason,
        checkpoint_id=checkpoint.id,
        is_no=True,
    )


def _of_rule(checkpoint: Checkpoint, there: Elsewhere) -> Reply:
    """What a rule says that approved it: there is one option that does, and nothing to choose."""
    rule = approving(checkpoint)
    if rule is None:
        raise AssertionError(f"no rule approved {checkpoint.id}")
    return Reply(
        options=there.approving[:1],
        values=parse_inputs(checkpoint.policy.inputs, {}).values,
        by=f"{rule.name}, nobody was asked",
        reason=rule.when,
        checkpoint_id=checkpoint.id,
    )


def _called(decision: Decision, names: Mapping[str, str]) -> str:
    """`Bob`, `Bob for Alice`, or `Ana (break-glass)`."""
    name = names[decision.person_id]
    if decision.broke_glass:
        return f"{name} (break-glass)"
    return name if decision.for_person is None else f"{name} for {names[decision.for_person]}"


def _chosen(there: Elsewhere, decision: Decision) -> tuple[str, ...]:
    if there.choosing is None:
        return there.approving[:1]
    chosen = decision.inputs[there.choosing]
    return (chosen,) if isinstance(chosen, str) else tuple(chosen)


def _no(checkpoint: Checkpoint, there: Elsewhere) -> tuple[str, ...]:
    """The option that says no, where there is one and a no is meant; none withdraws the gate."""
    says_no = checkpoint.state is CheckpointState.REJECTED or (
        checkpoint.state is CheckpointState.EXPIRED
        and checkpoint.policy.on_expire is OnExpire.REJECT
    )
    return (there.rejecting,) if says_no and there.rejecting is not None else ()


@dataclass(frozen=True, slots=True)
class Say:
    """The gate waits: say it now."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """It was said, and nothing has come of it yet; `found` is how it stands there."""

    found: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The engine has let the end take effect."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The end has no effect, now or ever: the gate was answered otherwise, or is gone."""

    found: Answered | Gone


Step = Say | LookAgain | Applied | Lost


def next_step(reply: Reply, found: Found, *, was_sent: bool) -> Step:
    """What to do about an answer, by how its gate stands.

    `was_sent` is whether we ever began to say it: before that no answer can be ours.
    """
    match found:
        case Waits():
            return Say()
        case Answered(is_ours=True, went_on=None) if was_sent:
            return LookAgain(found.found)
        case Answered(is_ours=True, went_on=True) if was_sent:
            return Applied()
        case Gone() if reply.withdraws:
            return Applied()  # nothing behind the gate runs, and that was all we wanted
        case Answered() | Gone():
            return Lost(found)
        case _:
            assert_never(found)
