"""Sentences about a checkpoint that goes on waiting: who else was asked, whether anybody could."""

from bot.literal import cut, one_line
from engine import (
    Checkpoint,
    Escalation,
    OnExpire,
    PrincipalKind,
    action_on_expiry,
    is_extendable,
    targets_of,
)

_MOST_NAME = 80


def escalated(checkpoint: Checkpoint) -> tuple[str, ...]:
    """`escalated to #incidents, everybody who is Admin and 1 person`; nothing before it was."""
    escalation = checkpoint.policy.escalate
    if checkpoint.escalated_at is None or escalation is None:
        return ()
    return (f"escalated to {asked_besides(escalation)}",)


def asked_besides(escalation: Escalation) -> str:
    """Whom an escalation asks, nobody mentioned."""
    targets = targets_of(escalation)
    groups = sum(1 for p in targets.principals if p.kind is PrincipalKind.SLACK_GROUP)
    persons = len(targets.principals) - groups
    parts = [
        *(cut(one_line(channel), _MOST_NAME) for channel in targets.channels),
        *(f"everybody who is {role.label}" for role in targets.roles),
        *([_number(groups, "group", "groups")] if groups else []),
        *([_number(persons, "person", "people")] if persons else []),
    ]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _number(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def shortfall(checkpoint: Checkpoint) -> tuple[str, ...]:
    """That too few people could decide; nothing while enough might, or once it ended."""
    could = checkpoint.could_decide
    if could is None or not checkpoint.is_open:
        return ()
    needed = checkpoint.policy.quorum
    if could == 0:
        return ("⚠️ Nobody can approve this as roles and accounts are now",)
    return (f"⚠️ Only {could} of the {needed} people it needs can approve this now",)


def untold(checkpoint: Checkpoint) -> tuple[str, ...]:
    """That so many people would have been called that nobody was; nothing once it ended."""
    if checkpoint.untold is None or not checkpoint.is_open:
        return ()
    number = checkpoint.untold
    return (f"Nobody was sent a direct message: it would have gone to {number} people at once",)


WHAT_HELPS = "Somebody must be given the role, or be named as approver by the DAG."
"""What to do about a shortfall."""


def what_then(checkpoint: Checkpoint) -> str:
    """What the deadline that comes next does."""
    if is_extendable(checkpoint):
        return "Then more people are asked."
    if checkpoint.elsewhere is not None:
        return "Then nothing behind it runs."
    path = action_on_expiry(checkpoint.policy) is OnExpire.REJECT
    return "Then the run takes its reject path." if path else "Then the run fails."
