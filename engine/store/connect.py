"""Opening a database: engines, the settings that were measured, and errors made readable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from engine.errors import StoreBusy, StoreError, StoreReadOnly, StoreUnavailable

BUSY_MS = 5000


def parse_url(text: str) -> URL:
    """Read `sqlite:///…` or `postgresql://…`. Raises `StoreUnavailable` for anything else."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise StoreUnavailable(
            "SIGNOFF_DATABASE_URL is not a database URL: "
            "expected sqlite:///PATH or postgresql://USER@HOST/NAME"
        ) from error
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(drivername="sqlite")
        case "sqlite":
            raise StoreUnavailable("an in-memory database cannot hold the record; give it a file")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case other:
            raise StoreUnavailable(f"{other} is not supported: use SQLite or PostgreSQL")


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite database; None for a server."""
    if url.get_backend_name() != "sqlite" or url.database is None:
        return None
    return Path(url.database).expanduser().absolute()


def write_engine(url: URL, *, keeps_wal_short: bool) -> sa.Engine:
    """The engine of the one writer thread: one connection, `BEGIN IMMEDIATE` on SQLite."""
    if (path := sqlite_path(url)) is None:
        return sa.create_engine(
            url, poolclass=sa.pool.QueuePool, pool_size=1, max_overflow=1, pool_pre_ping=True
        )
    engine = _sqlite_engine(path, pool_size=1)
    autocheckpoint = 1000 if keeps_wal_short else 0

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        _settle(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={autocheckpoint}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        # A deferred BEGIN that reads first can fail or lose updates when it writes later.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def read_engine(url: URL, *, readers: int) -> sa.Engine:
    """A second engine that cannot write."""
    if (path := sqlite_path(url)) is None:
        engine = sa.create_engine(url, pool_size=readers, max_overflow=0, pool_pre_ping=True)

        @event.listens_for(engine, "begin")
        def _read_only(connection: sa.Connection) -> None:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

        return engine
    engine = _sqlite_engine(path, pool_size=readers)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        _settle(connection)
        connection.execute("PRAGMA query_only=1")
        connection.execute("PRAGMA wal_autocheckpoint=0")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _sqlite_engine(path: Path, pool_size: int) -> sa.Engine:
    return sa.create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=sa.pool.QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000},
    )


def _settle(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn a driver's error into one that says what to do. Constraint violations pass through."""
    try:
        yield
    except (OperationalError, sa.exc.DatabaseError) as error:
        if isinstance(error, sa.exc.IntegrityError | sa.exc.ProgrammingError):
            raise
        raise explain(url, error) from error
    except sqlite3.Error as error:
        raise explain(url, error) from error


def explain(url: URL, error: Exception) -> StoreError:
    """The readable form of a driver's error."""
    place = sqlite_path(url) or url.render_as_string(hide_password=True)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    lowered = said.lower()
    if "locked" in lowered or "busy" in lowered:
        return StoreBusy(
            f"{place} is locked by another process ({said}). "
            "Find who holds it (for example `fuser FILE`), or try again in a moment."
        )
    if "readonly" in lowered or "read-only" in lowered:
        return StoreReadOnly(
            f"{place} accepts no writes ({said}). Check the owner and mode of the file and its "
            "folder, and that the disk is mounted read-write."
        )
    if "not a database" in lowered or "malformed" in lowered:
        return StoreUnavailable(f"{place} is not a usable SQLite database ({said}).")
    if "full" in lowered:
        return StoreUnavailable(f"{place} cannot grow: the disk is full ({said}).")
    return StoreUnavailable(f"{place} cannot be used: {said}")
