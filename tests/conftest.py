"""Databases for the tests: an empty one for each, on SQLite and on PostgreSQL.

An SQLite file is migrated once per session and copied for every test. A PostgreSQL
database is made once per session and worker, and emptied for every test, which is a
hundred times quicker than making another; it takes a superuser. Without a server those
tests are skipped, loudly; `SIGNOFF_TEST_REQUIRE=postgres` makes that a failure. So are the
tests in a browser where there is no Chromium.
"""

import getpass
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from sqlalchemy.engine import URL, make_url
from sqlmodel import SQLModel

from engine import tables
from engine.store import connect, schema
from tests import validity
from tests.browser.chromium import NO_BROWSER

# A busy machine is no failure: what a test finds must not depend on the clock.
settings.register_profile("signoff", deadline=None)
settings.load_profile("signoff")
validity.spread()

_ASKED_FOR = "SIGNOFF_TEST_POSTGRES_URL"
_NO_SERVER = f"POSTGRES: no server answers at 127.0.0.1:5432 or {_ASKED_FOR}"
_PREFIX = "signoff_test"
assert tables.MetaRow.__tablename__ in SQLModel.metadata.tables  # the rows are registered
_OURS = re.compile(rf"{_PREFIX}_(?P<pid>\d+)_")


@pytest.fixture(autouse=True)
def _slack_takes_whatever_is_built() -> Iterator[None]:
    """Fail the test in which a message or a view was built that Slack refuses."""
    validity.found.clear()
    yield
    assert validity.found == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in capitals which part of the promise was not tested."""
    for what, why in (("POSTGRES", _NO_SERVER), ("BROWSER", NO_BROWSER)):
        skipped = [r for r in terminalreporter.getreports("skipped") if why in str(r.longrepr)]
        if skipped:
            terminalreporter.write_line(
                f"{what} TESTS WERE SKIPPED: {len(skipped)} OF THEM. {why}", red=True
            )


def _answering_server() -> URL | None:
    asked_for = os.environ.get(_ASKED_FOR)
    users = dict.fromkeys((getpass.getuser(), "root", "postgres"))
    tried = [asked_for] if asked_for else [f"postgresql://{u}@127.0.0.1/postgres" for u in users]
    for text in tried:
        url = make_url(text).set(drivername="postgresql")
        try:
            _admin(url).close()
        except psycopg.OperationalError:
            continue
        return url
    return None


def _admin(server: URL) -> psycopg.Connection:
    dsn = server.render_as_string(hide_password=False)
    return psycopg.connect(dsn, autocommit=True, connect_timeout=3)


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _drop_leftovers(admin: psycopg.Connection) -> None:
    """Drop what a killed session of this machine left behind."""
    for (name,) in admin.execute("SELECT datname FROM pg_database").fetchall():
        ours = _OURS.match(name)
        if ours and not Path(f"/proc/{ours['pid']}").exists():
            _drop(admin, name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[tuple[URL, psycopg.Connection]]:
    """A PostgreSQL server and a connection that may create databases on it."""
    server = _answering_server()
    if server is None:
        if "postgres" in os.environ.get("SIGNOFF_TEST_REQUIRE", "").split(","):
            pytest.fail(_NO_SERVER)
        pytest.skip(_NO_SERVER)
    with _admin(server) as admin:
        if server.host in {"127.0.0.1", "localhost"} and Path("/proc").exists():
            _drop_leftovers(admin)
        yield server, admin


@pytest.fixture
def empty_postgres_url(postgres_server: tuple[URL, psycopg.Connection]) -> Iterator[str]:
    """A PostgreSQL database without a schema."""
    yield from _database(*postgres_server)


@pytest.fixture(scope="session")
def _migrated_postgres_url(postgres_server: tuple[URL, psycopg.Connection]) -> Iterator[str]:
    for url in _database(*postgres_server):
        schema.upgrade(connect.parse_url(url))
        yield url


@pytest.fixture
def postgres_url(_migrated_postgres_url: str) -> str:
    """An empty PostgreSQL database with our schema; no other test is connected to it."""
    with psycopg.connect(_migrated_postgres_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # The triggers that keep the record append-only look away for a superuser who says so.
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in reversed(SQLModel.metadata.sorted_tables):
            if table.name != "audit_head":
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
        connection.execute("UPDATE audit_head SET seq = 0, hash = repeat('0', 64)")
    return _migrated_postgres_url


def _database(server: URL, admin: psycopg.Connection) -> Iterator[str]:
    name = f"{_PREFIX}_{os.getpid()}_{uuid4().hex[:12]}"
    admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _drop(admin, name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "signoff.db"
    schema.upgrade(connect.parse_url(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with our schema."""
    path = tmp_path / "signoff.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with our schema; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
