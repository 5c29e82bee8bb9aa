"""The sandbox as a server on loopback."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from time import time
from types import TracebackType
from typing import Self

from aiohttp import web

from bot.sandbox import manifest as manifests
from bot.sandbox import response_urls
from bot.sandbox.delivery import RETRY_DELAYS_S, AppLink
from bot.sandbox.faults import Faults
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.manifest import Manifest
from bot.sandbox.modals import Modals
from bot.sandbox.pacing import Pacer
from bot.sandbox.people_api import PeopleApi
from bot.sandbox.person import Person
from bot.sandbox.tickets import Tickets
from bot.sandbox.trouble_api import TroubleApi
from bot.sandbox.web_api import WebApi
from bot.sandbox.workspace import Workspace, seeded

HOST = "127.0.0.1"
PAGE = files("bot.sandbox") / "page"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Sandbox:
    """A local Slack; use as `async with Sandbox(manifest=...) as sandbox`.

    `ack_timeout` and `trigger_ttl` are in seconds; `retry_delays` are the pauses before each
    retry of an event. `port` 0 takes any free port. It listens on 127.0.0.1 only.
    """

    def __init__(
        self,
        *,
        manifest: Manifest | Path | str,
        port: int = 0,
        request_url: str | None = None,
        rate_limits: bool = False,
        rate_scale: float = 1.0,
        ack_timeout: float = 3.0,
        trigger_ttl: float = 3.0,
        retry_delays: tuple[float, ...] = RETRY_DELAYS_S,
        workspace: Workspace | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        if not isinstance(manifest, Manifest):
            manifest = manifests.load(Path(manifest))
        self.workspace = workspace or seeded(now)
        self.faults = Faults()
        self.slack = LocalSlack(
            manifest=manifest,
            workspace=self.workspace,
            modals=Modals(self.workspace),
            tickets=Tickets(now, trigger_ttl),
            faults=self.faults,
            pacer=Pacer(now, enabled=rate_limits, scale=rate_scale),
            app=AppLink(
                faults=self.faults,
                request_url=request_url,
                ack_timeout=ack_timeout,
                retry_delays=retry_delays,
                changed=self.workspace.touch,
            ),
            now=now,
        )
        self.api = WebApi(self.slack)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._persons: list[Person] = []

    @property
    def url(self) -> str:
        """Where the sandbox listens, without a slash at the end."""
        return self.slack.url

    @property
    def api_url(self) -> str:
        """The Web API's base URL, with a slash at the end (SLACK_API_URL)."""
        return f"{self.slack.url}/api/"

    def person(self, user_id: str) -> Person:
        """Return a driver for one person; it is closed with the sandbox."""
        person = Person(self.url, user_id)
        self._persons.append(person)
        return person

    async def start(self) -> None:
        """Listen."""
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port)
        await site.start()
        _, port, *_ = self._runner.addresses[0]
        self.slack.url = f"http://{HOST}:{port}"

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        for person in self._persons:
            await person.aclose()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=8 * 1024 * 1024, middlewares=[_hardened])
        application.add_routes(PeopleApi(self.slack).routes())
        application.add_routes(TroubleApi(self.slack, self.api).routes())
        application.add_routes(
            [
                web.route("*", "/api/{method}", self.api.handle),
                web.post("/response/{token}", partial(response_urls.handle, self.slack)),
                web.get("/link", self.slack.app.sockets.handle),
                web.get("/", _asset),
                web.get("/archives/{channel}/{message}", _asset),
                web.get("/page/{name}", _asset),
            ]
        )
        application.on_shutdown.append(self._let_go)
        return application

    async def _let_go(self, _application: web.Application) -> None:
        self.api.stopping.set()
        self.workspace.touch()
        await self.slack.app.close()


async def _asset(request: web.Request) -> web.Response:
    name = request.match_info.get("name", "index.html")
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
    file = PAGE / name
    if Path(name).suffix not in kinds or not file.is_file():
        raise web.HTTPNotFound
    text = file.read_text(encoding="utf-8")
    return web.Response(text=text, content_type=kinds[Path(name).suffix])


@web.middleware
async def _hardened(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    # A web page elsewhere must not reach people's acts through a name that resolves to loopback.
    host = request.host.rpartition(":")[0] or request.host
    if host not in {HOST, "localhost"}:
        raise web.HTTPForbidden(text="the sandbox answers on loopback only")
    response = await handler(request)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response
