"""Channels that close, open, change their name, and the app that is thrown out of them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.sandbox import Sandbox, manifest
from tests.sandbox.apps import SocketApp

MANIFEST = Path(__file__).parents[2] / "manifest.yml"
ROOM = "C0APPROVE"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox that keeps to the app's own manifest."""
    async with Sandbox(manifest=manifest.load(MANIFEST)) as running:
        yield running


async def refused(call: Any) -> str:
    """The error that a call earns."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_the_app_hears_what_happens_to_its_channels(sandbox: Sandbox, app: SocketApp) -> None:
    """Archived, brought back, renamed, removed from, deleted: each by its own event."""
    ana = sandbox.person("U0ANA")
    await ana.archive(ROOM)
    await ana.archive(ROOM, archived=False)
    await ana.rename_channel(ROOM, "sign-offs")
    await ana.remove_bot(ROOM)
    await ana.delete_channel(ROOM)
    for kind in ("channel_archive", "channel_unarchive", "channel_left", "channel_deleted"):
        assert (await app.next(kind))["event"]["channel"] == ROOM
    renamed = (await app.next("channel_rename"))["event"]["channel"]
    assert (renamed["id"], renamed["name"]) == (ROOM, "sign-offs")
    assert await refused(app.web.conversations_info(channel=ROOM)) == "channel_not_found"


async def test_events_about_private_channels_have_names_of_their_own(
    sandbox: Sandbox, app: SocketApp
) -> None:
    """What is `channel_left` elsewhere is `group_left` there."""
    channel = sandbox.workspace.channels[ROOM]
    sandbox.workspace.add_channel(replace(channel, is_private=True))
    await sandbox.person("U0ANA").remove_bot(ROOM)
    assert (await app.next("group_left"))["event"]["channel"] == ROOM


@pytest.mark.parametrize(
    ("is_private", "on_update", "on_look"),
    [(False, "not_in_channel", None), (True, "channel_not_found", "channel_not_found")],
    ids=["public", "private"],
)
async def test_an_app_that_was_removed_cannot_redraw(
    sandbox: Sandbox, app: SocketApp, *, is_private: bool, on_update: str, on_look: str | None
) -> None:
    """In a public channel its message can still be linked to, in a private one nothing can."""
    channel = sandbox.workspace.channels[ROOM]
    sandbox.workspace.add_channel(replace(channel, is_private=is_private))
    ts = str((await app.web.chat_postMessage(channel=ROOM, text="x"))["ts"])
    await sandbox.person("U0ANA").remove_bot(ROOM)
    assert await refused(app.web.chat_update(channel=ROOM, ts=ts, text="y")) == on_update
    look = app.web.chat_getPermalink(channel=ROOM, message_ts=ts)
    if on_look is None:
        assert (await look)["ok"]
    else:
        assert await refused(look) == on_look
