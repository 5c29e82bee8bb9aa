"""Every way a database can be unusable is one sentence and code 4, never a traceback."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal, spawn

TOUCHING = [
    pytest.param(("runs", "list"), id="a read"),
    pytest.param(("checkpoints", "expire", "--due"), id="a sweep"),
    pytest.param(("db", "upgrade"), id="an upgrade"),
]


@contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection to a database file."""
    connection = sqlite3.connect(path)
    try:
        yield connection
    finally:
        connection.close()


def point_at(terminal: Terminal, path: Path) -> None:
    """Use another database."""
    terminal.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{path}")


def test_a_missing_database_is_made_with_its_folder(terminal: Terminal, tmp_path: Path) -> None:
    """The first command makes it."""
    path = tmp_path / "a" / "b" / "new.db"
    point_at(terminal, path)
    assert terminal.ok("runs", "list") == "No runs.\n"
    assert path.exists()
    assert terminal.run("db", "current").exit_code == 0


def test_looking_at_the_schema_makes_nothing(terminal: Terminal, tmp_path: Path) -> None:
    """`db current` on a missing file says so and leaves it missing."""
    path = tmp_path / "new.db"
    point_at(terminal, path)
    result = terminal.run("db", "current")
    assert result.exit_code == 1
    assert "schema (none)" in result.stdout
    assert not path.exists()
    terminal.ok("db", "upgrade")
    assert terminal.json("db", "current")["schema"] == terminal.json("db", "current")["needed"]


def text_file(path: Path) -> None:
    """No database at all."""
    path.write_text("Dear diary, " * 100, encoding="utf-8")


def folder(path: Path) -> None:
    """A folder in its place."""
    path.mkdir()


def newer(path: Path) -> None:
    """A schema of the future."""
    with changed(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
        connection.commit()


@pytest.mark.parametrize("command", TOUCHING)
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (text_file, "is not a usable SQLite database"),
        (folder, "cannot be used"),
        (newer, "was written by a newer Signoff"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    terminal: Terminal,
    tmp_path: Path,
    make: Callable[[Path], None],
    sentence: str,
    command: tuple[str, ...],
) -> None:
    """The sentence says what is wrong, on stderr, with code 4."""
    path = tmp_path / "broken.db"
    make(path)
    point_at(terminal, path)
    result = terminal.run(*command)
    assert result.exit_code == 4
    assert result.stderr.startswith("error: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_locked_database_is_named_after_the_wait(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else holds the write lock for longer than we wait."""
    monkeypatch.setattr("engine.store.connect.BUSY_MS", 50)
    with changed(terminal.folder / "signoff.db") as connection:
        connection.execute("BEGIN IMMEDIATE")
        result = terminal.run("runs", "list")
    assert result.exit_code == 4
    assert "is locked by another process" in result.stderr


@pytest.mark.parametrize("command", TOUCHING)
def test_a_read_only_database_is_named(terminal: Terminal, command: tuple[str, ...]) -> None:
    """File modes that forbid writing are told as such, without a traceback."""
    locked_up = terminal.folder / "ro"
    locked_up.mkdir()
    path = locked_up / "signoff.db"
    path.write_bytes((terminal.folder / "signoff.db").read_bytes())
    path.chmod(0o444)
    locked_up.chmod(0o555)
    try:
        done = spawn(*command, env={"SIGNOFF_DATABASE_URL": f"sqlite:///{path}"})
    finally:
        locked_up.chmod(0o755)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "accepts no writes" in done.stderr


def test_a_folder_that_cannot_be_made_is_named(terminal: Terminal, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("x")
    point_at(terminal, tmp_path / "file" / "new.db")
    result = terminal.run("runs", "list")
    assert result.exit_code == 4
    assert "cannot make the folder" in result.stderr


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://ana:hunter2@127.0.0.1:1/x", "cannot be used: connection failed"),
        ("mysql://x/y", "mysql is not supported"),
        ("not a url", "is not a database URL"),
        ("sqlite://", "in-memory"),
    ],
)
def test_a_server_that_is_not_there_and_a_wrong_url(
    terminal: Terminal, url: str, sentence: str
) -> None:
    """The password is not repeated."""
    terminal.patch.setenv("SIGNOFF_DATABASE_URL", url)
    result = terminal.run("runs", "list")
    assert result.exit_code == 4
    assert sentence in result.stderr
    assert "hunter2" not in result.stderr


def test_a_second_worker_is_refused(terminal: Terminal) -> None:
    """SQLite takes one worker to a file."""
    from engine import FileLock  # noqa: PLC0415

    lock = FileLock.take(terminal.folder / "signoff.db", "worker")
    try:
        result = terminal.run("worker")
    finally:
        lock.release()
    assert result.exit_code == 4
    assert "another `signoff worker`" in result.stderr
