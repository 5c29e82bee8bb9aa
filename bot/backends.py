"""Engines elsewhere: connected to as configured, read, and told what was decided.

The only place that knows which adapter belongs to which engine.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, assert_never

from bot.backend_settings import BackendSettings, Login, SecretKind
from engine import (
    TO_BACKENDS,
    Airflow,
    AirflowPassword,
    AirflowToken,
    Answers,
    Backend,
    BackendKind,
    Clock,
    InvalidSettings,
    Outbox,
    Prefect,
    PrefectKey,
    Store,
    Watch,
)

log = logging.getLogger(__name__)

_DRAIN_S = 5.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def lacking(settings: BackendSettings, environment: Mapping[str, str]) -> list[str]:
    """What must be there before a backend can be connected to, each by its variable or key."""
    found = []
    if settings.login is not None and (wrong := _wrong_secret(settings.login, environment)):
        told = f"{wrong} ({settings.key}.{settings.login.kind} names it)"
        found.append(f"{settings.login.variable}: {told}")
    if settings.ca_file is not None and not settings.ca_file.is_file():
        found.append(f"{settings.key}.ca_file: there is no file {settings.ca_file}")
    return found


def _wrong_secret(login: Login, environment: Mapping[str, str]) -> str | None:
    secret = environment.get(login.variable, "")
    if not secret:
        return "is not set"
    if _CONTROL.search(secret):
        return "holds a line break or another control character"
    if login.kind is SecretKind.AUTH and ":" not in secret:
        return "is not USER:PASSWORD"
    return None


def connect(settings: BackendSettings, clock: Clock, environment: Mapping[str, str]) -> Backend:
    """The adapter of a backend that lacks nothing. No connection is made before it is used."""
    ca_file = None if settings.ca_file is None else str(settings.ca_file)
    name, url, login = settings.name, settings.url, settings.login
    secret = "" if login is None else environment[login.variable]
    match settings.plan.kind:
        case BackendKind.AIRFLOW:
            way = (
                AirflowToken(secret)
                if login is None or login.kind is SecretKind.TOKEN
                else AirflowPassword(login.username, secret)
            )
            return Airflow(name, url, login=way, clock=clock, ca_file=ca_file)
        case BackendKind.PREFECT:
            is_auth = login is not None and login.kind is SecretKind.AUTH
            key = None if login is None else PrefectKey(secret, is_auth_string=is_auth)
            return Prefect(name, url, key=key, clock=clock, ca_file=ca_file)
        case _:
            assert_never(settings.plan.kind)


@asynccontextmanager
async def connected(
    configured: Sequence[BackendSettings], clock: Clock, environment: Mapping[str, str]
) -> AsyncIterator[dict[str, Backend]]:
    """Every backend by its name, until the end. Raises `InvalidSettings` with all that lacks."""
    problems = [problem for one in configured for problem in lacking(one, environment)]
    if problems:
        raise InvalidSettings("\n".join(problems))
    async with AsyncExitStack() as stack:
        backends = {one.name: connect(one, clock, environment) for one in configured}
        for backend in backends.values():
            stack.push_async_callback(backend.close)
        yield backends


def watches(
    store: Store,
    configured: Sequence[BackendSettings],
    backends: Mapping[str, Backend],
    surface: str,
) -> dict[str, Watch]:
    """What reads each backend, by its name; cards are wanted on `surface`."""
    return {
        one.name: Watch(store, backends[one.name], one.plan, every=one.every, surface=surface)
        for one in configured
    }


def parts(
    store: Store,
    backends: Mapping[str, Backend],
    watching: Mapping[str, Watch],
    holder: str,
    stop: asyncio.Event,
) -> list[Coroutine[Any, Any, None]]:
    """The parts of the bot that deal with backends.

    Answers are delivered also where no backend is left: they say then that theirs is missing.
    """
    answers = Outbox(store, Answers(store, backends), holder, kinds=TO_BACKENDS)
    every = [watch.run(stop) for watch in watching.values()]
    return [_in_time(stop, part) for part in (*every, answers.run(stop))]


async def _in_time(stop: asyncio.Event, part: Coroutine[Any, Any, None]) -> None:
    """Run a part until it ends. One that waits for a server longer than a moment is cut off.

    Nothing is lost by that: what was decided is on record, and told at the next start.
    """
    task = asyncio.ensure_future(part)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((task,), timeout=_DRAIN_S)
    finally:
        stopping.cancel()
        task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()
