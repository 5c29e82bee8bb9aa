"""A server on loopback that can be made to fail: what the fakes of all engines share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from aiohttp import web

HOST = "127.0.0.1"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Trouble(StrEnum):
    """What a request can suffer."""

    ERROR = "error"  # 500, nothing done
    DROP_BEFORE = "drop_before"  # the connection is cut, nothing done
    DROP_AFTER = "drop_after"  # done, then the connection is cut: the reply is lost
    SLOW_AFTER = "slow_after"  # done, but no reply for as long as anybody waits
    GARBAGE = "garbage"  # a page of somebody else's, with 200
    REDIRECT = "redirect"  # to a login page


@dataclass
class _Stored:
    trouble: Trouble
    method: str
    part: str
    ending: str
    times: int

    def hits(self, request: web.Request) -> bool:
        is_meant = self.part in request.path and request.path.endswith(self.ending)
        return is_meant and self.method in ("*", request.method)


class Faults:
    """The trouble in store, first come first served."""

    def __init__(self) -> None:
        self._stored: list[_Stored] = []

    def add(
        self,
        trouble: Trouble,
        *,
        method: str = "*",
        part: str = "",
        ending: str = "",
        times: int = 1,
    ) -> None:
        """The next requests of a method, to paths that hold a part and end so, suffer it."""
        self._stored.append(_Stored(trouble, method, part, ending, times))

    def take(self, request: web.Request) -> Trouble | None:
        """What a request suffers, which uses up one of its times."""
        for stored in self._stored:
            if stored.hits(request):
                stored.times -= 1
                if stored.times == 0:
                    self._stored.remove(stored)
                return stored.trouble
        return None


class FakeServer:
    """An application on a port of its own; use it as `async with`.

    `requests` is what came in, such as `GET /api/v2/version`, in order.
    """

    def __init__(self, routes: web.RouteTableDef) -> None:
        self.faults = Faults()
        self.requests: list[str] = []
        self._routes = routes
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._port}"

    async def start(self) -> None:
        """Listen, on the same port as before."""
        application = web.Application(middlewares=[self._suffering])
        application.add_routes(self._routes)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be down."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @web.middleware
    async def _suffering(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        trouble = self.faults.take(request)
        if trouble in (None, Trouble.DROP_AFTER, Trouble.SLOW_AFTER):
            reply = await handler(request)
        match trouble:
            case Trouble.ERROR:
                return web.json_response({"detail": "Internal Server Error"}, status=500)
            case Trouble.GARBAGE:
                return web.Response(text="<h1>Welcome</h1>", content_type="text/html")
            case Trouble.REDIRECT:
                return web.Response(status=302, headers={"Location": f"{self.url}/login"})
            case Trouble.DROP_BEFORE | Trouble.DROP_AFTER:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case Trouble.SLOW_AFTER:
                await asyncio.Event().wait()
        return reply
