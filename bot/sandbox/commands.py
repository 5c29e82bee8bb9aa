"""Slash commands as people type them."""

import re
from dataclasses import replace

from bot.sandbox import payloads
from bot.sandbox.acts import Outcome, channel_of, person
from bot.sandbox.delivery import TIMED_OUT, UNREACHABLE, Ack
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.manifest import Command
from bot.sandbox.response_urls import say
from bot.sandbox.values import Channel, SlackError, User
from bot.sandbox.workspace import Workspace


async def slash(
    slack: LocalSlack, user_id: str, channel_id: str, typed: str, *, in_thread: bool = False
) -> Outcome:
    """Type a slash command into a channel; refusals of Slack's own are ephemeral messages."""
    user, channel = person(slack, user_id), channel_of(slack, user_id, channel_id)
    name, _, text = typed.strip().partition(" ")
    command = slack.manifest.command(name)
    if in_thread:
        return _failed(slack, channel, user, f"{name} is not supported in threads. Sorry!")
    if command is None or user.is_stranger or "commands" not in slack.manifest.scopes:
        return _failed(slack, channel, user, f"{name} is not a valid command.")
    ack = await _deliver(slack, user, channel, command, text.strip())
    if ack.error:
        code = ack.error if ack.error == TIMED_OUT else UNREACHABLE
        return _failed(slack, channel, user, f"{name} failed with the error “{code}”", ack)
    return _answered(slack, channel, user, name, ack)


async def _deliver(
    slack: LocalSlack, user: User, channel: Channel, command: Command, text: str
) -> Ack:
    fields = payloads.slash_command(
        user,
        slack.workspace.team,
        channel,
        command=command.command,
        text=escaped(slack.workspace, text) if command.should_escape else text,
        trigger_id=slack.trigger(user.id),
        response_url=slack.response_url(user.id, channel.id),
    )
    return await slack.app.command(fields)


def _answered(slack: LocalSlack, channel: Channel, user: User, name: str, ack: Ack) -> Outcome:
    if ack.body.get("text") or ack.body.get("blocks"):
        try:
            say(slack, user.id, channel.id, ack.body)
        except SlackError as refusal:
            said = f"{name} failed with the error “invalid_command_response”"
            return replace(_failed(slack, channel, user, said, ack), response=refusal.details)
    return Outcome(ok=True, acked_ms=ack.ms, response=ack.body)


def _failed(
    slack: LocalSlack, channel: Channel, user: User, said: str, ack: Ack | None = None
) -> Outcome:
    slack.whisper(channel.id, user.id, said)
    return Outcome(ok=False, acked_ms=ack.ms if ack else 0, error=said)


def escaped(workspace: Workspace, text: str) -> str:
    """Return text as `should_escape` sends it: names as ids, `&`, `<` and `>` as entities."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?<![\w.])([@#])([\w.-]+)", lambda found: _reference(workspace, found), text)


def _reference(workspace: Workspace, found: re.Match[str]) -> str:
    sign, name = found.groups()
    if sign == "#":
        channel = workspace.named(name)
        return f"<#{channel.id}|{channel.name}>" if channel else found[0]
    for user in workspace.users.values():
        if user.name == name:
            return f"<@{user.id}|{user.name}>"
    for group in workspace.groups.values():
        if group.handle == name:
            return f"<!subteam^{group.id}|@{group.handle}>"
    return found[0]
