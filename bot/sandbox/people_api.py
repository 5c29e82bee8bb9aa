"""/people, /faults and /calls: JSON over HTTP for the page, the demo and the tests."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from aiohttp import web

from bot.sandbox import changes, commands, seed, seen
from bot.sandbox.acts import NotPossible, Outcome
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.people import People
from bot.sandbox.values import Json
from bot.sandbox.web_api import WebApi

LONGEST_WAIT_S = 60.0
COALESCE_S = 0.01
Act: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Outcome]]
Change: TypeAlias = Callable[[Mapping[str, Any]], object]


class PeopleApi:
    """Routes acts and changes; a body that lacks a field, or asks the impossible, gets 400."""

    def __init__(self, slack: LocalSlack, api: WebApi) -> None:
        self._slack = slack
        self._api = api
        self._people = People(slack)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/people/state", self._state),
            web.post("/people/{act}", self._act),
            web.get("/faults", self._faults),
            web.post("/faults", self._add_fault),
            web.delete("/faults", self._clear_faults),
            web.post("/faults/socket", self._disturb),
            web.get("/calls", self._calls),
            web.delete("/calls", self._clear_calls),
        ]

    def _acts(self) -> Mapping[str, Act]:
        people, slack = self._people, self._slack
        return {
            "click": lambda b: people.click(
                b["user"],
                b["channel"],
                b["ts"],
                b["action_id"],
                value=b.get("value"),
                block_id=b.get("block_id"),
            ),
            "click_view": lambda b: people.click_view(
                b["user"],
                b["action_id"],
                value=b.get("value"),
                block_id=b.get("block_id"),
                values=b.get("values"),
                home=b.get("home", False),
            ),
            "fill": lambda b: people.fill(b["user"], b["values"]),
            "submit": lambda b: people.submit(b["user"], b.get("values") or {}),
            "close": lambda b: people.close(b["user"], everything=b.get("everything", False)),
            "open_home": lambda b: people.open_home(b["user"], b.get("tab", "home")),
            "slash": lambda b: commands.slash(
                slack,
                b["user"],
                b["channel"],
                b["text"],
                in_thread=b.get("in_thread", False),
            ),
        }

    def _changes(self) -> Mapping[str, Change]:
        slack = self._slack
        return {
            "say": lambda b: changes.say(
                slack, b["user"], b["channel"], b["text"], thread_ts=b.get("thread_ts")
            ),
            "delete": lambda b: changes.delete_message(slack, b["channel"], b["ts"]),
            "join": lambda b: changes.join(slack, b["channel"], b.get("member", seed.BOT_USER)),
            "leave": lambda b: changes.leave(slack, b["channel"], b.get("member", seed.BOT_USER)),
            "delete_channel": lambda b: changes.delete_channel(slack, b["channel"]),
            "rename": lambda b: changes.rename(slack, b["channel"], b["name"]),
            "archive": lambda b: changes.archive(
                slack, b["channel"], archived=b.get("archived", True)
            ),
            "change_user": lambda b: changes.change_user(slack, b["member"], **b["flags"]),
            "change_group": lambda b: changes.change_group(slack, b["group"], b["users"]),
        }

    async def _state(self, request: web.Request) -> web.Response:
        query = request.query
        user = query.get("user", "")
        if user not in self._slack.workspace.users:
            return _bad(f"there is no user {user!r}")
        wait = min(float(query.get("wait", 0)), LONGEST_WAIT_S)
        if wait > 0:
            since = int(query.get("since", 0))
            if self._slack.workspace.revision <= since:
                await self._slack.workspace.wait(since, wait)
                # A burst of changes makes one answer, not one each.
                await asyncio.sleep(COALESCE_S)
        return web.json_response(seen.state(self._slack, user, query.get("channel")))

    async def _act(self, request: web.Request) -> web.Response:
        name, body = request.match_info["act"], await _body(request)
        act, change = self._acts().get(name), self._changes().get(name)
        try:
            if name == "request_url":
                return web.json_response({"ok": await self._set_request_url(body)})
            if act is not None:
                outcome = await act(body)
                return web.json_response(self._shown(body["user"], outcome))
            if change is not None:
                change(body)
                return web.json_response({"ok": True})
        except KeyError as missing:
            return _bad(f"{name} needs {missing}")
        except NotPossible as impossible:
            return _bad(str(impossible))
        return web.json_response({"ok": False, "error": f"no act {name}"}, status=404)

    def _shown(self, user: str, outcome: Outcome) -> Json:
        stack = self._slack.modals.stack(user)
        modal = seen.view(stack[-1] if stack else None, len(stack))
        return {**outcome.json(), "modal": modal, "revision": self._slack.workspace.revision}

    async def _set_request_url(self, body: Mapping[str, Any]) -> bool:
        self._slack.app.http.url = body["url"]
        return body["url"] is None or await self._slack.app.http.verify()

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response(self._slack.faults.pending())

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = self._slack.faults.add_json(await _body(request))
        except ValueError as wrong:
            return _bad(str(wrong))
        return web.json_response({"ok": True, **asdict(fault)})

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._slack.faults.clear()
        return web.json_response({"ok": True})

    async def _disturb(self, request: web.Request) -> web.Response:
        body = await _body(request)
        try:
            most = body.get("connections")
            disturbed = await self._slack.app.sockets.disturb(
                str(body.get("action")), most if isinstance(most, int) else None
            )
        except ValueError as wrong:
            return _bad(str(wrong))
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


async def _body(request: web.Request) -> Json:
    # Only JSON: a page elsewhere cannot send it here without being asked first (CORS).
    document = None
    if request.content_type == "application/json":
        with contextlib.suppress(ValueError):
            document = await request.json()
    if not isinstance(document, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return document


def _bad(problem: str) -> web.Response:
    return web.json_response({"ok": False, "error": problem}, status=400)
