"""The composition root of the bot: here everything is made and tied together, nowhere else."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import SecretStr
from slack_bolt.app.async_app import AsyncApp

from bot import backends, listeners
from bot.budgets import Budgets
from bot.config import Settings
from bot.dags import dag_folder
from bot.desk import Desk
from bot.homes import Homes
from bot.listeners.events import SURFACE
from bot.notifier import Notifier
from bot.reconciler import Reconciler
from bot.role_file import sync_roles
from bot.rollups import Rollups
from bot.sealing import anchor_in_slack, sign_heads
from bot.signals import listen_to_signals
from bot.slack import Slack, SlackError, SlackRefused, connected
from bot.sockets import Sockets
from bot.supervisor import supervise_worker
from bot.transport import (
    HttpIngress,
    bolt_app,
    http_listener,
    quiet_libraries,
    socket_handler,
)
from bot.wake import WakeUps
from engine import (
    FileLock,
    Heartbeat,
    InvalidSettings,
    Mirror,
    Outbox,
    Schedules,
    Store,
    drop_claims,
    free_dead,
    probe_writable,
    remember_home,
    remind_reviewers,
    sweep_expiry,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

_DRAIN_S = 5.0
_LONGEST_WAIT_FOR_SLACK_S = 30.0


async def serve(settings: Settings, *, http: bool, host: str, port: int, with_worker: bool) -> None:
    """Run the bot until SIGTERM or SIGINT. SIGHUP reads the roles of `signoff.toml` again.

    Raises `InvalidSettings` when a token is missing or refused, `StoreError` when the
    database cannot be used.
    """
    _require_tokens(settings, http=http)
    quiet_libraries()
    store = Store.open(settings.database_url, keeps_wal_short=True)
    lock = FileLock.take(store.path, "serve") if store.path else None
    stop = asyncio.Event()
    try:
        if lock is not None:  # the one bot of this file: whoever held a claim is gone
            await store.write(drop_claims)
        await store.write(partial(sync_roles, settings=settings, take_over=True))
        listen_to_signals(store, stop)
        way_in = WayIn((host, port) if http else None)
        await run_bot(store, settings, stop, way_in, with_worker=with_worker)
    finally:
        store.close()
        if lock is not None:
            lock.release()


@dataclass(frozen=True, slots=True)
class WayIn:
    """How Slack reaches us: at this host and port, or, without one, through Socket Mode.

    `opened` is told once it is open: the port, or 0 for Socket Mode. Over HTTP, `beside` is
    served at the same place.
    """

    http_at: tuple[str, int] | None = None
    opened: Callable[[int], None] = lambda _port: None
    beside: Sequence[web.RouteDef] = ()


async def run_bot(
    store: Store, settings: Settings, stop: asyncio.Event, way_in: WayIn, *, with_worker: bool
) -> None:
    """Everything the bot does, until `stop` is set. Raises `InvalidSettings`."""
    async with backends.connected(settings.backends, store.clock, os.environ) as elsewhere:
        watching = backends.watches(store, settings.backends, elsewhere, SURFACE)
        parts = backends.parts(store, elsewhere, watching, _holder(), stop)
        if settings.wake_token is not None and watching:
            wake_ups = WakeUps(settings.wake_token, watching).routes()
            if way_in.http_at is None:
                parts.append(_listen_for_wake_ups(wake_ups, settings.wake_at, stop))
            way_in = replace(way_in, beside=wake_ups)
        await _run(store, settings, stop, way_in, parts, with_worker=with_worker)


async def _run(
    store: Store,
    settings: Settings,
    stop: asyncio.Event,
    way_in: WayIn,
    beside: Sequence[Coroutine[Any, Any, None]],
    *,
    with_worker: bool,
) -> None:
    heartbeat = Heartbeat(store.clock, settings.tick)
    heartbeat.every_tick("expiry", partial(sweep_expiry, store))
    heartbeat.every_tick("reviews", partial(remind_reviewers, store))
    heartbeat.every_tick("take-over", partial(free_dead, store, socket.gethostname()))
    folder = dag_folder(settings)
    if folder is not None:
        schedules = Schedules(store, folder, socket.gethostname())
        heartbeat.every_tick("schedules", schedules.sweep)
    sign_heads(store, settings.audit, heartbeat)
    for surface, path in settings.mirrors.items():
        heartbeat.every_tick(f"{surface} mirror", Mirror(store, surface, path).sweep)
    parts = [
        # Deadlines are kept and runs go on whether or not Slack can be reached.
        heartbeat.run(stop),
        *beside,
        _talk_to_slack(store, settings, stop, way_in, heartbeat),
    ]
    if with_worker:
        parts.append(supervise_worker(stop, settings.secret_variables))
    await _together(stop, *parts)


async def _together(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run parts of the bot until all have ended. When one fails, the others are asked to stop.

    They are not cancelled: a sweep cut off in its middle would look like a failure of its own.
    """
    ends = await asyncio.gather(*(_until(stop, part) for part in parts), return_exceptions=True)
    failures = [end for end in ends if isinstance(end, BaseException)]
    if failures:
        raise failures[0]


