import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import Person, Sandbox, seed
from tests.sandbox.apps import SocketApp

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]


async def post(sandbox: Sandbox, text: str = "x", patience: float = 2.0) -> tuple[int, str]:
    async with (
        ClientSession(timeout=ClientTimeout(total=patience)) as session,
        session.post(
            sandbox.api_url + "chat.postMessage",
            data={"token": seed.BOT_TOKEN, "channel": "C0APPROVE", "text": text},
        ) as response,
    ):
        return response.status, await response.text()


async def test_faults_are_set_over_http_and_run_out(sandbox: Sandbox) -> None:
    """POST /faults stores trouble for the next calls, and then all is well again."""
    async with ClientSession() as session:
        fault = {"kind": "ratelimited", "target": "chat.postMessage", "times": 2}
        async with session.post(f"{sandbox.url}/faults", json=fault) as response:
            assert response.status == 200
        async with session.post(f"{sandbox.url}/faults", json={"kind": "gremlin"}) as response:
            assert response.status == 400
    assert [(await post(sandbox))[0] for _ in range(3)] == [429, 429, 200]
    assert sandbox.faults.pending() == []


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("http_500", 500, "internal"),
        ("html_503", 503, "<html>"),
        ("error", 200, "token_revoked"),
        ("slow", 200, '"ok": true'),
    ],
)
async def test_a_call_can_fail_in_many_ways(
    sandbox: Sandbox, kind: str, status: int, words: str
) -> None:
    """An error status, HTML, an error code or slowness come as ordered."""
    sandbox.faults.add(kind, code="token_revoked", ms=20)
    answer = await post(sandbox)
    assert answer[0] == status
    assert words in answer[1]


@pytest.mark.parametrize(("kind", "stored"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_may_have_posted(
    sandbox: Sandbox, kind: str, stored: int
) -> None:
    """A connection dropped before leaves nothing; dropped after, the message is there."""
    sandbox.faults.add(kind, "chat.postMessage")
    with pytest.raises(ClientError):
        await post(sandbox)
    assert len(await sandbox.person("U0BOB").messages()) == stored


async def test_a_hanging_call_gets_no_answer(sandbox: Sandbox) -> None:
    """A hanging call ends when the caller gives up, and nothing was done."""
    sandbox.faults.add("hang")
    with pytest.raises(TimeoutError):
        await post(sandbox, patience=0.05)
    assert await sandbox.person("U0BOB").messages() == []


async def test_a_payload_can_arrive_twice_late_or_never(sandbox: Sandbox, app: SocketApp) -> None:
    """A doubled payload arrives twice, a slow one after the error, a lost one not at all."""
    bob = sandbox.person("U0BOB")
    sandbox.faults.add("twice", "delivery")
    assert (await bob.slash("/checkpoints")).ok
    await app.next("slash_commands", 2)
    assert len({r.envelope_id for r in app.received}) == 1
    sandbox.slack.app.ack_timeout = 0.1
    sandbox.faults.add("slow", "delivery", ms=150)
    assert not (await bob.slash("/checkpoints")).ok
    await app.next("slash_commands", 3)
    sandbox.faults.add("lost", "delivery")
    assert not (await bob.slash("/checkpoints")).ok
    assert len(app.received) == 3


@pytest.mark.parametrize("action", ["refresh_requested", "abort", "warning"])
async def test_sockets_come_back_after_a_disturbance(
    sandbox: Sandbox, app: SocketApp, action: str
) -> None:
    """After a warning, a refresh or an abort the SDK connects again and payloads arrive."""
    async with (
        ClientSession() as session,
        session.post(f"{sandbox.url}/faults/socket", json={"action": action}) as response,
    ):
        assert (await response.json())["connections"] == 1
    async with asyncio.timeout(5):
        while not (await sandbox.person("U0BOB").slash("/checkpoints")).ok:
            await asyncio.sleep(0.05)
    assert app.payloads("slash_commands")


async def test_slack_errors_reach_the_sdk_as_such(sandbox: Sandbox, client: AsyncWebClient) -> None:
    """An ordered error code raises SlackApiError with that code in slack_sdk."""
    sandbox.faults.add("error", "auth.test", code="account_inactive")
    with pytest.raises(SlackApiError, match="account_inactive"):
        await client.auth_test()


async def test_requests_for_another_host_are_refused(sandbox: Sandbox) -> None:
    """A request whose Host is not loopback is forbidden, and so is a body that is not JSON."""
    async with ClientSession() as session:
        url = f"{sandbox.url}/people/state?user=U0ANA"
        async with session.get(url, headers={"Host": "evil.example"}) as response:
            assert response.status == 403
        async with session.post(f"{sandbox.url}/people/slash", data="{}") as response:
            assert response.status == 400


async def test_it_runs_as_a_process_and_stops_on_sigterm(tmp_path: Path) -> None:
    """`python -m bot.sandbox` says where it is ready, serves the page, and ends with 0."""
    ready = tmp_path / "ready"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.sandbox",
        "--manifest",
        str(ROOT / "manifest.yml"),
        "--ready-file",
        str(ready),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    url = line.removeprefix("sandbox ready on ")
    assert ready.read_text() == url
    async with Person(url, "U0BOB") as bob:
        assert await bob.messages() == []
        waiting = asyncio.create_task(bob.state(since=10**6, wait=30))
        async with ClientSession() as session, session.get(url) as response:
            assert response.status == 200
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == 0
        await asyncio.gather(waiting, return_exceptions=True)
