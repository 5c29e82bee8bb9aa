"""What one person sees, as JSON for the page and for drivers."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox import seed
from bot.sandbox.inputs import state_values
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import Channel, Json, Message, User, View


def _user(user: User) -> Json:
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "team_id": user.team_id,
        "tz": user.tz,
        "is_admin": user.is_admin,
        "is_bot": user.is_bot,
        "is_guest": user.is_restricted or user.is_ultra_restricted,
        "is_stranger": user.is_stranger,
        "deleted": user.deleted,
    }


def _channel(channel: Channel) -> Json:
    return {
        "id": channel.id,
        "name": "Signoff" if channel.is_im else channel.name,
        "is_im": channel.is_im,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_ext_shared": channel.is_ext_shared,
        "bot_is_member": seed.BOT_USER in channel.members,
        "member_count": len(channel.members),
    }


def _message(
    one: Message, replies: list[str], answers: Mapping[str, Any], trouble: str | None
) -> Json:
    return {
        "ts": one.ts,
        "channel": one.channel,
        "user": one.user,
        "text": one.text,
        "blocks": list(one.blocks),
        "values": state_values(one.blocks, answers),
        "thread_ts": one.thread_ts,
        "broadcast": one.broadcast,
        "reply_count": len(replies),
        "latest_reply": replies[-1] if replies else None,
        "edited": one.edited_ts is not None,
        "ephemeral": one.only_for is not None,
        "metadata": dict(one.metadata),
        "trouble": trouble,
    }


def view(one: View | None, depth: int = 1) -> Json | None:
    """Return an open view as its person sees it, with errors by block_id."""
    if one is None:
        return None
    return {
        "id": one.id,
        "hash": one.hash,
        **one.definition,
        "state": {"values": state_values(one.definition["blocks"], one.answers)},
        "errors": dict(one.errors),
        "trouble": one.trouble,
        "depth": depth,
    }


def messages(slack: LocalSlack, user: str, channel: str) -> list[Json]:
    """Return a channel's messages as `user` sees them, oldest first, replies among them."""
    listed = slack.workspace.messages.get(channel, [])
    replies: dict[str, list[str]] = {}
    for one in listed:
        if one.thread_ts and one.only_for is None:
            replies.setdefault(one.thread_ts, []).append(one.ts)
    answers, troubles = slack.workspace.answers, slack.workspace.troubles
    return [
        _message(
            one,
            replies.get(one.ts, []),
            answers.get((channel, one.ts, user), {}),
            troubles.get((channel, one.ts, user)),
        )
        for one in listed
        if one.only_for in (None, user)
    ]


def _channels(slack: LocalSlack, user_id: str) -> list[Channel]:
    """Return where a person is; the app is listed before anybody wrote there, as in Slack."""
    workspace = slack.workspace
    mine = [c for c in workspace.channels.values() if user_id in c.members]
    user = workspace.users[user_id]
    if any(c.is_im for c in mine) or user.is_bot or user.is_stranger:
        return mine
    return [*mine, workspace.unopened(user_id)]


def state(slack: LocalSlack, user: str, channel: str | None = None) -> Json:
    """Return everything a person sees; `channel` limits the messages to one channel."""
    workspace = slack.workspace
    mine = _channels(slack, user)
    stack = slack.modals.stack(user)
    return {
        "revision": workspace.revision,
        "me": user,
        "team": {"id": workspace.team.id, "name": workspace.team.name},
        "app": {"id": seed.APP_ID, "user": seed.BOT_USER, "name": slack.manifest.name},
        "connected": {
            "sockets": slack.app.sockets.count,
            "request_url": slack.app.http.url is not None,
        },
        "home_tab": slack.manifest.home_tab,
        "messages_tab": slack.manifest.messages_tab,
        "messages_read_only": slack.manifest.messages_read_only,
        "faults": len(slack.faults.pending()),
        "commands": [
            {
                "command": one.command,
                "description": one.description,
                "usage_hint": one.usage_hint,
            }
            for one in slack.manifest.commands
        ],
        "shortcuts": [
            {"name": one.name, "callback_id": one.callback_id, "description": one.description}
            for one in slack.manifest.shortcuts
        ],
        "users": [_user(one) for one in workspace.users.values()],
        "groups": [
            {"id": g.id, "handle": g.handle, "name": g.name, "users": list(g.users)}
            for g in workspace.groups.values()
        ],
        "channels": [_channel(one) for one in mine],
        "messages": {
            one.id: messages(slack, user, one.id) for one in mine if channel in (None, one.id)
        },
        "modal": view(stack[-1] if stack else None, len(stack)),
        "home": view(slack.modals.home(user)),
    }
