"""Looking after a database: which schema it has, and bringing it to ours."""

from dataclasses import dataclass
from pathlib import Path

from engine.migrations import HEAD, REVISIONS
from engine.store import connect, schema


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The schema a database has (None: none of ours yet) and the one this Signoff needs."""

    found: str | None
    needed: str


def schema_version(url: str) -> SchemaVersion:
    """Look without making anything. Raises a `StoreError`."""
    parsed = connect.parse_url(url)
    path = connect.sqlite_path(parsed)
    if path is not None and not path.exists():
        return SchemaVersion(None, HEAD)
    with connect.explained(parsed):
        return SchemaVersion(schema.current(parsed), HEAD)


def upgrade_database(url: str) -> SchemaVersion:
    """Bring a database to the newest schema; returns what it had before.

    Raises a `StoreError`, also for a database of a newer Signoff.
    """
    before = schema_version(url)
    parsed = connect.parse_url(url)
    if before.found not in (None, *REVISIONS):
        schema.ensure(parsed)  # says what is wrong
    with connect.explained(parsed):
        schema.upgrade(parsed)
    return before


def database_file(url: str) -> Path | None:
    """The SQLite file an URL names; None for a server. Raises `StoreUnavailable`."""
    return connect.sqlite_path(connect.parse_url(url))


def shown_url(url: str) -> str:
    """The URL without its password. Raises `StoreUnavailable`."""
    return connect.parse_url(url).render_as_string(hide_password=True)
