"""Approving with one tap: where that is enough, and what Slack's own dialog then asks."""

from bot import wording
from bot.literal import Block, length, one_line, plain, visible
from bot.wording import MASK
from engine import Checkpoint, Confirm, Policy, ReasonRule

_MOST_TITLE = 100
_MOST_TEXT = 300
_MOST_WORD = 30


def dialog(checkpoint: Checkpoint) -> Block | None:
    """The `confirm` of the Approve button; None where Approve must open the form.

    The dialog restates all that is approved, or there is none: nobody says yes to a text
    that was cut.
    """
    title, asked = f"Approve {wording.subject(checkpoint)}?", _restated(checkpoint)
    if length(title) > _MOST_TITLE or length(asked) > _MOST_TEXT:
        return None
    if not _is_enough(checkpoint.policy):
        return None
    return {
        "title": plain(title, _MOST_TITLE),
        "text": plain(asked, _MOST_TEXT),
        "confirm": plain("Approve", _MOST_WORD),
        "deny": plain("Cancel", _MOST_WORD),
        "style": "primary",
    }


def _is_enough(policy: Policy) -> bool:
    asks_more = policy.inputs or policy.quorum > 1 or policy.approve_reason is ReasonRule.REQUIRED
    return policy.confirm is Confirm.DIALOG and not asks_more


def _restated(checkpoint: Checkpoint) -> str:
    facts = [
        f"{one_line(fact.label)}: {MASK if fact.secret else one_line(fact.value)}"
        for fact in checkpoint.facts
    ]
    return "\n".join([visible(checkpoint.prompt).strip() or "(no prompt)", *facts])
