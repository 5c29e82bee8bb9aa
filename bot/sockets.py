"""Socket Mode: several connections, each replaced before it goes, and an alarm when few are left.

Slack sends a payload to any one of an app's connections and closes each of them every few
hours: with one connection, or when the new one is opened after the old one was closed, what
comes in between is lost.

    warning             Slack closes this one in about ten seconds
    refresh_requested   it closes it now
    link_disabled       somebody has switched Socket Mode off

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from bot.slack import SlackError, SlackRefused

log = logging.getLogger(__name__)

FEWEST = 2
_OPENING_S = 10.0  # until Slack has said hello
_LEAVING_S = 15.0  # how long a connection is still read after another took its place
_DRAIN_S = 3.0  # Slack waits no longer for an ack
_PING_S = 10.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
ALARM_S = 20.0  # a hand-over takes less

Payload = Mapping[str, Any]
Handle = Callable[[Payload], Awaitable[Payload | None]]
"""From an envelope to what its ack carries; None for no ack, so that the person is told."""


@dataclass(frozen=True, slots=True)
class SocketHealth:
    """How the connections are. `trouble` is why none could be opened the last time."""

    open: int
    wanted: int
    alarmed: bool
    trouble: str | None


@dataclass(eq=False)
class _Socket:
    wire: aiohttp.ClientWebSocketResponse
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Sockets:
    """Holds connections open. `url` asks Slack for the address of a new one.

    `opened` is told of each that opens: what came while it was away may be lost.
    """

    def __init__(
        self,
        url: Callable[[], Awaitable[str]],
        count: int,
        alarm_s: float = ALARM_S,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._opened = opened
        self._count = count
        self._fewest = min(FEWEST, count)
        self._alarm_s = alarm_s
        self._open: list[_Socket] = []
        self._changed = asyncio.Event()
        self._reading: dict[_Socket, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()  # answers and farewells under way
        self._alarmed = False
        self._trouble: str | None = None

    def health(self) -> SocketHealth:
        """How they are now."""
        return SocketHealth(len(self._open), self._count, self._alarmed, self._trouble)

    @asynccontextmanager
    async def held(self, handle: Handle) -> AsyncIterator[None]:
        """Hold them open; entered once all are, or it takes too long and the alarm is near."""
        limits = aiohttp.ClientTimeout(total=None, connect=_OPENING_S)
        async with aiohttp.ClientSession(timeout=limits) as session:
            slots = [asyncio.create_task(self._keep(session, handle)) for _ in range(self._count)]
            watch = asyncio.create_task(self._watch())
            try:
                await self._within(_OPENING_S, self._count)
                yield
            finally:
                for task in (watch, *slots):
                    task.cancel()
                await asyncio.gather(watch, *slots, return_exceptions=True)
                await self._close()

    async def _keep(self, session: aiohttp.ClientSession, handle: Handle) -> None:
        """One place: a connection, and the next one before it goes."""
        wait_s = _FIRST_WAIT_S
        going: _Socket | None = None
        while True:
            try:
                new = await self._connect(session)
            except (SlackError, aiohttp.ClientError, OSError, ValueError) as error:
                self._failed(error)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                continue
            wait_s = _FIRST_WAIT_S
            self._join(new)
            self._opened()
            self._reading[new] = asyncio.create_task(_guarded(self._read(new, handle)))
            if going is not None:
                self._start(self._retire(going))
            going = new
            await new.leaving.wait()

    async def _connect(self, session: aiohttp.ClientSession) -> _Socket:
        async with asyncio.timeout(_OPENING_S):
            url = await self._url()
            wire = await session.ws_connect(url, proxy=proxy_for(url), heartbeat=_PING_S)
            said = await wire.receive()
            hello = json.loads(said.data) if said.type is aiohttp.WSMsgType.TEXT else {}
        if hello.get("type") != "hello":  # "too_many_websockets", for one
            await wire.close()
            raise ConnectionRefusedError(str(hello.get("reason") or "closed before a hello"))
        return _Socket(wire)

    async def _read(self, socket: _Socket, handle: Handle) -> None:
        try:
            async for message in socket.wire:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(socket, json.loads(message.data), handle)
        finally:
            self._leave(socket)
            socket.ended.set()
            self._reading.pop(socket, None)

    def _take(self, socket: _Socket, said: Payload, handle: Handle) -> None:
        if said.get("type") == "disconnect":
            if said.get("reason") == "link_disabled":
                self._trouble = "Socket Mode was switched off for the app (link_disabled)"
                log.error("%s: switch it on in the app's settings", self._trouble)
            self._leave(socket)  # read on: what is under way still comes
        elif "envelope_id" in said:
            self._start(self._answer(socket, said, handle))

    async def _answer(self, socket: _Socket, envelope: Payload, handle: Handle) -> None:
        answer = await handle(envelope)
        if answer is None:
            return
        ack = {"envelope_id": envelope["envelope_id"], **({"payload": answer} if answer else {})}
        # By the way it came, also when that connection is about to go.
        for one in (socket, *self._open):
            if not one.wire.closed:
                try:
                    await one.wire.send_json(ack)
                except (ConnectionError, aiohttp.ClientError):
                    continue
                return
        log.warning("an ack could not be sent: no connection is open")

    async def _retire(self, socket: _Socket) -> None:
        """Slack closes it; if it does not, we do."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(socket.ended.wait(), _LEAVING_S)
        await socket.wire.close()

    async def _watch(self) -> None:
        """Say once that too few are open, and once that there are enough again."""
        while True:
            if await self._within(self._alarm_s, self._fewest):
                await self._changed.wait()
                continue
            self._alarmed = True
            log.error(
                "fewer than %d of %d Socket Mode connections are open for %g s: clicks may be lost"
                " (%s)",
                self._fewest,
                self._count,
                self._alarm_s,
                self._trouble or "no reason is known",
            )
            await self._enough(self._fewest)
            self._alarmed = False
            log.warning("recovered: %d Socket Mode connections are open", len(self._open))

    async def _within(self, limit_s: float, count: int) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await self._enough(count)
        except TimeoutError:
            return False
        return True

    async def _enough(self, count: int) -> None:
        while len(self._open) < count:
            await self._changed.wait()

    def _join(self, socket: _Socket) -> None:
        self._open.append(socket)
        if len(self._open) >= self._count:
            self._trouble = None
        self._tell()

    def _leave(self, socket: _Socket) -> None:
        socket.leaving.set()
        if socket in self._open:
            self._open.remove(socket)
            self._tell()

    def _tell(self) -> None:
        # Whoever waits is woken, and waits for the next change on a new event.
        self._changed.set()
        self._changed = asyncio.Event()

    def _failed(self, error: Exception) -> None:
        why = str(error) or type(error).__name__
        if isinstance(error, SlackRefused) and why != self._trouble:
            log.error("Slack refuses Socket Mode connections (%s): see SLACK_APP_TOKEN", why)
        else:
            log.warning("a Socket Mode connection could not be opened: %s", why)
        self._trouble = why

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_guarded(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _close(self) -> None:
        """Let what is under way send its ack, then close."""
        if self._work:
            await asyncio.wait(self._work, timeout=_DRAIN_S)
        reading = dict(self._reading)
        await asyncio.gather(*(socket.wire.close() for socket in reading))
        for task in (*reading.values(), *self._work):
            task.cancel()
        await asyncio.gather(*reading.values(), *self._work, return_exceptions=True)


async def _guarded(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a Socket Mode connection failed")


def proxy_for(url: str) -> str | None:
    """The proxy of the environment: `HTTPS_PROXY` for `wss`, and `NO_PROXY`.

    The client by itself would look for a `WSS_PROXY`, which nobody sets.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    return getproxies().get(scheme)
