"""What people and admins change in the workspace itself, and the events that follow."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bot.sandbox import seed
from bot.sandbox.acts import NotPossible
from bot.sandbox.directory_methods import user_json
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import Channel, Group, Json, Message, User

USER_FLAGS = frozenset(
    {"deleted", "is_admin", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger"}
)


def _channel(slack: LocalSlack, channel_id: str) -> Channel:
    channel = slack.workspace.channels.get(channel_id)
    if channel is None:
        raise NotPossible(f"there is no channel {channel_id}")
    return channel


def delete_message(slack: LocalSlack, channel_id: str, ts: str) -> None:
    """Delete a message by hand; an ephemeral one is merely dismissed."""
    message = slack.workspace.message(channel_id, ts)
    if message is None:
        raise NotPossible(f"there is no message {ts} in {channel_id}")
    slack.workspace.remove(message)
    if not message.only_for:
        facts: Json = {"deleted_ts": slack.workspace.next_ts()}
        slack.announce_metadata("message_metadata_deleted", message, **facts)


def say(slack: LocalSlack, user: str, channel_id: str, text: str, **facts: Any) -> Message:
    """Post an ordinary message of a person."""
    channel = _channel(slack, channel_id)
    if channel.is_im and slack.manifest.messages_read_only:
        raise NotPossible("Sending messages to this app has been turned off.")
    if channel.is_archived:
        raise NotPossible(f"#{channel.name} is archived.")
    message = Message(
        ts=slack.workspace.next_ts(), channel=channel.id, user=user, text=text, **facts
    )
    return slack.workspace.post(message)


def join(slack: LocalSlack, channel_id: str, user: str = seed.BOT_USER) -> None:
    """Add somebody, by default the bot, to a channel."""
    channel = _channel(slack, channel_id)
    slack.workspace.add_channel(replace(channel, members=channel.members | {user}))
    slack.announce(
        "member_joined_channel",
        user=user,
        channel=channel_id,
        channel_type="G" if channel.is_private else "C",
        team=slack.workspace.team.id,
    )


def leave(slack: LocalSlack, channel_id: str, user: str = seed.BOT_USER) -> None:
    """Take somebody, by default the bot, out of a channel. The app hears when it was the bot."""
    channel = _channel(slack, channel_id)
    slack.workspace.add_channel(replace(channel, members=channel.members - {user}))
    if user == seed.BOT_USER:
        slack.announce(_kind(channel, "left"), channel=channel_id, actor_id="U0ANA")


def archive(slack: LocalSlack, channel_id: str, *, archived: bool = True) -> None:
    """Archive a channel, or bring it back."""
    channel = _channel(slack, channel_id)
    slack.workspace.add_channel(replace(channel, is_archived=archived))
    kind = _kind(channel, "archive" if archived else "unarchive")
    slack.announce(kind, channel=channel_id, user="U0ANA")


def delete_channel(slack: LocalSlack, channel_id: str) -> None:
    """Delete a channel with everything in it."""
    channel = _channel(slack, channel_id)
    slack.workspace.remove_channel(channel)
    slack.announce(_kind(channel, "deleted"), channel=channel_id, actor_id="U0ANA")


def rename(slack: LocalSlack, channel_id: str, name: str) -> None:
    """Give a channel another name."""
    channel = _channel(slack, channel_id)
    slack.workspace.add_channel(replace(channel, name=name))
    told = {"id": channel_id, "name": name, "created": int(slack.now())}
    slack.announce(_kind(channel, "rename"), channel=told)


def _kind(channel: Channel, what: str) -> str:
    """The name of an event about a channel: private ones have names of their own."""
    return f"{'group' if channel.is_private else 'channel'}_{what}"


def change_user(slack: LocalSlack, user_id: str, **flags: bool) -> User:
    """Change what a user is (`deleted`, `is_restricted`, ...); the app hears of it."""
    known = slack.workspace.users.get(user_id)
    if known is None or set(flags) - USER_FLAGS:
        raise NotPossible(f"there is no user {user_id}, or no such flags: {sorted(flags)}")
    changed = replace(known, **flags)  # type: ignore[arg-type]
    slack.workspace.add_user(changed)
    slack.announce("user_change", user=user_json(slack, changed), cache_ts=int(slack.now()))
    return changed


def change_group(slack: LocalSlack, group_id: str, users: Iterable[str]) -> Group:
    """Change who is in a user group; the app hears of it."""
    known = slack.workspace.groups.get(group_id)
    if known is None:
        raise NotPossible(f"there is no user group {group_id}")
    changed = replace(known, users=tuple(users))
    slack.workspace.add_group(changed)
    added = [one for one in changed.users if one not in known.users]
    removed = [one for one in known.users if one not in changed.users]
    slack.announce(
        "subteam_members_changed",
        subteam_id=group_id,
        team_id=slack.workspace.team.id,
        date_previous_update=int(slack.now()) - 1,
        date_update=int(slack.now()),
        added_users=added,
        added_users_count=len(added),
        removed_users=removed,
        removed_users_count=len(removed),
    )
    return changed
