"""A fake Prefect, and its adapter."""

from collections.abc import AsyncIterator

import pytest

from engine.backends.prefect import Prefect
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.build import FakeClock


@pytest.fixture
async def fake(clock: FakeClock) -> AsyncIterator[FakePrefect]:
    """A server that behaves like Prefect."""
    fake = FakePrefect(clock)
    async with fake.server:
        yield fake


@pytest.fixture
async def prefect(fake: FakePrefect, clock: FakeClock) -> AsyncIterator[Prefect]:
    """The adapter that talks to it."""
    prefect = Prefect("staging", fake.url, key=None, clock=clock)
    yield prefect
    await prefect.close()
