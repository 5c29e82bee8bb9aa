"""What the acts of people have in common: their outcome, and who may do them where."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import Channel, Json, User


class NotPossible(Exception):
    """A person cannot do this: there is no such button, channel, modal or input."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a person sees come of an act; `errors` are a modal's, by block_id."""

    ok: bool
    acked_ms: int = 0
    error: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    response: Json = field(default_factory=dict)

    def json(self) -> Json:
        """Return the outcome as JSON."""
        return asdict(self)


def person(slack: LocalSlack, user_id: str) -> User:
    """Return the user who acts; a deactivated one may, like a click still under way."""
    if user_id not in slack.workspace.users:
        raise NotPossible(f"there is no user {user_id}")
    return slack.workspace.users[user_id]


def channel_of(slack: LocalSlack, user_id: str, channel_id: str) -> Channel:
    """Return a channel the user is in."""
    channel = slack.workspace.channels.get(channel_id)
    if channel is None or user_id not in channel.members:
        raise NotPossible(f"{user_id} is not in {channel_id}")
    return channel
