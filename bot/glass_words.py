"""The words for a glass that was broken: its mark, and which rules were overridden."""

from collections.abc import Iterable

from engine import Cause, Checkpoint, CheckpointState, Rule

MARK = "🔨"

_ENDS = {CheckpointState.APPROVED: "Approved", CheckpointState.REJECTED: "Rejected"}
_RULES = {
    Rule.APPROVERS: "its list of approvers",
    Rule.ASSIGNED: "whom its engine lets answer",
    Rule.SELF_APPROVAL: "that whoever started the run may not decide",
    Rule.KNOWN_PERSON: "that it must be known whether they started the run",
    Rule.QUORUM: "how many people must agree",
}


def state_word(checkpoint: Checkpoint) -> str | None:
    """`🔨 Approved by break-glass`; None where nobody broke the glass."""
    if checkpoint.cause is not Cause.BREAK_GLASS:
        return None
    return f"{MARK} {_ENDS[checkpoint.state]} by break-glass"


def title(checkpoint: Checkpoint) -> str | None:
    """The same where there is little room: `🔨 Approved`."""
    if checkpoint.cause is not Cause.BREAK_GLASS:
        return None
    return f"{MARK} {_ENDS[checkpoint.state]}"


def overrode(rules: Iterable[Rule]) -> str:
    """`overrode how many people must agree, its list of approvers`."""
    return f"overrode {', '.join(_RULES.get(rule, rule.value) for rule in rules)}"
