"""The schema: made, recognised, refused, and the same as the rows say."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import engine.migrations
from engine import tables
from engine.errors import SchemaTooNew, SchemaTooOld, StoreReadOnly, StoreUnavailable
from engine.migrations import HEAD, REVISIONS
from engine.store import connect, schema
from engine.store.writer import Store
from tests.engine.build import everything, now

FOLDER = Path(engine.migrations.__file__).parent


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(config)


def revision_of(url: str) -> str | None:
    return schema.current(connect.parse_url(url))


@pytest.fixture
def stamped(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """The revision of a migrated file, to be changed by hand."""
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    yield connection
    connection.close()


def test_the_head_known_without_alembic_is_alembics_head() -> None:
    """`HEAD` and `REVISIONS` are written by hand, and agree with the scripts."""
    assert scripts().get_heads() == [HEAD]
    assert [script.revision for script in scripts().walk_revisions()][::-1] == list(REVISIONS)


def test_the_migrated_schema_is_what_the_rows_say(database_url: str) -> None:
    """Alembic finds no difference between the rows and a migrated database."""
    assert tables.MetaRow.metadata is SQLModel.metadata
    db = connect.read_engine(connect.parse_url(database_url), readers=1)
    with db.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    db.dispose()


def test_every_row_has_its_table(database_url: str) -> None:
    """Nothing is left over in the database, and nothing is missing."""
    db = connect.read_engine(connect.parse_url(database_url), readers=1)
    found = set(sa.inspect(db).get_table_names())
    db.dispose()
    assert found == {*SQLModel.metadata.tables, "alembic_version"}


def test_foreign_keys_restrict(database_url: str) -> None:
    """Removing a row never removes another with it."""
    db = connect.read_engine(connect.parse_url(database_url), readers=1)
    inspector = sa.inspect(db)
    options = [
        key["options"]
        for table in SQLModel.metadata.tables
        for key in inspector.get_foreign_keys(table)
    ]
    db.dispose()
    assert options
    assert not any("ondelete" in option for option in options)


def test_an_sqlite_file_is_made_with_its_folder(tmp_path: Path) -> None:
    """The first start needs nothing but a path."""
    url = f"sqlite:///{tmp_path}/new/folder/signoff.db"
    store = Store.open(url)
    store.close()
    assert revision_of(url) == HEAD


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    """A file that was made but never filled is no obstacle."""
    (tmp_path / "signoff.db").touch()
    url = f"sqlite:///{tmp_path}/signoff.db"
    Store.open(url).close()
    assert revision_of(url) == HEAD


def test_opening_again_changes_nothing(sqlite_url: str) -> None:
    """A migrated database is opened as it is."""
    store = Store.open(sqlite_url)
    before = now(store, everything)
    store.close()
    again = Store.open(sqlite_url)
    assert now(again, everything) == before
    again.close()


@pytest.mark.postgres
def test_a_server_is_not_filled_unasked(empty_postgres_url: str) -> None:
    """An empty database on a server is somebody's decision: it says what to run."""
    with pytest.raises(SchemaTooOld, match="signoff db upgrade"):
        Store.open(empty_postgres_url)
    schema.upgrade(connect.parse_url(empty_postgres_url))
    Store.open(empty_postgres_url).close()
    assert revision_of(empty_postgres_url) == HEAD


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_two_upgrades_at_once_take_turns(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Both processes that start on an empty database succeed."""
    text = f"sqlite:///{tmp_path}/signoff.db"
    if kind == "postgres":
        text = request.getfixturevalue("empty_postgres_url")
    upgrade = (
        f"from engine.store import connect, schema;schema.upgrade(connect.parse_url({text!r}))"
    )
    both = [subprocess.Popen([sys.executable, "-c", upgrade]) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert revision_of(text) == HEAD


def test_a_database_of_a_newer_signoff_is_left_alone(
    sqlite_url: str, stamped: sqlite3.Connection
) -> None:
    """An unknown revision is refused, and both ways out are named."""
    with stamped:
        stamped.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match=r"9999.*upgrade Signoff"):
        Store.open(sqlite_url)


def test_a_database_of_an_older_signoff_asks_for_an_upgrade(tmp_path: Path) -> None:
    """A known revision that is not the head is refused until somebody upgrades."""
    url = f"sqlite:///{tmp_path}/signoff.db"
    schema.upgrade(connect.parse_url(url), to="0001")
    with pytest.raises(SchemaTooOld, match="back it up, then run `signoff db upgrade`"):
        Store.open(url)


_FIRST_ROWS = (
    "INSERT INTO person (id, name, created_at) VALUES ('pn_1', 'Ana', :at)",
    (
        "INSERT INTO dag (digest, name, tenant, definition, created_at)"
        " VALUES ('d1', 'deploy', 'acme', '{}', :at)"
    ),
    (
        "INSERT INTO run (id, dag_digest, dag_name, tenant, state, host, requester, requested_as,"
        " params, created_at, lease_epoch)"
        " VALUES ('run_1', 'd1', 'deploy', 'acme', 'paused', 'h', 'pn_1', 'os:h:ana', '{}', :at, 3)"
    ),
    (
        "INSERT INTO task (run_id, task_id, position, state, attempt)"
        " VALUES ('run_1', 'build', 0, 'succeeded', 2)"
    ),
)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_an_upgrade_keeps_what_is_recorded(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Rows of the first schema are there after every later one, with defaults for what is new."""
    text = f"sqlite:///{tmp_path}/signoff.db"
    if kind == "postgres":
        text = request.getfixturevalue("empty_postgres_url")
    url = connect.parse_url(text)
    schema.upgrade(url, to="0001")
    db = connect.write_engine(url, keeps_wal_short=False)
    with db.begin() as connection:
        for statement in _FIRST_ROWS:
            connection.execute(sa.text(statement), {"at": "2026-03-02T09:30:00.000000Z"})
    db.dispose()
    schema.upgrade(url)
    store = Store.open(text)
    found = now(store, everything)
    store.close()
    (run,), (task,) = found["run"], found["task"]
    assert (run["state"], run["lease_epoch"], run["revision"], run["worked_s"]) == (
        "paused", 3, 0, 0.0,
    )  # fmt: skip
    assert (task["attempt"], task["attempts_before"]) == (2, 0)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read" * 90])
def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path, content: bytes) -> None:
    """Whatever it is, it stays as it was."""
    path = tmp_path / "signoff.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="not a usable SQLite database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The error says which folder, and why."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreReadOnly, match="cannot make the folder"):
        Store.open(f"sqlite:///{tmp_path}/file/folder/signoff.db")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("signoff.db", "not a database URL"),
        ("mysql://root@localhost/signoff", "mysql is not supported"),
        ("sqlite://", "in-memory"),
        ("sqlite:///:memory:", "in-memory"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be used"),
    ],
)
def test_a_url_that_cannot_hold_the_record_is_refused(url: str, why: str) -> None:
    """Each says what is wrong with it."""
    with pytest.raises(StoreUnavailable, match=why):
        Store.open(url)


