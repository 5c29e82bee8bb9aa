"""The Web API: /api/METHOD with token, scope, rate limit and trouble checked before the method."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

from aiohttp import web

from bot.sandbox import chat_methods, directory_methods, seed, view_methods
from bot.sandbox.faults import Fault
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import Json, SlackError


@dataclass(frozen=True, kw_only=True)
class Method:
    """One Web API method: what it does, the scope it needs, the token it takes."""

    handle: Callable[[LocalSlack, Json], Json]
    scope: str | None = None
    token: str = seed.BOT_TOKEN


METHODS = {
    "auth.test": Method(handle=directory_methods.auth_test),
    "apps.connections.open": Method(
        handle=directory_methods.connections_open, token=seed.APP_TOKEN
    ),
    "chat.postMessage": Method(handle=chat_methods.post_message, scope="chat:write"),
    "chat.postEphemeral": Method(handle=chat_methods.post_ephemeral, scope="chat:write"),
    "chat.update": Method(handle=chat_methods.update, scope="chat:write"),
    "chat.getPermalink": Method(handle=chat_methods.get_permalink),
    "conversations.info": Method(handle=directory_methods.conversations_info),
    "conversations.list": Method(handle=directory_methods.conversations_list),
    "conversations.open": Method(handle=directory_methods.conversations_open, scope="im:write"),
    "users.info": Method(handle=directory_methods.users_info, scope="users:read"),
    "users.list": Method(handle=directory_methods.users_list, scope="users:read"),
    "users.lookupByEmail": Method(
        handle=directory_methods.users_lookup_by_email, scope="users:read.email"
    ),
    "usergroups.list": Method(handle=directory_methods.usergroups_list, scope="usergroups:read"),
    "usergroups.users.list": Method(
        handle=directory_methods.usergroups_users_list, scope="usergroups:read"
    ),
    "views.open": Method(handle=view_methods.open_view),
    "views.push": Method(handle=view_methods.push),
    "views.update": Method(handle=view_methods.update),
    "views.publish": Method(handle=view_methods.publish),
}
_STRUCTURED = {
    "blocks": "invalid_blocks_format",
    "view": "invalid_arguments",
    "metadata": "invalid_metadata_format",
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A line of the call log: the arguments without the token, what was answered, how long."""

    method: str
    args: Json
    ok: bool
    error: str | None
    fault: str | None
    ts: str | None
    ms: int
    at: float


class WebApi:
    """Answers the app's calls and logs them."""

    def __init__(self, slack: LocalSlack) -> None:
        self.calls: deque[Call] = deque(maxlen=10_000)
        self.stopping = asyncio.Event()
        self._slack = slack

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        started, method = monotonic(), request.match_info["method"]
        args = await _arguments(request)
        token = _token(request, args)
        fault = self._slack.faults.take(method)
        reply: Json = {"ok": False, "error": fault.kind} if fault else {}
        if fault is None or fault.kind in {"slow", "drop_after"}:
            if fault and fault.kind == "slow":
                await asyncio.sleep(fault.ms / 1000)
            reply = self._reply(method, token, args)
        self._log(method, args, reply, fault, started)
        return await self._response(request, method, reply, fault)

    def _reply(self, method_name: str, token: str | None, args: Json) -> Json:
        try:
            method = self._allowed(method_name, token)
            self._paced(method_name, str(args.get("channel") or ""))
            return {"ok": True, **method.handle(self._slack, _structured(args))}
        except SlackError as refusal:
            reply = {"ok": False, "error": refusal.code, **refusal.details}
            if refusal.code == "missing_scope":
                reply["provided"] = self._scopes()
            return reply

    def _allowed(self, method_name: str, token: str | None) -> Method:
        method = METHODS.get(method_name)
        if method is None:
            raise SlackError("unknown_method", req_method=method_name)
        if not token:
            raise SlackError("not_authed")
        if token not in {seed.BOT_TOKEN, seed.APP_TOKEN}:
            raise SlackError("invalid_auth")
        if token != method.token:
            raise SlackError("not_allowed_token_type")
        if method.scope and method.scope not in self._slack.manifest.scopes:
            raise SlackError("missing_scope", needed=method.scope)
        return method

    def _paced(self, method_name: str, channel: str) -> None:
        wait = self._slack.pacer.retry_after(method_name, channel)
        if wait:
            raise SlackError("ratelimited", retry_after=wait)

    def _scopes(self) -> str:
        return ",".join(sorted(self._slack.manifest.scopes))

    async def _response(
        self, request: web.Request, method: str, reply: Json, fault: Fault | None
    ) -> web.StreamResponse:
        known = METHODS.get(method)
        headers = {
            "x-oauth-scopes": self._scopes(),
            "x-accepted-oauth-scopes": (known.scope if known else None) or "",
        }
        kind = fault.kind if fault else None
        if kind in {"drop_before", "drop_after"} and request.transport:
            request.transport.abort()
        if fault and kind == "hang":
            await self._hang(fault.ms)
        if kind == "http_500":
            return web.Response(status=500, text="internal error")
        if kind == "html_503":
            page = "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>"
            return web.Response(status=503, text=page, content_type="text/html")
        if fault and kind == "error":
            reply = {"ok": False, "error": fault.code}
        if fault and kind == "ratelimited":
            reply = {"ok": False, "error": "ratelimited", "retry_after": fault.retry_after}
        if reply.get("error") == "ratelimited":
            headers["Retry-After"] = str(reply.pop("retry_after"))
            return web.json_response(reply, status=429, headers=headers)
        return web.json_response(reply, headers=headers)

    async def _hang(self, ms: int) -> None:
        try:
            async with asyncio.timeout(ms / 1000 if ms else None):
                await self.stopping.wait()
        except TimeoutError:
            pass

    def _log(
        self, method: str, args: Json, reply: Json, fault: Fault | None, started: float
    ) -> None:
        self.calls.append(
            Call(
                method=method,
                args=args,
                ok=reply.get("ok", False),
                error=reply.get("error"),
                fault=fault.kind if fault else None,
                ts=reply.get("ts"),
                ms=int((monotonic() - started) * 1000),
                at=time(),
            )
        )


async def _arguments(request: web.Request) -> Json:
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            document = json.loads(await request.text() or "{}")
        except ValueError:
            document = {}
        return {**args, **(document if isinstance(document, dict) else {})}
    return {**args, **{k: v for k, v in (await request.post()).items() if isinstance(v, str)}}


def _token(request: web.Request, args: Json) -> str | None:
    given = args.pop("token", None)
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ").strip() or given


def _structured(args: Json) -> Json:
    """Return arguments with the JSON that forms carry in strings taken out of them."""
    found: dict[str, Any] = dict(args)
    for name, error in _STRUCTURED.items():
        if isinstance(found.get(name), str):
            try:
                found[name] = json.loads(found[name]) if found[name] else None
            except ValueError:
                raise SlackError(error) from None
    return found
