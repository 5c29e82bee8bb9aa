"""Socket Mode, Slack's side: connections, envelopes, acks.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from bot.sandbox import seed
from bot.sandbox.values import Json

MOST_CONNECTIONS = 10
ACTIONS = frozenset({"warning", "refresh_requested", "link_disabled", "abort"})


class Connection:
    """One open socket and the request that carries it."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._request = request
        self.socket = socket

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Sockets:
    """The app's open connections; a payload goes to any one of them, in turn.

    `changed` is called when a connection opened or closed.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._tickets: set[str] = set()
        self._open: list[Connection] = []
        self._turn = 0
        self._waiting: dict[str, asyncio.Future[Json]] = {}

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def ticket(self) -> str:
        """Return a new ticket for the link apps.connections.open hands out."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it closes."""
        if request.query.get("ticket") not in self._tickets:
            raise web.HTTPForbidden(text="invalid ticket")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.count >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        connection = Connection(request, socket)
        self._open.append(connection)
        self._changed()
        try:
            await socket.send_json(self._hello())
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acked(message.data)
        finally:
            self._forget(connection)
        return socket

    async def send(self, kind: str, payload: Any, *, copies: int = 1, **extra: Any) -> Json:
        """Send an envelope and return the payload of its ack; wait as long as the caller does."""
        envelope_id = str(uuid4())
        envelope = {
            "envelope_id": envelope_id,
            "payload": payload,
            "type": kind,
            "accepts_response_payload": kind != "events_api",
            **extra,
        }
        acked: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = acked
        try:
            for _ in range(copies):
                await self._next().socket.send_json(envelope)
            return await acked
        finally:
            self._waiting.pop(envelope_id, None)

    async def disturb(self, action: str, most: int | None = None) -> int:
        """Do what Slack does to connections (see ACTIONS), to `most` of them; return how many."""
        if action not in ACTIONS:
            raise ValueError(f"no such action: {action!r}")
        disturbed = list(self._open)[:most]
        for connection in disturbed:
            if action == "abort":
                self._forget(connection)
                connection.abort()
                continue
            notice = {"type": "disconnect", "reason": action, "debug_info": self._debug()}
            await connection.socket.send_json(notice)
            if action != "warning":
                self._forget(connection)
                await connection.socket.close()
        return len(disturbed)

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._open):
            self._forget(connection)
            connection.abort()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": self.count,
            "debug_info": {**self._debug(), "approximate_connection_time": 18060},
            "connection_info": {"app_id": seed.APP_ID},
        }

    @staticmethod
    def _debug() -> Json:
        return {"host": "applink-sandbox", "build_number": 1}

    def _next(self) -> Connection:
        if not self._open:
            raise ConnectionError("no socket is open")
        self._turn += 1
        return self._open[self._turn % len(self._open)]

    def _acked(self, data: str) -> None:
        try:
            message = json.loads(data)
        except ValueError:
            return
        waiting = self._waiting.get(message.get("envelope_id", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(message.get("payload") or {})

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._changed()
