"""One writer thread, one transaction per use case, waiting ones share a commit."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL

from engine.clock import Clock, SystemClock
from engine.errors import StoreUnavailable
from engine.store import connect, schema
from engine.store.changes import CHANNEL, Changes, open_changes

T = TypeVar("T")

_GROUP = 64  # transactions that may share one commit
_READERS = 4


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction and the one moment it takes place at."""

    connection: sa.Connection
    now: datetime

    def run(self, statement: sa.Executable, **params: Any) -> sa.CursorResult[Any]:
        """Execute a statement."""
        result = self.connection.execute(statement, params or None)
        assert isinstance(result, sa.CursorResult)  # noqa: S101 (narrows a Core result)
        return result


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]

    def answer(self, value: Any, refusal: BaseException | None) -> None:
        """Tell whoever waits, from the writer's thread."""
        # A loop that was closed meanwhile has nobody left who would want to know.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, value, refusal)

    def _settle(self, value: Any, refusal: BaseException | None) -> None:
        if self.done.done():  # cancelled: an error is not news to anybody then
            return
        if refusal is None:
            self.done.set_result(value)
        else:
            self.done.set_exception(refusal)


class Store:
    """An open database.

    Writes run in one dedicated thread, each in a savepoint of its own; those that
    wait while a commit is under way share the next one. A write that was awaited
    and cancelled may still have committed: treat it as unknown.
    """

    def __init__(self, url: URL, clock: Clock, *, keeps_wal_short: bool) -> None:
        self.url = url
        self.clock = clock
        self._write_engine = connect.write_engine(url, keeps_wal_short=keeps_wal_short)
        self._read_engine = connect.read_engine(url, readers=_READERS)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="signoff-read")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False
        self._writer = threading.Thread(target=self._write_all, name="signoff-write", daemon=True)
        self._writer.start()

    @classmethod
    def open(cls, url: str, clock: Clock | None = None, *, keeps_wal_short: bool = False) -> Self:
        """Open and check a database; an SQLite file that does not exist is made.

        Raises a `StoreError` that says what is wrong and what to do.
        """
        parsed = connect.parse_url(url)
        with connect.explained(parsed):
            schema.ensure(parsed)
        return cls(parsed, clock or SystemClock(), keeps_wal_short=keeps_wal_short)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None on a server."""
        return connect.sqlite_path(self.url)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction; when this returns, it is committed and durable."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        with self._closing:
            if self._is_closed:
                raise StoreUnavailable("the database was closed")
            self._jobs.put(_Job(work, loop, done))
        return await done

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a consistent snapshot that cannot write."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    def changes(self) -> Changes:
        """A subscription to commits by anybody."""
        return open_changes(self.url)

    def close(self) -> None:
        """Finish the writes that were asked for, then let go of the database."""
        with self._closing:
            self._is_closed = True
            self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._write_engine.dispose()
        self._read_engine.dispose()

    def _read(self, work: Callable[[Tx], T]) -> T:
        with connect.explained(self.url), self._read_engine.begin() as connection:
            return work(Tx(connection, self.clock.now()))

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, closing = self._gather(job)
            self._commit(group)
            if closing:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        group = [first]
        while len(group) < _GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, group: list[_Job]) -> None:
        answers: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            with connect.explained(self.url), self._write_engine.begin() as connection:
                self._queue_up(connection)
                if len(group) == 1:  # nobody else's work has to survive when this fails
                    answers.append((group[0], self._run(connection, group[0]), None))
                else:
                    answers.extend((job, *self._attempt(connection, job)) for job in group)
        except BaseException as error:  # noqa: BLE001 (nothing of the group is durable: all are told)
            for job in group:
                job.answer(None, error)
            return
        for job, value, refusal in answers:
            job.answer(value, refusal)

    def _queue_up(self, connection: sa.Connection) -> None:
        """On PostgreSQL writers of all replicas queue on one row, as BEGIN IMMEDIATE does."""
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT seq FROM audit_head WHERE id = 1 FOR UPDATE")
            connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def _run(self, connection: sa.Connection, job: _Job) -> Any:
        return job.work(Tx(connection, self.clock.now()))

    def _attempt(self, connection: sa.Connection, job: _Job) -> tuple[Any, BaseException | None]:
        savepoint = connection.begin_nested()
        try:
            value = self._run(connection, job)
        except sa.exc.OperationalError:
            raise  # the connection itself is in doubt: the whole group fails
        except Exception as error:  # noqa: BLE001 (handed to whoever asked for this write)
            savepoint.rollback()
            return None, error
        savepoint.commit()
        return value, None
