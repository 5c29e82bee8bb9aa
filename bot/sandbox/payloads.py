"""The JSON Slack sends: messages, views, interactions, commands and events."""

import secrets
from collections.abc import Mapping
from typing import Any

from bot.sandbox import seed
from bot.sandbox.inputs import state_values
from bot.sandbox.values import Channel, Json, Message, Team, User, View

BOT_PROFILE: Json = {
    "id": seed.BOT_ID,
    "app_id": seed.APP_ID,
    "user_id": seed.BOT_USER,
    "name": "Signoff",
    "icons": {},
    "deleted": False,
    "team_id": seed.TEAM.id,
}


def message_json(message: Message) -> Json:
    """Return a message of the app as Web API replies and interactions show it."""
    found: Json = {
        "user": message.user,
        "type": "message",
        "ts": message.ts,
        "bot_id": seed.BOT_ID,
        "app_id": seed.APP_ID,
        "text": message.text,
        "team": seed.TEAM.id,
        "bot_profile": BOT_PROFILE,
        "blocks": list(message.blocks),
    }
    if message.thread_ts:
        found["thread_ts"] = message.thread_ts
    if message.edited_ts:
        found["edited"] = {"user": message.user, "ts": message.edited_ts}
    if message.metadata:
        found["metadata"] = dict(message.metadata)
    return found


def view_json(view: View, team: Team) -> Json:
    """Return a view as Web API replies and interactions show it."""
    definition = view.definition
    return {
        "id": view.id,
        "team_id": team.id,
        **definition,
        "state": {"values": state_values(definition["blocks"], view.answers)},
        "hash": view.hash,
        "previous_view_id": view.previous_id,
        "root_view_id": view.root_id,
        "app_id": seed.APP_ID,
        "app_installed_team_id": team.id,
        "bot_id": seed.BOT_ID,
    }


def _interaction(kind: str, user: User, team: Team) -> Json:
    return {
        "type": kind,
        "team": {"id": team.id, "domain": team.domain},
        "user": {
            "id": user.id,
            "username": user.name,
            "name": user.name,
            "team_id": user.team_id,
        },
        "api_app_id": seed.APP_ID,
        "token": seed.VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_action(
    user: User,
    team: Team,
    channel: Channel,
    message: Message,
    *,
    action: Json,
    answers: Mapping[str, Any],
    trigger_id: str,
    response_url: str,
) -> Json:
    """Return block_actions for a click in a message; an ephemeral one travels without itself."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = {
        **_interaction("block_actions", user, team),
        "container": container,
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": channel.name},
        "state": {"values": state_values(message.blocks, answers)},
        "response_url": response_url,
        "actions": [action],
    }
    if message.only_for is None:
        # Whether Slack repeats the metadata here is not documented, so nothing may rely on it.
        shown = {k: v for k, v in message_json(message).items() if k != "metadata"}
        payload["message"] = shown
    return payload


def view_action(user: User, team: Team, view: View, action: Json, trigger_id: str) -> Json:
    """Return block_actions for a click in a modal or Home tab."""
    return {
        **_interaction("block_actions", user, team),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "view": view_json(view, team),
        "actions": [action],
    }


def shortcut(user: User, team: Team, callback_id: str, trigger_id: str, action_ts: str) -> Json:
    """Return shortcut: what a global shortcut sends. It has no channel and no response_url."""
    return {
        **_interaction("shortcut", user, team),
        "callback_id": callback_id,
        "trigger_id": trigger_id,
        "action_ts": action_ts,
    }


def view_submission(user: User, team: Team, view: View, trigger_id: str) -> Json:
    """Return view_submission."""
    return {
        **_interaction("view_submission", user, team),
        "trigger_id": trigger_id,
        "view": view_json(view, team),
        "response_urls": [],
    }


def view_closed(user: User, team: Team, view: View, *, is_cleared: bool) -> Json:
    """Return view_closed."""
    return {
        **_interaction("view_closed", user, team),
        "view": view_json(view, team),
        "is_cleared": is_cleared,
    }


def slash_command(
    user: User,
    team: Team,
    channel: Channel,
    *,
    command: str,
    text: str,
    trigger_id: str,
    response_url: str,
) -> dict[str, str]:
    """Return the form fields of a slash command."""
    return {
        "token": seed.VERIFICATION_TOKEN,
        "team_id": team.id,
        "team_domain": team.domain,
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": seed.APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def event_callback(event: Json, team: Team, event_time: int) -> Json:
    """Return the outer payload of an event; its id is new."""
    return {
        "token": seed.VERIFICATION_TOKEN,
        "team_id": team.id,
        "context_team_id": team.id,
        "context_enterprise_id": None,
        "api_app_id": seed.APP_ID,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev0{secrets.token_hex(5).upper()}",
        "event_time": event_time,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": team.id,
                "user_id": seed.BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": secrets.token_hex(12),
    }
