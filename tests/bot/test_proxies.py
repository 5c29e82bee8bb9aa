"""Behind a proxy: what goes out goes through the one of the environment, by a tunnel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bot.sandbox.server import Sandbox
from bot.slack import SlackUnreachable, connected
from bot.sockets import Payload, Sockets
from tests.journeys.world import MANIFEST

_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY")


class Proxy:
    """A proxy that tunnels to one place, whatever name is asked for, and notes what was asked."""

    def __init__(self, to: tuple[str, int] | None) -> None:
        self.asked: list[str] = []
        self.headers: list[str] = []
        self._to = to

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *headers = head.split("\r\n")
        self.asked.append(line.rpartition(" ")[0])
        self.headers += headers
        if self._to is None:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        else:
            there, back = await asyncio.open_connection(*self._to)
            if line.startswith("CONNECT"):
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:  # plain HTTP is not tunnelled: the address stands in the first line
                back.write(head.encode())
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        writer.close()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        into.write(data)
        await into.drain()
    into.close()


@asynccontextmanager
async def proxied(
    monkeypatch: pytest.MonkeyPatch, to: tuple[str, int] | None = None
) -> AsyncIterator[Proxy]:
    proxy = Proxy(to)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://ola:pass@{address}")
    monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
    try:
        yield proxy
    finally:
        server.close()


async def test_calls_are_tunnelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Web API is asked for by CONNECT, with the name and password of the proxy's address."""
    elsewhere = connected("https://slack.example.com/api/", "xoxb-1")
    async with proxied(monkeypatch) as proxy, elsewhere as slack:
        with pytest.raises(SlackUnreachable):
            await slack.installation()
    assert proxy.asked == ["CONNECT slack.example.com:443"]
    assert any(header.startswith("Proxy-Authorization: Basic") for header in proxy.headers)


async def test_sockets_are_tunnelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are Socket Mode connections, although they are `wss`."""

    async def url() -> str:
        return "wss://wss-primary.example.com/link?ticket=1"

    async def handle(_envelope: Payload) -> Payload | None:
        return {}

    async with proxied(monkeypatch) as proxy:
        sockets = Sockets(url, 2)

        async def hold() -> None:
            async with sockets.held(handle):
                raise AssertionError("nothing can be open")

        holding = asyncio.create_task(hold())
        async with asyncio.timeout(5):
            while sockets.health().trouble is None:
                await asyncio.sleep(0.01)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
    assert set(proxy.asked) == {"CONNECT wss-primary.example.com:443"}
    assert sockets.health().open == 0


async def test_calls_and_sockets_work_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both reach a Slack that only the proxy can see, and payloads are answered."""
    async with Sandbox(manifest=MANIFEST) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        monkeypatch.setattr(sandbox.slack, "url", f"http://127.0.0.1:{port}")

        async def handle(envelope: Payload) -> Payload | None:
            return {"said": envelope["payload"]["n"]}

        through = proxied(monkeypatch, to=("127.0.0.1", port))
        async with through as proxy, connected(sandbox.api_url, "xoxb-sandbox") as slack:
            url = partial(slack.socket_url, "xapp-sandbox")
            async with Sockets(url, 2).held(handle):
                answer = await sandbox.slack.app.sockets.send("interactive", {"n": 4})
        assert answer == {"said": 4}
        assert len([line for line in proxy.asked if "/link" in line]) == 2
        assert any("apps.connections.open" in line for line in proxy.asked)
