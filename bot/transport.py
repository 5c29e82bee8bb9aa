"""How Slack's bytes come in: Socket Mode by default, or signed HTTP."""

import asyncio
import hashlib
import hmac
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.slack import Installation, WebClient
from bot.sockets import Handle, Payload
from engine import Clock, StoreError

log = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024  # bytes
STALE_S = 300
_PROBE_S = 2.0
_IDLE_S = 75.0  # longer than proxies keep a connection: else one may be used as we close it
_INTERNAL_HEADERS = frozenset({"x-slack-bolt-lazy-only", "x-slack-bolt-lazy-function-name"})


def quiet_libraries() -> None:
    """Keep request bodies and tokens out of the log, and chatter: they write all of it."""
    for name in ("slack_bolt", "slack_sdk", "aiohttp", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A tick that finds the last one still at work is skipped on purpose, and no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _quiet_logger(name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(logging.WARNING)
    return logger


def is_genuine(secret: str, timestamp: str, signature: str, body: bytes, now_s: float) -> bool:
    """Whether Slack signed this body, within five minutes of `now_s` (seconds, UTC epoch).

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    if not (timestamp.isascii() and timestamp.isdigit() and signature.isascii()):
        return False
    if len(timestamp) > 12 or abs(now_s - int(timestamp)) > STALE_S:  # noqa: PLR2004 (digits of a date)
        return False
    base = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)


def is_readable(content_type: str, body: bytes) -> bool:
    """Whether the body is what its type says, and not nested past all reason."""
    try:
        text = body.decode()
        if content_type == "application/x-www-form-urlencoded":
            payload = parse_qs(text).get("payload")
            text = payload[0] if payload else "{}"
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class HttpIngress:
    """`/slack/events`: checks the raw bytes before anything is parsed, then hands them to Bolt."""

    def __init__(
        self,
        app: AsyncApp,
        signing_secret: str,
        clock: Clock,
        probe: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._secret = signing_secret
        self._clock = clock
        self._probe = probe

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_post("/slack/events", self._events)
        application.router.add_get("/healthz", self._health)
        return application

    async def _events(self, request: web.Request) -> web.Response:
        if (request.content_length or 0) > BODY_LIMIT:
            return web.Response(status=413)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        if not self._is_genuine(request, body):
            log.warning("refused an HTTP request that Slack did not sign, or not lately")
            return web.Response(status=401)
        if not is_readable(request.content_type, body):
            return web.Response(status=400)
        answer = await self._app.async_dispatch(
            AsyncBoltRequest(
                body=body.decode(), query=request.query_string, headers=_headers(request)
            )
        )
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={"Content-Type": answer.first_headers().get("content-type", "text/plain")},
        )

    def _is_genuine(self, request: web.Request, body: bytes) -> bool:
        return is_genuine(
            self._secret,
            request.headers.get("X-Slack-Request-Timestamp", ""),
            request.headers.get("X-Slack-Signature", ""),
            body,
            self._clock.now().timestamp(),
        )

    async def _health(self, _request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_PROBE_S):
                await self._probe()
        except (StoreError, TimeoutError) as error:
            why = str(error) or "the database did not answer in time"
            log.warning("the health probe failed: %s", why)
            return web.json_response({"ok": False}, status=503)
        trouble = self._clock.trouble
        return web.json_response(
            {"ok": True} if trouble is None else {"ok": True, "clock": trouble}
        )


def _headers(request: web.Request) -> dict[str, str | Sequence[str]]:
    return {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in _INTERNAL_HEADERS
    }


def bolt_app(web_client: WebClient, home: Installation) -> AsyncApp:
    """Bolt for one installation, told who it is instead of asking Slack on a click."""
    # With these set, Bolt would turn on its own OAuth with a store of files, or warn that it
    # was told the token twice. We have read what we need of them.
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_BOT_TOKEN"):
        os.environ.pop(name, None)
    known = AuthorizeResult(
        enterprise_id=None,
        team_id=home.team_id,
        bot_token=web_client.token,
        bot_id=home.bot_id,
        bot_user_id=home.bot_user_id,
    )

    async def authorize(**_context: object) -> AuthorizeResult:
        # Bolt's own would ask Slack on the first click, and swallow the click if Slack balked.
        return known

    return AsyncApp(
        # Bolt gives its own loggers the root's level: at DEBUG they would log what people typed.
        logger=_quiet_logger("slack_bolt.app"),
        client=WebClient(base_url=web_client.base_url),  # a client with a token makes Bolt warn
        authorize=authorize,
        request_verification_enabled=False,  # the ingress did, on the raw bytes
        # Each listener is awaited, and acks when what it acks is done: an event, too. Otherwise
        # Bolt polls for the ack of every request, and after 3 s runs the next matching listener.
        process_before_response=True,
        ignoring_self_events_enabled=False,  # our own posts tell us where a lost reply went
    )


@asynccontextmanager
async def http_listener(application: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Listen; yields the port (which the system chose when it was given 0)."""
    # No access log: it would tell nothing of use, and everything about who clicks when.
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=_IDLE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def socket_handler(app: AsyncApp) -> Handle:
    """Hand the envelopes of Socket Mode to Bolt, and what it answers back."""

    async def handle(envelope: Payload) -> Payload | None:
        retried: dict[str, str | Sequence[str]] = {
            f"x-slack-retry-{name}": str(envelope[key])
            for name, key in (("num", "retry_attempt"), ("reason", "retry_reason"))
            if envelope.get(key)
        }
        answer = await app.async_dispatch(
            AsyncBoltRequest(mode="socket_mode", body=dict(envelope["payload"]), headers=retried)
        )
        if answer.status != HTTPStatus.OK:
            return None  # whoever clicked is told by Slack, and an event comes again
        kind = answer.first_headers().get("content-type", "")
        if answer.body and kind.startswith("application/json"):
            answered: Payload = json.loads(answer.body)
            return answered
        return {"text": answer.body} if answer.body else {}

    return handle
