"""Waking up when somebody else has committed."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy.engine import URL

from engine.store.connect import sqlite_path

CHANNEL = "signoff_changes"
_POLL_S = 0.005  # one `PRAGMA data_version` costs microseconds


class Changes(Protocol):
    """A subscription. Commits that happen between two waits are not missed."""

    async def wait(self, timeout_s: float) -> bool:
        """Return True at once when something was committed since the last wait."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


def open_changes(url: URL) -> Changes:
    """A subscription to commits by anybody, this process included."""
    path = sqlite_path(url)
    return _SqliteChanges(path) if path is not None else _PostgresChanges(url)


class _SqliteChanges:
    """`data_version` moves when any other connection commits; this one never writes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._seen = -1  # the first wait returns at once: whatever is there is news

    async def wait(self, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while (version := self._version()) == self._seen:
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.sleep(min(_POLL_S, left))
        self._seen = version
        return True

    async def close(self) -> None:
        self._connection.close()

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)


class _PostgresChanges:
    """`LISTEN`. A lost connection is made anew, and counts as news."""

    def __init__(self, url: URL) -> None:
        plain = url.set(drivername="postgresql")
        self._dsn = plain.render_as_string(hide_password=False)
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None

    async def wait(self, timeout_s: float) -> bool:
        try:
            if self._connection is None:
                self._connection = await self._listen()
                return True
            notices = self._connection.notifies(timeout=timeout_s, stop_after=1)
            return any([True async for _ in notices])
        except psycopg.OperationalError:
            await self.close()
            await asyncio.sleep(min(timeout_s, 1.0))
            return True

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._connection.close()
            self._connection = None

    async def _listen(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
        await connection.execute(f"LISTEN {CHANNEL}")
        return connection
