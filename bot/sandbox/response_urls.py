"""POST /response/TOKEN: answering a click or a command for half an hour, five times.

Source: https://docs.slack.dev/interactivity/handling-user-interaction#message_responses.
"""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.sandbox.chat_methods import refuse
from bot.sandbox.limits import check_message
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.normal import stored_blocks
from bot.sandbox.tickets import ResponseUrl
from bot.sandbox.values import Message, SlackError


def say(
    slack: LocalSlack, user: str, channel: str, body: Mapping[str, Any], thread: str | None = None
) -> Message:
    """Show what the app answered: to the person alone, or with `in_channel` to everybody."""
    refuse(check_message(body))
    private = body.get("response_type", "ephemeral") != "in_channel"
    return slack.post(
        slack.workspace.channels[channel],
        str(body.get("text") or ""),
        blocks=stored_blocks(body.get("blocks") or []),
        only_for=user if private else None,
        thread_ts=body.get("thread_ts") or thread,
    )


def _use(slack: LocalSlack, response: ResponseUrl, body: Mapping[str, Any]) -> None:
    workspace = slack.workspace
    original = (
        workspace.message(response.channel, response.original_ts) if response.original_ts else None
    )
    if body.get("delete_original"):
        if original:
            workspace.remove(original)
        return
    # A command has no original message, so there is nothing to replace and the answer is new.
    if not (body.get("replace_original") and original):
        say(slack, response.user, response.channel, body, response.thread_ts)
        return
    refuse(check_message(body))
    workspace.change(
        original,
        text=str(body.get("text") or ""),
        blocks=stored_blocks(body.get("blocks") or []),
        edited_ts=workspace.next_ts(),
    )


async def handle(slack: LocalSlack, request: web.Request) -> web.Response:
    """Answer one POST to a response URL."""
    fault = slack.faults.take("response_url")
    if fault and request.transport and fault.kind.startswith("drop"):
        request.transport.abort()
    if fault:
        return web.Response(status=429 if fault.kind == "ratelimited" else 500, text=fault.kind)
    try:
        body = json.loads(await request.text())
    except ValueError:
        return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
    try:
        _use(slack, slack.tickets.answer(request.match_info["token"]), body)
    except SlackError as refusal:
        status = 404 if refusal.code in {"used_url", "expired_url"} else 400
        reply = {"ok": False, "error": refusal.code, **refusal.details}
        return web.json_response(reply, status=status)
    return web.Response(text="ok")
