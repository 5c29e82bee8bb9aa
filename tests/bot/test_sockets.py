"""Socket Mode: nothing is lost while connections change, and too few of them are told of."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from bot.sandbox.server import Sandbox
from bot.sandbox.socket_mode import Connection
from bot.slack import connected
from bot.sockets import Payload, Sockets, proxy_for
from tests.journeys.world import MANIFEST


class Answers:
    """A handler that answers when it is let."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.taken: list[Payload] = []

    async def __call__(self, envelope: Payload) -> Payload | None:
        self.taken.append(envelope["payload"])
        await self.may.wait()
        return {"said": envelope["payload"]["n"]}


class Line:
    """A local Slack, and the connections of a bot to it."""

    def __init__(self, sandbox: Sandbox, sockets: Sockets, answers: Answers) -> None:
        self.sandbox = sandbox
        self.sockets = sockets
        self.answers = answers
        self.theirs = sandbox.slack.app.sockets

    async def send(self, number: int) -> Any:
        return await asyncio.wait_for(self.theirs.send("interactive", {"n": number}), 3)

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(8):
            while not fits():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def line(count: int = 2, alarm_s: float = 20.0) -> AsyncIterator[Line]:
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(manifest=MANIFEST))
        slack = await stack.enter_async_context(connected(sandbox.api_url, "xoxb-sandbox"))
        sockets = Sockets(partial(slack.socket_url, "xapp-sandbox"), count, alarm_s)
        answers = Answers()
        await stack.enter_async_context(sockets.held(answers))
        yield Line(sandbox, sockets, answers)


@pytest.mark.parametrize("count", [2, 4])
async def test_as_many_are_open_as_wanted(count: int) -> None:
    """All of them, before anybody is told that the bot is ready."""
    async with line(count) as one:
        health = one.sockets.health()
        assert (health.open, health.wanted, one.theirs.count) == (count, count, count)
        assert [await one.send(n) for n in range(8)] == [{"said": n} for n in range(8)]


@pytest.mark.parametrize("action", ["warning", "refresh_requested", "abort"])
async def test_a_connection_that_goes_is_replaced(action: str) -> None:
    """Whatever Slack does to one, there are two again, and payloads are answered meanwhile."""
    async with line() as one:
        before = list(one.theirs._open)
        await one.theirs.disturb(action, 1)
        assert [await one.send(n) for n in range(20)] == [{"said": n} for n in range(20)]
        await one.until(lambda: sum(link not in before for link in one.theirs._open) == 1)
        await one.until(lambda: one.sockets.health().open == 2)


async def test_the_new_one_is_open_before_the_old_one_goes() -> None:
    """After a warning Slack never sees fewer connections than before: they overlap."""
    async with line() as one:
        fewest = one.theirs.count
        await one.theirs.disturb("warning", 1)

        def overlapped() -> bool:
            nonlocal fewest
            fewest = min(fewest, one.theirs.count)
            return one.theirs.count == 3

        await one.until(overlapped)
        assert fewest == 2


async def test_an_old_connection_is_read_until_slack_closes_it() -> None:
    """What still comes over it after the warning is answered, by the way it came."""
    async with line() as one:
        leaving: Connection = one.theirs._open[0]
        await one.theirs.disturb("warning", 1)
        await one.until(lambda: one.theirs.count == 3)
        for other in list(one.theirs._open):
            if other is not leaving:
                one.theirs._forget(other)
        assert await one.send(7) == {"said": 7}


async def test_an_ack_under_way_survives_its_connection() -> None:
    """When the way it came is closed before the answer is there, another takes it."""
    async with line() as one:
        one.answers.may.clear()
        sending = asyncio.create_task(one.send(5))
        await one.until(lambda: len(one.answers.taken) == 1)
        await one.theirs.disturb("refresh_requested", 1)
        await one.until(lambda: one.sockets.health().open == 2)
        one.answers.may.set()
        assert await sending == {"said": 5}


async def test_an_answer_under_way_at_the_end_is_sent() -> None:
    """Stopping the bot waits for the acks it owes."""
    async with line() as one:
        one.answers.may.clear()
        sending = asyncio.create_task(one.send(5))
        await one.until(lambda: len(one.answers.taken) == 1)
        asyncio.get_running_loop().call_later(0.1, one.answers.may.set)
    assert await sending == {"said": 5}


async def test_a_bug_in_a_handler_ends_no_connection(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, there is no ack, and the next payload is answered."""
    async with line() as one:

        async def broken() -> bool:
            raise ZeroDivisionError("oops")

        one.answers.may.wait = broken  # type: ignore[method-assign, assignment]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.theirs.send("interactive", {"n": 1}), 0.3)
        one.answers.may = asyncio.Event()
        one.answers.may.set()
        assert await one.send(2) == {"said": 2}
    assert "ZeroDivisionError" in caplog.text


async def test_fewer_than_two_for_long_is_an_alarm_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error once, in the health as long as it lasts, and a word when it is over."""
    caplog.set_level(logging.WARNING)
    async with line(alarm_s=0.2) as one:
        one.sandbox.faults.add("error", "apps.connections.open", times=99, code="invalid_auth")
        await one.theirs.disturb("refresh_requested", 1)
        await one.until(lambda: one.sockets.health().alarmed)
        health = one.sockets.health()
        assert (health.open, health.trouble) == (1, "apps.connections.open: invalid_auth")
        one.sandbox.faults.clear()
        await one.until(lambda: not one.sockets.health().alarmed)
        assert one.sockets.health().trouble is None
    assert caplog.text.count("fewer than 2 of 2") == 1
    assert caplog.text.count("recovered: 2") == 1
    assert "see SLACK_APP_TOKEN" in caplog.text


async def test_a_refresh_is_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    """Both connections are taken away at once and back within moments: nobody is woken."""
    async with line() as one:
        await one.theirs.disturb("refresh_requested", 2)
        await one.until(lambda: one.sockets.health().open < 2)
        await one.until(lambda: one.sockets.health().open == 2)
    assert "fewer than" not in caplog.text


async def test_socket_mode_switched_off_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody must switch it on again: no reconnecting helps."""
    async with line() as one:
        await one.theirs.disturb("link_disabled", 1)
        await one.until(lambda: one.sockets.health().open == 2 and one.theirs.count == 2)
    assert "switched off" in caplog.text


async def test_ten_connections_are_as_many_as_slack_allows() -> None:
    """With no room for one more, the replacement waits until the old one has gone."""
    async with line(10) as one:
        await one.theirs.disturb("refresh_requested", 1)
        await one.until(lambda: one.theirs.count == 10 and one.sockets.health().open == 10)


# Proxies


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("wss://wss-primary.slack.com/link", "http://proxy:3128"),
        ("ws://slack.example.com/link", "http://plain:3128"),
        ("wss://inside.example.org/link", None),
    ],
)
def test_the_proxy_of_https_is_that_of_sockets(
    monkeypatch: pytest.MonkeyPatch, url: str, found: str | None
) -> None:
    """`HTTPS_PROXY` counts for `wss`, `HTTP_PROXY` for `ws`, and `NO_PROXY` for both."""
    for name in ("https_proxy", "http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://plain:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example.org")
    assert proxy_for(url) == found
