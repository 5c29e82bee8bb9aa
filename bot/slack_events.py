"""What Slack tells unasked, as frozen values: our own posts coming back or going, and moves."""

import re
from dataclasses import dataclass

from bot.payloads import Malformed
from bot.read_json import MisreadError, matching, text
from bot.tokens import EVENT_TYPE, is_checkpoint_id

_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,31}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPost:
    """A copy of a card that this bot posted, and where it stands."""

    checkpoint_id: str
    channel: str
    message_ts: str


def parse_own_post(event: object, bot_id: str) -> OwnPost | Malformed:
    """Read `message_metadata_posted`. Anybody may post metadata of this name: only ours count."""
    try:
        if text(event, "bot_id") != bot_id or text(event, "metadata", "event_type") != EVENT_TYPE:
            return Malformed("the message is none of ours")
        checkpoint_id = text(event, "metadata", "event_payload", "checkpoint")
        if not is_checkpoint_id(checkpoint_id):
            return Malformed("the message names no checkpoint")
        return OwnPost(
            checkpoint_id=checkpoint_id,
            channel=matching(_CHANNEL, event, "channel_id"),
            message_ts=matching(_TS, event, "message_ts"),
        )
    except MisreadError as misread:
        return Malformed(str(misread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A message with our metadata that somebody deleted. It may be none of ours."""

    channel: str
    message_ts: str


def parse_deleted(event: object) -> Deleted | Malformed:
    """Read `message_metadata_deleted`."""
    try:
        return Deleted(
            channel=matching(_CHANNEL, event, "channel_id"),
            message_ts=matching(_TS, event, "message_ts"),
        )
    except MisreadError as misread:
        return Malformed(str(misread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A channel that opened, closed or changed; `user` is whom it was about, if anybody."""

    channel: str
    user: str | None


def parse_changed(event: object) -> Changed | Malformed:
    """Read an event about a channel. A rename carries the whole channel, others its id."""
    try:
        found = event.get("channel") if isinstance(event, dict) else None
        path = ("channel", "id") if isinstance(found, dict) else ("channel",)
        user = event.get("user") if isinstance(event, dict) else None
        return Changed(
            channel=matching(_CHANNEL, event, *path),
            user=user if isinstance(user, str) else None,
        )
    except MisreadError as misread:
        return Malformed(str(misread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A channel that has another id now, as when a workspace joins a Grid."""

    old: str
    new: str


def parse_moved(event: object) -> Moved | Malformed:
    """Read `channel_id_changed`."""
    try:
        return Moved(
            old=matching(_CHANNEL, event, "old_channel_id"),
            new=matching(_CHANNEL, event, "new_channel_id"),
        )
    except MisreadError as misread:
        return Malformed(str(misread))
