"""A running sandbox, a Web API client and a small app for the sandbox's own tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import Sandbox, manifest
from bot.sandbox.manifest import Manifest
from tests.sandbox.apps import SocketApp, web_client

ROOT = Path(__file__).parents[2]


@pytest.fixture
def everything() -> Manifest:
    """Return a manifest with more scopes and events than the app's own."""
    return manifest.parse(
        {
            "oauth_config": {
                "scopes": {
                    "bot": [
                        "commands",
                        "chat:write",
                        "users:read",
                        "users:read.email",
                        "usergroups:read",
                        "channels:read",
                        "groups:read",
                        "im:read",
                        "im:write",
                        "metadata.message:read",
                    ]
                }
            },
            "features": {
                "app_home": {"home_tab_enabled": True},
                "shortcuts": [
                    {
                        "name": "My approvals",
                        "type": "global",
                        "callback_id": "my_approvals",
                        "description": "What waits for you.",
                    },
                    {
                        "name": "About this message",
                        "type": "message",
                        "callback_id": "about",
                        "description": "Not a global one.",
                    },
                ],
                "slash_commands": [
                    {"command": "/checkpoints", "should_escape": True},
                    {"command": "/plain"},
                ],
            },
            "settings": {
                "interactivity": {"is_enabled": True},
                "event_subscriptions": {
                    "bot_events": [
                        "app_home_opened",
                        "message_metadata_posted",
                        "message_metadata_deleted",
                        "member_joined_channel",
                        "user_change",
                        "subteam_members_changed",
                        "channel_archive",
                    ],
                    "metadata_subscriptions": [{"app_id": "*", "event_type": "signoff_checkpoint"}],
                },
            },
        }
    )


@pytest.fixture
async def sandbox(everything: Manifest) -> AsyncIterator[Sandbox]:
    """Run a sandbox that retries events quickly."""
    async with Sandbox(manifest=everything, retry_delays=(0.0, 0.02, 0.02)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> AsyncWebClient:
    """Return the app's Web API client."""
    return web_client(sandbox)


@pytest.fixture
async def app(sandbox: Sandbox) -> AsyncIterator[SocketApp]:
    """Connect an app by Socket Mode that acks everything."""
    async with SocketApp(sandbox) as connected:
        yield connected


@pytest.fixture
def card() -> dict[str, Any]:
    """Return a message with a button and a select."""
    return {
        "channel": "C0APPROVE",
        "text": "Deploy acme-web?",
        "blocks": [
            {
                "type": "actions",
                "block_id": "decide",
                "elements": [
                    {
                        "type": "button",
                        "action_id": "approve",
                        "value": "cp-1",
                        "text": {"type": "plain_text", "text": "Approve"},
                    },
                    {
                        "type": "static_select",
                        "action_id": "more",
                        "options": [
                            {"text": {"type": "plain_text", "text": "Later"}, "value": "later"},
                            {"text": {"type": "plain_text", "text": "Never"}, "value": "never"},
                        ],
                    },
                ],
            }
        ],
    }


@pytest.fixture
def form() -> dict[str, Any]:
    """Return a modal that asks for a required reason and a number."""
    return {
        "type": "modal",
        "callback_id": "reject",
        "private_metadata": "cp-1",
        "notify_on_close": True,
        "title": {"type": "plain_text", "text": "Reject deploy"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20},
            },
            {
                "type": "input",
                "block_id": "percent",
                "optional": True,
                "label": {"type": "plain_text", "text": "Percent"},
                "element": {
                    "type": "number_input",
                    "action_id": "number",
                    "is_decimal_allowed": False,
                    "max_value": "100",
                },
            },
        ],
    }
