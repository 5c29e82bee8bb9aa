"""/people: what people do and see, as JSON over HTTP for the page, the demo and the tests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from bot.sandbox import changes, commands, seed, seen, shortcuts
from bot.sandbox.acts import NotPossible, Outcome
from bot.sandbox.bodies import bad, json_body
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.people import People
from bot.sandbox.values import Json

LONGEST_WAIT_S = 60.0
COALESCE_S = 0.01
Act: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Outcome]]
Change: TypeAlias = Callable[[Mapping[str, Any]], object]


class PeopleApi:
    """Routes acts and changes; a body that lacks a field, or asks the impossible, gets 400."""

    def __init__(self, slack: LocalSlack) -> None:
        self._slack = slack
        self._people = People(slack)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/people/state", self._state),
            web.post("/people/{act}", self._act),
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
            "shortcut": lambda b: shortcuts.shortcut(slack, b["user"], b["callback_id"]),
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
            return bad(f"there is no user {user!r}")
        wait = min(float(query.get("wait", 0)), LONGEST_WAIT_S)
        if wait > 0:
            since = int(query.get("since", 0))
            if self._slack.workspace.revision <= since:
                await self._slack.workspace.wait(since, wait)
                # A burst of changes makes one answer, not one each.
                await asyncio.sleep(COALESCE_S)
        return web.json_response(seen.state(self._slack, user, query.get("channel")))

    async def _act(self, request: web.Request) -> web.Response:
        name, body = request.match_info["act"], await json_body(request)
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
            return bad(f"{name} needs {missing}")
        except NotPossible as impossible:
            return bad(str(impossible))
        return web.json_response({"ok": False, "error": f"no act {name}"}, status=404)

    def _shown(self, user: str, outcome: Outcome) -> Json:
        stack = self._slack.modals.stack(user)
        modal = seen.view(stack[-1] if stack else None, len(stack))
        return {**outcome.json(), "modal": modal, "revision": self._slack.workspace.revision}

    async def _set_request_url(self, body: Mapping[str, Any]) -> bool:
        self._slack.app.http.url = body["url"]
        return body["url"] is None or await self._slack.app.http.verify()
