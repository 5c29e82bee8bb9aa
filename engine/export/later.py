"""Keys of a checkpoint about later, and about Slack alone: what another engine makes of them."""

from collections.abc import Iterator

from engine.dag import Gate
from engine.model import Confirm, OnExpire, Policy


def cannot(policy: Policy) -> Iterator[tuple[str, str]]:
    """Find each key without which other people would decide, and what the engine does not do."""
    if policy.auto:
        yield "auto", "knows no rules that approve, or ask for more, without people"
    if policy.on_expire is OnExpire.ESCALATE:
        yield "on_expire", "asks nobody else when the time is up: say fail or reject"


def left_out(gate: Gate) -> Iterator[tuple[str, str]]:
    """Find each key that is left out without weakening the checkpoint, and what is not done."""
    policy = gate.policy
    if gate.channel is not None:
        yield "channel", "posts no cards"
    if policy.confirm is Confirm.DIALOG:
        yield "confirm", "asks in its own form"
    if policy.notify:
        yield "notify", "mentions nobody"
    if policy.remind:
        yield "remind", "reminds nobody"
    if policy.escalate is not None:
        yield "escalate", "asks nobody else"
