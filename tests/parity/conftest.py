"""What these tests stand on: a clock, a store, a bench for runs, and a terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.writer import Store
from tests.bot.cli.conftest import bare, terminal
from tests.engine.build import FakeClock
from tests.engine.running import Bench

__all__ = ["bare", "bench", "clock", "store", "terminal"]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told."""
    return FakeClock()


@pytest.fixture
def store(sqlite_url: str, clock: FakeClock) -> Iterator[Store]:
    """An open store."""
    opened = Store.open(sqlite_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store in which runs are driven for real."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()
