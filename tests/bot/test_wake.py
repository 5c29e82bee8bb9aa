"""`POST /wake/NAME`: whoever has the token makes a backend be read at once, and can do no more."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from bot.transport import http_listener
from bot.wake import BODY_LIMIT, WakeUps

TOKEN = "correct-horse-battery"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Watched:
    """Counts how often it was woken."""

    woken: int = 0

    def wake(self) -> None:
        """Once more."""
        self.woken += 1


@asynccontextmanager
async def listening(watched: Watched) -> AsyncIterator[str]:
    """An address that takes wake-up calls for `prod`."""
    application = web.Application()
    application.add_routes(WakeUps(SecretStr(TOKEN), {"prod": watched}).routes())
    async with http_listener(application, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def call(
    watched: Watched, name: str, headers: Mapping[str, str] = RIGHT, method: str = "POST"
) -> tuple[int, str]:
    """One call; returns the status and what was said."""
    async with (
        listening(watched) as url,
        ClientSession(headers=headers) as session,
        session.request(method, f"{url}/wake/{name}") as said,
    ):
        return said.status, await said.text()


async def test_the_token_wakes(caplog: pytest.LogCaptureFixture) -> None:
    """It is accepted, done once a call, and nothing of it is logged."""
    caplog.set_level(logging.DEBUG)
    watched = Watched()
    async with listening(watched) as url, ClientSession(headers=RIGHT) as session:
        for body in (b"", b'{"not": "believed"}', b"x" * BODY_LIMIT):
            async with session.post(f"{url}/wake/prod", data=body) as said:
                assert (said.status, await said.text()) == (202, "")
    assert watched.woken == 3
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "header",
    [None, "", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ü"],
)
@pytest.mark.parametrize("name", ["prod", "nobody"])
async def test_without_the_token_nothing_is_said(
    caplog: pytest.LogCaptureFixture, header: str | None, name: str
) -> None:
    """A wrong token is as good as none, and it cannot be learnt which backends there are."""
    watched = Watched()
    headers = {} if header is None else {"Authorization": header}
    assert await call(watched, name, headers) == (401, "")
    assert watched.woken == 0
    assert TOKEN not in caplog.text


async def test_an_unknown_name_is_told_to_those_with_the_token() -> None:
    """It is a mistake in their configuration, or in ours."""
    watched = Watched()
    status, _ = await call(watched, "nobody")
    assert status == 404
    assert watched.woken == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_nothing_but_post_wakes(method: str) -> None:
    """A link that somebody follows does nothing."""
    watched = Watched()
    status, _ = await call(watched, "prod", method=method)
    assert status == 405
    assert watched.woken == 0


async def test_a_large_body_is_refused() -> None:
    """Whether it says its length or comes in pieces."""
    watched = Watched()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * (BODY_LIMIT // 4)

    async with listening(watched) as url, ClientSession(headers=RIGHT) as session:
        for body in (b"x" * (BODY_LIMIT + 1), pieces()):
            async with session.post(f"{url}/wake/prod", data=body) as said:
                assert said.status == 413
    assert watched.woken == 0


async def test_no_more_of_a_body_is_waited_for_than_is_needed() -> None:
    """One that says it is too large is refused before it has come."""
    async with listening(Watched()) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        head = f"POST /wake/prod HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        writer.write(f"{head}Content-Length: {BODY_LIMIT + 1}\r\n\r\n".encode())
        assert b" 413 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
