"""Small apps that talk to the sandbox as the real one does: through slack_sdk."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import Sandbox, seed

Json = dict[str, Any]


def web_client(sandbox: Sandbox, token: str = seed.BOT_TOKEN) -> AsyncWebClient:
    """Return a client whose only difference to production is the base URL."""
    return AsyncWebClient(token=token, base_url=sandbox.api_url, retry_handlers=[])


class SocketApp:
    """An app on Socket Mode: keeps what it got, acks with what `answers` says."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.client = SocketModeClient(
            app_token=seed.APP_TOKEN, web_client=web_client(sandbox), ping_interval=1
        )
        self.client.socket_mode_request_listeners.append(self._hear)
        self.web = web_client(sandbox)
        self.received: list[SocketModeRequest] = []
        self.answers: dict[str, Callable[[Json], Json | None]] = {}
        self.silent: set[str] = set()
        self._new = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.client.connect()  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.client.close()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)

    def payloads(self, kind: str) -> list[Json]:
        """Return what arrived of one kind: an interaction's, event's or envelope's type."""
        return [r.payload for r in self.received if kind == self._name(r)]

    async def next(self, kind: str, count: int = 1, within: float = 2.0) -> Json:
        """Return the `count`-th payload of a kind once it is there."""
        async with asyncio.timeout(within):
            while len(self.payloads(kind)) < count:
                await self._new.wait()
                self._new.clear()
        return self.payloads(kind)[count - 1]

    @staticmethod
    def _name(request: SocketModeRequest) -> str:
        if request.type == "interactive":
            return str(request.payload["type"])
        if request.type == "events_api":
            return str(request.payload["event"]["type"])
        return str(request.type)

    async def _hear(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.received.append(request)
        self._new.set()
        name = self._name(request)
        if name in self.silent:
            return
        payload = self.answers[name](request.payload) if name in self.answers else None
        response = SocketModeResponse(envelope_id=request.envelope_id, payload=payload)
        await client.send_socket_mode_response(response)
