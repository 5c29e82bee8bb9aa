"""/faults, /calls and /trouble: making trouble over HTTP, and watching the app get over it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from bot.sandbox import trace
from bot.sandbox.bodies import bad, json_body
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.web_api import METHODS, WebApi


class TroubleApi:
    """Routes that store trouble, disturb sockets, and tell what was called and delivered."""

    def __init__(self, slack: LocalSlack, api: WebApi) -> None:
        self._slack = slack
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/trouble", self._trouble),
            web.get("/faults", self._faults),
            web.post("/faults", self._add_fault),
            web.delete("/faults", self._clear_faults),
            web.post("/faults/socket", self._disturb),
            web.get("/calls", self._calls),
            web.delete("/calls", self._clear_calls),
        ]

    async def _trouble(self, _request: web.Request) -> web.Response:
        app = self._slack.app
        return web.json_response(
            {
                "pending": self._slack.faults.pending(),
                "methods": sorted(METHODS),
                "sockets": app.sockets.count,
                "lines": trace.lines(self._api.calls, app.log),
            }
        )

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response(self._slack.faults.pending())

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = self._slack.faults.add_json(await json_body(request))
        except ValueError as wrong:
            return bad(str(wrong))
        self._slack.workspace.touch()
        return web.json_response({"ok": True, **asdict(fault)})

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._slack.faults.clear()
        self._slack.workspace.touch()
        return web.json_response({"ok": True})

    async def _disturb(self, request: web.Request) -> web.Response:
        body: Mapping[str, Any] = await json_body(request)
        try:
            most = body.get("connections")
            disturbed = await self._slack.app.sockets.disturb(
                str(body.get("action")), most if isinstance(most, int) else None
            )
        except ValueError as wrong:
            return bad(str(wrong))
        return web.json_response({"ok": True, "connections": disturbed})

    async def _calls(self, request: web.Request) -> web.Response:
        method = request.query.get("method")
        calls = [asdict(one) for one in self._api.calls if method in (None, one.method)]
        deliveries = [asdict(one) for one in self._slack.app.log]
        return web.json_response({"calls": calls, "deliveries": deliveries})

    async def _clear_calls(self, _request: web.Request) -> web.Response:
        self._api.calls.clear()
        self._slack.app.log.clear()
        return web.json_response({"ok": True})
