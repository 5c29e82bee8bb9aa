"""A clock that stands still, and an open database of each kind."""

from collections.abc import Iterator

import pytest

from engine.store.writer import Store
from tests.engine.build import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told."""
    return FakeClock()


@pytest.fixture
def store(database_url: str, clock: FakeClock) -> Iterator[Store]:
    """An open store; the test runs once on each kind of database."""
    opened = Store.open(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_url: str, clock: FakeClock) -> Iterator[Store]:
    """An open store on SQLite only."""
    opened = Store.open(sqlite_url, clock)
    yield opened
    opened.close()
