"""Getting payloads to the app: by socket if one is open, else by request URL, acked in 3 s."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

from aiohttp import ClientError

from bot.sandbox.faults import DELIVERY, Fault, Faults
from bot.sandbox.request_url import Refused, RequestUrl
from bot.sandbox.socket_mode import Sockets
from bot.sandbox.values import Json

TIMED_OUT = "operation_timeout"
UNREACHABLE = "dispatch_failed"
RETRY_DELAYS_S = (0.0, 60.0, 300.0)


@dataclass(frozen=True, kw_only=True)
class Ack:
    """What came of a delivery; `error` is None if the app acked, with `body`, after `ms`."""

    ms: int
    body: Json = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A line of the log: what was delivered, how, and what came of it."""

    kind: str
    name: str
    transport: str
    ms: int
    error: str | None
    fault: str | None
    at: float


class AppLink:
    """The way to the app."""

    def __init__(
        self,
        *,
        faults: Faults,
        request_url: str | None,
        ack_timeout: float,
        retry_delays: tuple[float, ...] = RETRY_DELAYS_S,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.sockets = Sockets(changed)
        self.http = RequestUrl(request_url)
        self.log: deque[Delivered] = deque(maxlen=10_000)
        self._faults = faults
        self.ack_timeout = ack_timeout
        self._retry_delays = retry_delays
        self._tasks: set[asyncio.Task[Any]] = set()

    async def interactive(self, payload: Json) -> Ack:
        """Deliver an interaction once; people's clicks are never retried."""
        return await self._deliver("interactive", payload["type"], payload)

    async def command(self, fields: dict[str, str]) -> Ack:
        """Deliver a slash command once."""
        return await self._deliver("slash_commands", fields["command"], fields)

    def event(self, payload: Json) -> None:
        """Deliver an event in the background, with Slack's three retries."""
        self._keep(asyncio.get_running_loop().create_task(self._until_acked(payload)))

    async def close(self) -> None:
        """Give up what is under way and close every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close()
        await self.http.close()

    async def _until_acked(self, payload: Json) -> None:
        name = payload["event"]["type"]
        ack = await self._deliver("events_api", name, payload)
        for attempt, delay in enumerate(self._retry_delays, start=1):
            if ack.error is None:
                return
            await asyncio.sleep(delay)
            reason = "http_timeout" if ack.error == TIMED_OUT else "http_error"
            ack = await self._deliver("events_api", name, payload, retry=(attempt, reason))

    async def _deliver(
        self,
        kind: str,
        name: str,
        payload: Mapping[str, Any],
        retry: tuple[int, str] = (0, ""),
    ) -> Ack:
        started = monotonic()
        transport = "socket" if self.sockets.count else "http" if self.http.url else "none"
        fault = self._faults.take(DELIVERY)
        error, body = None, {}
        try:
            async with asyncio.timeout(self.ack_timeout):
                body = await self._send(transport, kind, payload, retry, fault)
        except TimeoutError:
            error = TIMED_OUT
        except (Refused, ClientError, OSError) as failure:
            error = str(failure) if isinstance(failure, Refused) else UNREACHABLE
        ms = int((monotonic() - started) * 1000)
        self.log.append(
            Delivered(
                kind=kind,
                name=name,
                transport=transport,
                ms=ms,
                error=error,
                fault=fault.kind if fault else None,
                at=time(),
            )
        )
        return Ack(ms=ms, body=body, error=error)

    async def _send(
        self,
        transport: str,
        kind: str,
        payload: Mapping[str, Any],
        retry: tuple[int, str],
        fault: Fault | None,
    ) -> Json:
        if fault and fault.kind == "lost":
            await asyncio.Event().wait()
        copies = 2 if fault and fault.kind == "twice" else 1
        transmission = self._transmit(transport, kind, payload, copies, retry)
        if fault and fault.kind == "slow":
            # It arrives however late, when the person has long seen an error.
            late = asyncio.get_running_loop().create_task(_after(fault.ms / 1000, transmission))
            self._keep(late)
            return await asyncio.shield(late)
        return await transmission

    async def _transmit(
        self,
        transport: str,
        kind: str,
        payload: Mapping[str, Any],
        copies: int,
        retry: tuple[int, str],
    ) -> Json:
        attempt, reason = retry
        if transport == "socket":
            extra: Json = {}
            if kind == "events_api":
                extra = {"retry_attempt": attempt, "retry_reason": reason}
            return await self.sockets.send(kind, payload, copies=copies, **extra)
        if transport == "http":
            headers = {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason}
            return await self.http.send(
                kind, payload, copies=copies, headers=headers if attempt else None
            )
        raise ConnectionError("the app is not connected and has no request URL")

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _after(seconds: float, transmission: Coroutine[Any, Any, Json]) -> Json:
    await asyncio.sleep(seconds)
    return await transmission
