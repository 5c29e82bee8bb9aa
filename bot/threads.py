"""A word in the thread of a card."""

from datetime import timedelta

from bot.cards import Message
from bot.slack import Slack
from engine import CheckpointView, Delivered, Moot, Outcome, Posting, PostingState, RetryLater

HELD_RETRY = timedelta(minutes=2)
"""How long until the next try, where somebody must invite us or fix the configuration first."""


async def reply(
    slack: Slack, view: CheckpointView, message: Message, *, broadcast: bool = False
) -> Outcome:
    """Say it in the thread of the card; `broadcast` shows it in the channel, too."""
    if not view.postings:
        return Moot()  # it has ended, and every copy was deleted by hand
    root = root_of(view)
    if root is None:
        return no_thread(view)
    await slack.post(
        root.place, message.text, message.blocks, thread=root.handle, broadcast=broadcast
    )
    return Delivered()


def root_of(view: CheckpointView) -> Posting | None:
    """The copy whose thread is used: the first that can be reached, else the first that stands."""
    standing = [posting for posting in view.postings if posting.handle is not None]
    reachable = (posting for posting in standing if posting.state is PostingState.POSTED)
    return next(reachable, standing[0] if standing else None)


def no_thread(view: CheckpointView) -> RetryLater:
    """The card is not posted yet, and why."""
    why = next((p.error for p in view.postings if p.error), "it is not posted yet")
    return RetryLater(f"the card has no thread: {why}", after=_patience(view))


def _patience(view: CheckpointView) -> timedelta | None:
    """How long a reply waits for its card; None leaves it to the outbox to back off."""
    return HELD_RETRY if any(posting.error for posting in view.postings) else None
