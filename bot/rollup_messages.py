"""The one message that says how many cards wait for their turn in a channel. Pure."""

from datetime import datetime

from bot import lists
from bot.blocks import context, header, section
from bot.cards import Message
from bot.literal import Block, escaped, plain
from bot.times import utc
from bot.tokens import SHOW_MINE, ListKind, ListState
from engine import Crowd

MOST_ROWS = 12
"""How many requests it names; fewer waiting cards are not worth a message."""

_MOST_TEXT = 3_000


def rollup(crowd: Crowd, now: datetime) -> Message:
    """How many wait, and the most urgent with a Review button each; or that all are posted."""
    if not crowd.waiting:
        return _over(crowd)
    title = f"{_requests(crowd.waiting)} here"
    said = (
        "Slack takes about one new message a second in a channel; the cards follow as it "
        "allows. Nothing is lost, and every request can be decided now."
    )
    blocks: list[Block] = [header(title), section(said), lists.as_of(now)]
    for checkpoint in crowd.urgent:
        blocks += lists.row(checkpoint, now)
    more = crowd.waiting - len(crowd.urgent)
    if more > 0:
        blocks.append(context((f"and {more} more, with later deadlines",)))
    blocks.append({"type": "actions", "elements": [_show_mine()]})
    return Message(escaped(f"{title}, as of {utc(now)}. {said}", _MOST_TEXT), tuple(blocks))


def _over(crowd: Crowd) -> Message:
    most = max(crowd.backlog.most, crowd.waiting)
    title = "All cards are posted"
    said = f"Up to {most} waited for their turn here at once. None waits any more."
    return Message(escaped(f"{title}. {said}", _MOST_TEXT), (section(f"{title}. {said}"),))


def _requests(count: int) -> str:
    return "1 request waits" if count == 1 else f"{count} requests wait"


def _show_mine() -> Block:
    return {
        "type": "button",
        "action_id": SHOW_MINE,
        "text": plain("What waits for me", 75),
        "value": str(ListState(kind=ListKind.MINE)),
    }
