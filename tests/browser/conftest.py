"""One Chromium for a worker, and for each test a whole Signoff with people at their windows."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import NO_BROWSER, found
from tests.browser.screen import launched
from tests.browser.stage import Stage
from tests.journeys.world import running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, if the machine has one; where `SIGNOFF_TEST_REQUIRE` names it, it must."""
    path = found()
    if path is None:
        if "chromium" in os.environ.get("SIGNOFF_TEST_REQUIRE", "").split(","):
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    async with launched(path) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser: Browser, tmp_path: Path) -> AsyncIterator[Stage]:
    """A running world and the windows on it; no window may have had an error."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running(tmp_path))
        stage = Stage(world, browser, stack)
        yield stage
        assert {user: shown.troubles for user, shown in stage.screens if shown.troubles} == {}
