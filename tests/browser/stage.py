"""A world, and the windows of the people in it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from playwright.async_api import Browser

from engine import Caller, Run, RunId, cancel_run
from tests.browser.screen import Screen, screen
from tests.journeys.world import World


@dataclass
class Stage:
    """What a test in the browser sees and can do."""

    world: World
    browser: Browser
    stack: AsyncExitStack
    screens: list[tuple[str, Screen]] = field(default_factory=list)

    async def open(self, user: str, **options: Any) -> Screen:
        """Somebody opens their window; `options` are those of a browser context."""
        window = screen(self.browser, self.world.sandbox.url, user, **options)
        shown = await self.stack.enter_async_context(window)
        self.screens.append((user, shown))
        return shown

    async def call_off(self, run_id: RunId, caller: Caller, reason: str) -> None:
        """Cancel a run that waits for people."""
        await self.world.paused(run_id)
        cancelled = await self.world.store.write(
            partial(cancel_run, run_id=run_id, caller=caller, reason=reason)
        )
        assert isinstance(cancelled, Run), cancelled
