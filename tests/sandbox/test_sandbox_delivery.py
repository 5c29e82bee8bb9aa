import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import ClientSession, web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.sandbox import Sandbox, seed
from bot.sandbox.manifest import Manifest
from tests.sandbox.apps import SocketApp, web_client

Json = dict[str, Any]
METADATA = {"event_type": "signoff_checkpoint", "event_payload": {"id": "cp-1"}}


class HttpApp:
    """An app behind a request URL: keeps bodies and headers, answers as `reply` says."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.reply: list[web.Response] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        verifier = SignatureVerifier(seed.SIGNING_SECRET)
        assert verifier.is_valid_request(body, dict(request.headers))
        if '"url_verification"' in body:
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        return self.reply.pop(0) if self.reply else web.Response()


@pytest.fixture
async def http_app(sandbox: Sandbox) -> AsyncIterator[HttpApp]:
    """Run an app behind a request URL the sandbox has verified."""
    app, application = HttpApp(), web.Application()
    application.router.add_post("/slack/events", app.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    async with (
        ClientSession() as session,
        session.post(f"{sandbox.url}/people/request_url", json={"url": url}) as response,
    ):
        assert (await response.json())["ok"]
    app.bodies.clear()
    yield app
    await runner.cleanup()


async def test_http_requests_are_signed_forms(
    sandbox: Sandbox, http_app: HttpApp, client: AsyncWebClient, card: Json
) -> None:
    """Interactions travel as payload=JSON and commands as fields, with a valid v0 signature."""
    ts = (await client.chat_postMessage(**card))["ts"]
    bob = sandbox.person("U0BOB")
    assert (await bob.click("C0APPROVE", ts, "approve")).ok
    http_app.reply = [web.json_response({"text": "Hello"}), web.Response(text="Plain")]
    await bob.slash("/checkpoints list")
    await bob.slash("/checkpoints list")
    click, command, _ = http_app.bodies
    assert json.loads(parse_qs(click)["payload"][0])["type"] == "block_actions"
    assert parse_qs(command)["text"] == ["list"]
    assert [m["text"] for m in await bob.ephemerals()] == ["Hello", "Plain"]


async def test_an_http_error_is_no_ack(sandbox: Sandbox, http_app: HttpApp) -> None:
    """Any status but 200 shows the person an error."""
    http_app.reply = [web.Response(status=500)]
    result = await sandbox.person("U0BOB").slash("/checkpoints")
    assert "dispatch_failed" in str(result.error)


async def test_an_event_is_retried_three_times(http_app: HttpApp, client: AsyncWebClient) -> None:
    """An event not acked comes again, same event_id, with a retry number and reason."""
    http_app.reply = [web.Response(status=500) for _ in range(3)]
    await client.chat_postMessage(channel="C0APPROVE", text="x", metadata=METADATA)
    async with asyncio.timeout(2):
        while len(http_app.bodies) < 4:
            await asyncio.sleep(0.01)
    assert len({json.loads(body)["event_id"] for body in http_app.bodies}) == 1
    numbers = [h.get("X-Slack-Retry-Num") for h in http_app.headers[-4:]]
    assert numbers == [None, "1", "2", "3"]
    assert http_app.headers[-1]["X-Slack-Retry-Reason"] == "http_error"


async def test_hello_counts_connections_and_each_payload_takes_one(
    sandbox: Sandbox, app: SocketApp
) -> None:
    """With two sockets open each envelope goes to one of them, in turn."""
    async with SocketApp(sandbox) as second:
        bob = sandbox.person("U0BOB")
        for _ in range(4):
            assert (await bob.slash("/checkpoints")).ok
        assert [len(app.received), len(second.received)] == [2, 2]
        assert sandbox.slack.app.sockets.count == 2


async def test_an_eleventh_socket_is_turned_away(sandbox: Sandbox) -> None:
    """More than ten connections are answered with too_many_websockets."""
    web_api = AsyncWebClient(token=seed.APP_TOKEN, base_url=sandbox.api_url)
    async with ClientSession() as session:
        opened = []
        for number in range(11):
            url = (await web_api.apps_connections_open(app_token=seed.APP_TOKEN))["url"]
            socket = await session.ws_connect(url)
            greeting = await socket.receive_json()
            opened.append(socket)
            if number < 10:
                assert (greeting["type"], greeting["num_connections"]) == ("hello", number + 1)
        assert greeting["reason"] == "too_many_websockets"
        for socket in opened:
            await socket.close()


async def test_metadata_events_tell_of_posts_and_deletions(
    sandbox: Sandbox, app: SocketApp
) -> None:
    """The app hears where its metadata was posted, and that a person deleted it."""
    posted = await app.web.chat_postMessage(channel="C0APPROVE", text="x", metadata=METADATA)
    payload = await app.next("message_metadata_posted")
    event = payload["event"]
    assert payload["type"] == "event_callback"
    assert event["message_ts"] == posted["ts"]
    assert (event["channel_id"], event["metadata"]) == ("C0APPROVE", METADATA)
    assert (event["app_id"], event["user_id"]) == ("A0SIGNOFF", "U0SIGNOFF")
    await sandbox.person("U0ANA").delete_message("C0APPROVE", posted["ts"])
    deleted = (await app.next("message_metadata_deleted"))["event"]
    assert deleted["previous_metadata"] == METADATA
    other = {"event_type": "other", "event_payload": {}}
    await app.web.chat_postMessage(channel="C0APPROVE", text="x", metadata=other)
    await asyncio.sleep(0.05)
    assert len(app.payloads("message_metadata_posted")) == 1


async def test_changes_in_the_workspace_are_told(sandbox: Sandbox, app: SocketApp) -> None:
    """Joining, archiving, changed users and changed groups arrive as events."""
    ana = sandbox.person("U0ANA")
    await ana.invite_bot("C0GENERAL")
    joined = (await app.next("member_joined_channel"))["event"]
    assert (joined["user"], joined["channel"]) == ("U0SIGNOFF", "C0GENERAL")
    await ana.archive("C0GENERAL")
    assert (await app.next("channel_archive"))["event"]["channel"] == "C0GENERAL"
    await ana.change_user("U0BOB", deleted=True)
    assert (await app.next("user_change"))["event"]["user"]["deleted"] is True
    await ana.change_group("S0RELEASE", ["U0ANA", "U0BOB"])
    changed = (await app.next("subteam_members_changed"))["event"]
    assert (changed["added_users"], changed["removed_users"]) == (["U0BOB"], ["U0OLA"])


async def test_only_subscribed_events_arrive(everything: Manifest) -> None:
    """An event the manifest does not list, or lacks the scope for, is not delivered."""
    deaf = replace(everything, events=frozenset({"user_change"}), scopes=frozenset())
    async with Sandbox(manifest=deaf) as sandbox, SocketApp(sandbox) as app:
        ana = sandbox.person("U0ANA")
        await ana.invite_bot("C0GENERAL")
        await ana.change_user("U0BOB", deleted=True)
        await asyncio.sleep(0.05)
        assert app.received == []


async def response_url(sandbox: Sandbox, app: SocketApp) -> str:
    await sandbox.person("U0BOB").slash("/checkpoints")
    return str(app.payloads("slash_commands")[-1]["response_url"])


async def test_a_response_url_is_good_for_five_uses(sandbox: Sandbox, app: SocketApp) -> None:
    """Five answers go through, private by default; the sixth is used_url."""
    hook = AsyncWebhookClient(await response_url(sandbox, app))
    for number in range(4):
        answer = await hook.send(text=f"answer {number}")
        assert (answer.status_code, answer.body) == (200, "ok")
    await hook.send(text="for all", response_type="in_channel")
    sixth = await hook.send(text="too many")
    assert sixth.status_code == 404
    assert "used_url" in sixth.body
    assert len(await sandbox.person("U0BOB").ephemerals()) == 4
    assert [m["text"] for m in await sandbox.person("U0ANA").messages()] == ["for all"]


async def test_a_response_url_runs_out(everything: Manifest) -> None:
    """After half an hour a response URL is expired_url."""
    moment = [1_700_000_000.0]
    async with (
        Sandbox(manifest=everything, now=lambda: moment[0]) as sandbox,
        SocketApp(sandbox) as app,
    ):
        hook = AsyncWebhookClient(await response_url(sandbox, app))
        moment[0] += 30 * 60
        late = await hook.send(text="late")
        assert late.status_code == 404
        assert "expired_url" in late.body


async def test_a_response_url_replaces_and_deletes_what_was_clicked(
    sandbox: Sandbox, app: SocketApp, card: Json
) -> None:
    """A click's response_url can redraw or remove an ephemeral, which chat.update cannot."""
    await app.web.chat_postEphemeral(user="U0BOB", **card)
    bob = sandbox.person("U0BOB")
    [before] = await bob.ephemerals()
    await bob.click("C0APPROVE", before["ts"], "approve")
    hook = AsyncWebhookClient(app.payloads("block_actions")[0]["response_url"])
    await hook.send(text="as of now", replace_original=True)
    [after] = await bob.ephemerals()
    assert (after["ts"], after["text"], after["blocks"]) == (before["ts"], "as of now", [])
    refused = await hook.send(blocks=[{"type": "marquee"}], replace_original=True)
    assert (refused.status_code, "invalid_blocks" in refused.body) == (400, True)
    await hook.send(delete_original=True)
    assert await bob.ephemerals() == []


async def test_a_socket_is_used_before_the_request_url(sandbox: Sandbox, http_app: HttpApp) -> None:
    """While a socket is open nothing goes to the request URL."""
    async with SocketApp(sandbox) as app:
        await sandbox.person("U0BOB").slash("/checkpoints")
        assert len(app.received) == 1
    async with asyncio.timeout(2):
        while sandbox.slack.app.sockets.count:
            await asyncio.sleep(0.01)
    await sandbox.person("U0BOB").slash("/checkpoints")
    assert len(http_app.bodies) == 1


async def test_interactivity_must_be_on(everything: Manifest, card: Json) -> None:
    """Without interactivity in the manifest a click never reaches the app."""
    async with (
        Sandbox(manifest=replace(everything, interactivity=False)) as sandbox,
        SocketApp(sandbox) as app,
    ):
        ts = (await web_client(sandbox).chat_postMessage(**card))["ts"]
        assert not (await sandbox.person("U0BOB").click("C0APPROVE", ts, "approve")).ok
        assert app.received == []
