"""The trouble panel's view of the sandbox: what is in store, what was called and delivered."""

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import Person, Sandbox, seed, trace
from bot.sandbox.delivery import Delivered
from bot.sandbox.manifest import Manifest
from bot.sandbox.person import CannotDo
from bot.sandbox.web_api import Call
from tests.sandbox.apps import SocketApp, web_client

Json = dict[str, Any]


async def trouble(sandbox: Sandbox) -> Json:
    async with ClientSession() as session, session.get(f"{sandbox.url}/trouble") as response:
        shown: Json = await response.json()
    return shown


def call(at: float, **facts: Any) -> Call:
    given = {"args": {}, "ok": True, "error": None, "fault": None, "ts": None, "ms": 1, **facts}
    return Call(method="chat.update", at=at, **given)


def delivered(at: float) -> Delivered:
    return Delivered(
        kind="interactive",
        name="block_actions",
        transport="socket",
        ms=4,
        error=None,
        fault=None,
        at=at,
    )


def test_the_newest_lines_come_first_and_old_ones_are_left_out() -> None:
    """Calls and deliveries are one list by time, cut to as many as are wanted."""
    lines = trace.lines([call(1), call(4)], [delivered(2), delivered(3)], most=3)
    assert [(one["way"], one["at"]) for one in lines] == [
        ("call", 4),
        ("delivery", 3),
        ("delivery", 2),
    ]


def test_a_lost_reply_is_no_success() -> None:
    """A call that was done but whose reply was dropped is shown as trouble."""
    (line,) = trace.lines([call(1, fault="drop_after")], [])
    assert not line["ok"]
    assert line["fault"] == "drop_after"


async def test_the_panel_sees_trouble_come_and_go(
    sandbox: Sandbox, app: SocketApp, client: AsyncWebClient
) -> None:
    """What is in store, what it hit, and the call that went well afterwards are all shown."""
    sandbox.faults.add("error", "chat.postMessage", code="fatal_error")
    before = await trouble(sandbox)
    assert [one["kind"] for one in before["pending"]] == ["error"]
    assert before["sockets"] == sandbox.slack.app.sockets.count == 1
    assert {"chat.postMessage", "views.open"} <= set(before["methods"])
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel="C0APPROVE", text="x")
    await client.chat_postMessage(channel="C0APPROVE", text="x")
    sandbox.faults.add("twice", "delivery")
    await sandbox.person("U0BOB").slash("/checkpoints")
    await app.next("slash_commands", 2)
    after = await trouble(sandbox)
    assert after["pending"] == []
    newest = [(one["name"], one["ok"], one["fault"]) for one in after["lines"]]
    assert newest[:3] == [
        ("/checkpoints", True, "twice"),
        ("chat.postMessage", True, None),
        ("chat.postMessage", False, "error"),
    ]


async def test_people_see_at_once_whether_the_app_is_connected(sandbox: Sandbox) -> None:
    """A socket that opens or closes, and trouble that is stored, wake whoever watches."""
    bob = sandbox.person("U0BOB")
    before = await bob.state()
    assert before["connected"]["sockets"] == 0
    async with SocketApp(sandbox):
        opened = await bob.state(since=before["revision"], wait=5)
        assert opened["connected"]["sockets"] == 1
        async with ClientSession() as session:
            await session.post(f"{sandbox.url}/faults", json={"kind": "http_500", "times": 2})
            stored = await bob.state(since=opened["revision"], wait=5)
            assert stored["faults"] == 1
            await session.delete(f"{sandbox.url}/faults")
    closed = await bob.state(since=stored["revision"], wait=5)
    while closed["connected"]["sockets"]:
        closed = await bob.state(since=closed["revision"], wait=5)
    assert closed["faults"] == 0


async def test_the_app_is_listed_before_anybody_wrote_there(sandbox: Sandbox) -> None:
    """Everybody of the workspace has the app in the sidebar; somebody external has not."""
    bob, eve = sandbox.person("U0BOB"), sandbox.person("U0EVE")
    assert [c["id"] for c in (await bob.state())["channels"] if c["is_im"]] == ["D0BOB"]
    assert not [c for c in (await eve.state())["channels"] if c["is_im"]]


async def read_only(person: Person) -> None:
    await person.open_home("messages")
    with pytest.raises(CannotDo, match="turned off"):
        await person.say("hello?", channel="D0BOB")


async def test_nobody_writes_where_the_manifest_says_read_only(everything: Manifest) -> None:
    """A read-only messages tab takes no message from a person, but shows the app's."""
    quiet = replace(everything, messages_read_only=True)
    async with Sandbox(manifest=quiet) as sandbox:
        bob = sandbox.person("U0BOB")
        await read_only(bob)
        await web_client(sandbox).chat_postMessage(channel="U0BOB", text="It is approved.")
        assert [m["text"] for m in await bob.messages("D0BOB")] == ["It is approved."]
        assert (await bob.state())["messages_read_only"]


async def test_without_a_messages_tab_nothing_is_posted_there(everything: Manifest) -> None:
    """An app whose messages tab is off is refused a direct message, with Slack's code."""
    async with Sandbox(manifest=replace(everything, messages_tab=False)) as sandbox:
        with pytest.raises(SlackApiError, match="messages_tab_disabled"):
            await web_client(sandbox).chat_postMessage(channel="U0BOB", text="x")


async def test_nobody_writes_into_an_archived_channel(sandbox: Sandbox) -> None:
    """A person's message to an archived channel is refused, as the client does."""
    with pytest.raises(CannotDo, match="archived"):
        await sandbox.person("U0BOB").say("hello?", channel="C0ARCH")


async def test_a_time_is_picked_and_told(
    sandbox: Sandbox, app: SocketApp, client: AsyncWebClient
) -> None:
    """A timepicker's answer is selected_time; one that is no time is refused when it is drawn."""

    def home(**more: str) -> Json:
        picker = {"type": "timepicker", "action_id": "at", **more}
        return {
            "type": "home",
            "blocks": [{"type": "actions", "block_id": "when", "elements": [picker]}],
        }

    await client.views_publish(user_id="U0BOB", view=home(initial_time="09:30"))
    await sandbox.person("U0BOB").click_home("at", value="17:45")
    (payload,) = app.payloads("block_actions")
    assert payload["actions"][0]["selected_time"] == "17:45"
    kept = payload["view"]["state"]["values"]["when"]["at"]
    assert kept == {"type": "timepicker", "selected_time": "17:45"}
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await client.views_publish(user_id="U0BOB", view=home(initial_time="25:00"))


async def test_a_click_in_the_home_tab_has_no_place(
    sandbox: Sandbox, app: SocketApp, client: AsyncWebClient
) -> None:
    """block_actions of a Home view carry the view, and no channel, message or response URL."""
    button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
    blocks = [{"type": "actions", "elements": [button]}]
    await client.views_publish(user_id="U0BOB", view={"type": "home", "blocks": blocks})
    await sandbox.person("U0BOB").click_home("go")
    (payload,) = app.payloads("block_actions")
    assert payload["container"]["type"] == "view"
    assert payload["view"]["type"] == "home"
    assert not {"channel", "message", "response_url"} & set(payload)
    assert payload["user"]["id"] == "U0BOB"
    assert payload["team"]["id"] == seed.TEAM.id
