"""Talking JSON to a backend: bounded in time and size, every failure one of two exceptions."""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from engine.clock import Clock
from engine.errors import BackendUnreachable

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_MOST_BYTES = 32 * 1024 * 1024
_CONNECTIONS = 4
_IDLE_S = 3  # servers close what was idle for 5 s: not to be met while we send


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the JSON document that came with it; None where there was none."""

    status: int
    document: Any

    @property
    def is_ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300  # noqa: PLR2004 (HTTP)

    @property
    def detail(self) -> str:
        """What the server says is wrong, cut to a line."""
        found = self.document.get("detail") if isinstance(self.document, Mapping) else None
        said = found if isinstance(found, str) else json.dumps(found) if found else ""
        return " ".join(said.split())[:300]


class Session:
    """Requests to one server. Follows no redirects, so that credentials go nowhere else."""

    def __init__(self, name: str, url: str, clock: Clock, ca_file: str | None = None) -> None:
        """`url` is the address that paths are put behind; `name` is how errors call it."""
        self._name = name
        self._url = url.rstrip("/")
        self._clock = clock
        self._ca_file = ca_file
        self._client: aiohttp.ClientSession | None = None
        self.skew: timedelta | None = None
        """How far the server's clock is ahead of ours, to a second, as last told."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises `BackendUnreachable` unless the server answered below 500 with JSON.

        A redirect, too, is no answer: the address in the configuration is wrong then.
        """
        try:
            async with self._open().request(
                method,
                f"{self._url}{path}",
                json=body,
                params=query,
                headers=headers,
                allow_redirects=False,
            ) as reply:
                content = await reply.content.read(_MOST_BYTES + 1)
                while not reply.content.at_eof() and len(content) <= _MOST_BYTES:
                    content += await reply.content.read(_MOST_BYTES + 1 - len(content))
                self._note_time(reply.headers.get("Date"))
                return self._understood(reply.status, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BackendUnreachable(f"{self._name}: {_reason(error)}") from error

    def on_our_clock(self, theirs: datetime) -> datetime:
        """A time that the server told, as our clock would tell it."""
        return theirs.astimezone(UTC) - (self.skew or timedelta())

    async def close(self) -> None:
        """End the connections. Another request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._client is None:
            context = ssl.create_default_context(cafile=self._ca_file)
            connector = aiohttp.TCPConnector(
                limit=_CONNECTIONS, keepalive_timeout=_IDLE_S, ssl=context
            )
            # No cookies: who we are is in a header, and nothing else is to be carried along.
            self._client = aiohttp.ClientSession(
                connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._client

    def _understood(self, status: int, content: bytes) -> Answer:
        if len(content) > _MOST_BYTES:
            raise BackendUnreachable(f"{self._name}: an answer larger than {_MOST_BYTES:,} bytes")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or 300 <= status < 400:  # noqa: PLR2004
            raise BackendUnreachable(f"{self._name}: answered {status}")
        try:
            return Answer(status, json.loads(content) if content.strip() else None)
        except (ValueError, RecursionError) as error:
            told = f"{self._name}: answered {status} with something that is not JSON"
            raise BackendUnreachable(told) from error

    def _note_time(self, date: str | None) -> None:
        try:
            told = parsedate_to_datetime(date) if date else None
        except ValueError:
            return
        if told is not None and told.tzinfo is not None:
            self.skew = told - self._clock.now().replace(microsecond=0)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error.args[-1]}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot be reached: {_why(error.os_error)}"
    return f"{type(error).__name__}: {error}"


def _why(error: OSError) -> str:
    """`Connection refused`; what the library says of it names sockets and tuples."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror or error)
