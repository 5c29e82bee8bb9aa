"""Which schema a database has, and bringing it to ours. Alembic is loaded only to migrate."""

import fcntl
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import URL

from engine.errors import SchemaTooNew, SchemaTooOld, StoreReadOnly
from engine.migrations import HEAD, REVISIONS
from engine.store import connect

if TYPE_CHECKING:
    from alembic.config import Config


def current(url: URL) -> str | None:
    """The revision a database is at; None when it holds no schema of ours."""
    engine = connect.write_engine(url, keeps_wal_short=False)
    try:
        with engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def ensure(url: URL) -> None:
    """Check that the schema is ours; make an SQLite database that is not there yet.

    Raises `SchemaTooOld`, `SchemaTooNew` or another `StoreError`.
    """
    path = connect.sqlite_path(url)
    if path is not None and not path.exists():
        _make_folder(path)
        upgrade(url)
    revision = current(url)
    if revision is None and path is not None:
        upgrade(url)  # an empty file: made, but never filled
    elif revision is None:
        raise SchemaTooOld("this database holds no Signoff schema yet: run `signoff db upgrade`")
    elif revision not in REVISIONS:
        raise SchemaTooNew(
            f"this database was written by a newer Signoff (schema {revision}; this one knows "
            f"up to {HEAD}): upgrade Signoff, or point SIGNOFF_DATABASE_URL elsewhere"
        )
    elif revision != HEAD:
        raise SchemaTooOld(
            f"this database has schema {revision}, this Signoff needs {HEAD}: "
            "back it up, then run `signoff db upgrade`"
        )


def upgrade(url: URL, to: str = HEAD) -> None:
    """Bring a database to a later schema, the newest by default. Two at once take turns."""
    from alembic import command  # noqa: PLC0415 (slow to import, rarely needed)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    path = connect.sqlite_path(url)
    if path is None:
        _migrate(url, config, command, to)
        return
    _make_file(path)
    with path.with_name(f"{path.name}.migrate.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _migrate(url, config, command, to)


def _migrate(url: URL, config: "Config", command: ModuleType, to: str) -> None:
    engine = connect.write_engine(url, keeps_wal_short=True)
    try:
        with connect.explained(url), engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    finally:
        engine.dispose()


def _make_file(path: Path) -> None:
    """Make the file before SQLite would: for its owner alone, whatever the umask says."""
    _make_folder(path)
    if path.exists():
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreReadOnly(f"cannot make {path}: {error.strerror}") from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreReadOnly(f"cannot make the folder {path.parent}: {error.strerror}") from error


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found
