"""What Slack's answers say of a card: it stands, it is gone, or nobody can reach it."""

from bot.slack import Channel, SlackRefused
from engine import Gone, Unreachable

# Not there any more, or of an app we are not any more: never to be drawn again.
_GONE = frozenset({"message_not_found", "cant_update_message", "thread_not_found"})


def verdict_of(error: SlackRefused) -> Gone | Unreachable:
    """What it means for a card that Slack refused to show or redraw it."""
    return Gone(error.code) if error.code in _GONE else Unreachable(str(error))


def obstacle_in(channel: Channel | None) -> str | None:
    """Why nobody can use a card in this channel; None when they can."""
    if channel is None:
        return "channel_not_found: the channel was deleted, or the bot was removed from it"
    if channel.is_archived:
        return "is_archived: the channel of the card was archived"
    if not channel.has_us:
        return "not_in_channel: the bot was removed from the channel of the card"
    return None
