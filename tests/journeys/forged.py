"""Requests that Slack would sign but nobody could make on the page: tampered, foreign, doubled."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession

from bot.sandbox.request_url import FORM, signature
from tests.journeys.world import CHANNEL, TEAM, World


def signed(
    body: bytes, *, timestamp: str | None = None, secret: str | None = None
) -> dict[str, str]:
    """The headers Slack would send with this body; or another's, for a wrong secret."""
    at = str(int(time.time())) if timestamp is None else timestamp
    made = signature(body, at) if secret is None else signature(body, at, secret)
    return {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": made,
    }


async def post(world: World, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Send bytes to the bot's HTTP ingress: the status and the body of the answer."""
    url = f"http://127.0.0.1:{world.http_port}/slack/events"
    async with ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def send(world: World, payload: Mapping[str, Any]) -> tuple[int, str]:
    """Send an interaction, signed."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    return await post(world, body, signed(body))


def click(
    world: World,
    user: str,
    value: str,
    *,
    action_id: str = "approve",
    team: str = TEAM,
    ts: str = "1.1",
) -> dict[str, Any]:
    """A click on a button of a card, with any value."""
    return {
        "type": "block_actions",
        "user": {"id": user, "username": user, "name": user, "team_id": team},
        "team": {"id": TEAM, "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": "A0SIGNOFF",
        "trigger_id": world.sandbox.slack.tickets.trigger(user),
        "container": {
            "type": "message",
            "message_ts": ts,
            "channel_id": CHANNEL,
            "is_ephemeral": False,
        },
        "channel": {"id": CHANNEL, "name": "approvals"},
        "actions": [
            {
                "type": "button",
                "action_id": action_id,
                "block_id": "b",
                "value": value,
                "text": {"type": "plain_text", "text": "Approve"},
                "action_ts": "1.2",
            }
        ],
    }


def submission(
    user: str, metadata: str, *, reason: str = "forged", team: str = TEAM
) -> dict[str, Any]:
    """A decision form, sent, with any metadata."""
    return {
        "type": "view_submission",
        "user": {"id": user, "username": user, "name": user, "team_id": team},
        "team": {"id": TEAM, "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": "A0SIGNOFF",
        "trigger_id": "1.2.3",
        "view": {
            "id": "V0FORGED",
            "hash": "1.abc",
            "type": "modal",
            "callback_id": "decision_form",
            "private_metadata": metadata,
            "root_view_id": "V0FORGED",
            "state": {
                "values": {"reason.x": {"reason": {"type": "plain_text_input", "value": reason}}}
            },
        },
    }
