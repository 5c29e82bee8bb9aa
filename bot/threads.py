"""A word in the thread of a card."""

from datetime import timedelta

from bot.cards import Message
from bot.slack import Slack
from engine import CheckpointView, Delivered, Outcome, RetryLater

HELD_RETRY = timedelta(minutes=2)
"""How long until the next try, where somebody must invite us or fix the configuration first."""


async def reply(
    slack: Slack, view: CheckpointView, message: Message, *, broadcast: bool = False
) -> Outcome:
    """Say it in the thread of the first copy of the card; `broadcast` shows it in the channel."""
    root = next((p for p in view.postings if p.handle is not None), None)
    if root is None:
        return no_thread(view)
    await slack.post(
        root.place, message.text, message.blocks, thread=root.handle, broadcast=broadcast
    )
    return Delivered()


def no_thread(view: CheckpointView) -> RetryLater:
    """Nothing can be said in the thread of a card that stands nowhere."""
    why = next((p.error for p in view.postings if p.error), "it is not posted yet")
    return RetryLater(f"the card has no thread: {why}", after=_patience(view))


def _patience(view: CheckpointView) -> timedelta | None:
    """How long a reply waits for its card; None leaves it to the outbox to back off."""
    return HELD_RETRY if any(posting.error for posting in view.postings) else None