async def _until(stop: asyncio.Event, part: Coroutine[Any, Any, None]) -> None:
    try:
        await part
    finally:
        stop.set()


async def _talk_to_slack(
    store: Store,
    settings: Settings,
    stop: asyncio.Event,
    way_in: WayIn,
    heartbeat: Heartbeat,
) -> None:
    budgets = Budgets(store.clock.monotonic, settings.slack_pace)
    token = _secret(settings.bot_token)
    async with connected(settings.slack_api_url, token, budgets) as slack:
        home = await _ask(slack.installation, "SLACK_BOT_TOKEN", stop)
        if home is None:
            return
        await store.write(partial(remember_home, realm=home.realm))
        reconciler = Reconciler(store, slack.giving_way(), settings, SURFACE)
        sockets = None if way_in.http_at else _sockets(slack, settings, reconciler.doubt)
        desk = replace(Desk.at(store, slack, home, settings), sockets=sockets)
        app = bolt_app(slack.web, home)
        homes = Homes(desk)
        listeners.register(app, desk, homes)
        notifier = Notifier(store, slack.giving_way(), settings, desk.directory)
        outbox = Outbox(store, notifier, _holder(), closed=slack.budgets.closed)
        heartbeat.every_tick("outbox", outbox.sweep)
        heartbeat.every_tick("roll-ups", Rollups(store, slack, _holder()).sweep)
        heartbeat.every_tick("cards", reconciler.sweep)
        anchor_in_slack(store, settings.audit, slack.giving_way(), heartbeat)
        await _together(
            stop,
            outbox.run(stop),
            homes.run(stop),
            _let_slack_in(app, desk, stop, way_in),
        )


def _sockets(slack: Slack, settings: Settings, opened: Callable[[], None]) -> Sockets:
    url = partial(slack.socket_url, _secret(settings.app_token))
    return Sockets(url, settings.sockets, opened=opened)


async def _let_slack_in(app: AsyncApp, desk: Desk, stop: asyncio.Event, way_in: WayIn) -> None:
    settings = desk.settings
    async with contextlib.AsyncExitStack() as stack:
        if desk.sockets is not None:
            token = _secret(settings.app_token)
            if not await _ask(partial(desk.slack.check_app_token, token), "SLACK_APP_TOKEN", stop):
                return
            await stack.enter_async_context(desk.sockets.held(socket_handler(app)))
            port, way = 0, f"{desk.sockets.health().open} Socket Mode connections"
        else:
            if way_in.http_at is None:
                raise AssertionError("without sockets Slack calls us")
            probe = partial(desk.store.write, probe_writable)
            secret = _secret(settings.signing_secret)
            ingress = HttpIngress(app, secret, desk.store.clock, probe)
            application = ingress.application()
            application.add_routes(way_in.beside)
            port = await stack.enter_async_context(http_listener(application, *way_in.http_at))
            way = f"HTTP on port {port}"
        log.info("ready: %s (%s) through %s", desk.home.team, desk.home.team_id, way)
        way_in.opened(port)
        await stop.wait()
    await desk.follow_ups.drain(_DRAIN_S)


async def _listen_for_wake_ups(
    routes: Sequence[web.RouteDef], at: tuple[str, int], stop: asyncio.Event
) -> None:
    host, port = at
    application = web.Application()
    application.add_routes(routes)
    try:
        async with http_listener(application, host, port) as opened:
            log.info("wake-up calls are taken on port %d of %s", opened, host)
            await stop.wait()
    except OSError as error:
        told = f"cannot listen at {host}:{port}: {error.strerror}"
        raise InvalidSettings(f"SIGNOFF_WAKE_LISTEN: {told}") from error


async def _ask(
    question: Callable[[], Awaitable[T]], token_name: str, stop: asyncio.Event
) -> T | None:
    """Ask Slack as long as it takes to get an answer. None when stopped meanwhile.

    Raises `InvalidSettings` when Slack refuses the token.
    """
    wait_s = 0.5
    while not stop.is_set():
        try:
            return await question()
        except SlackRefused as error:
            raise InvalidSettings(
                f"Slack refuses {token_name} ({error.code}): copy the token of your app again "
                "(docs/tutorial.md shows where it is), and run `signoff doctor`"
            ) from error
        except SlackError as error:
            log.warning("Slack cannot be reached yet (%s); trying again in %.1f s", error, wait_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_FOR_SLACK_S)
    return None


def _require_tokens(settings: Settings, *, http: bool) -> None:
    wanted = {"SLACK_BOT_TOKEN": settings.bot_token}
    if http:
        wanted["SLACK_SIGNING_SECRET"] = settings.signing_secret
    else:
        wanted["SLACK_APP_TOKEN"] = settings.app_token
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        raise InvalidSettings(
            f"{' and '.join(missing)} must be set to talk to Slack (docs/tutorial.md shows where "
            "they come from). To try Signoff without a workspace: make demo"
        )


def _secret(token: SecretStr | None) -> str:
    if token is None:
        raise AssertionError("the tokens were checked at the start")
    return token.get_secret_value()


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