def test_a_password_is_not_repeated_in_an_error() -> None:
    """The place is named without its secret."""
    with pytest.raises(StoreUnavailable) as caught:
        Store.open("postgresql://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)


def test_foreign_keys_are_off_while_a_schema_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuilt table must not empty its children, so nothing is enforced meanwhile."""
    seen: list[object] = []
    run = MigrationContext.run_migrations

    def watched(context: MigrationContext, **settings: object) -> None:
        assert context.connection is not None
        seen.append(context.connection.exec_driver_sql("PRAGMA foreign_keys").scalar())
        run(context, **settings)

    monkeypatch.setattr(MigrationContext, "run_migrations", watched)
    schema.upgrade(connect.parse_url(f"sqlite:///{tmp_path}/signoff.db"))
    assert seen == [0]


def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables of a half-made schema do not stay; the next attempt starts afresh."""
    bulk_insert = op.bulk_insert

    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(op, "bulk_insert", fail)
    url = connect.parse_url(f"sqlite:///{tmp_path}/signoff.db")
    with pytest.raises(RuntimeError, match="the power went"):
        schema.upgrade(url)
    monkeypatch.setattr(op, "bulk_insert", bulk_insert)
    assert schema.current(url) is None
    schema.upgrade(url)
    assert schema.current(url) == HEAD


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """The record, and what SQLite puts beside it, can be read by nobody else."""
    url = f"sqlite:///{tmp_path / 'signoff.sqlite'}"
    before = os.umask(0o022)
    try:
        store = Store.open(url)
        try:
            now(store, everything)
        finally:
            store.close()
    finally:
        os.umask(before)
    modes = {p.name: oct(p.stat().st_mode & 0o777) for p in tmp_path.glob("signoff.sqlite*")}
    assert modes["signoff.sqlite"] == "0o600"
    assert modes.get("signoff.sqlite-wal", "0o600") == "0o600"
