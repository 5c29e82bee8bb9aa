"""Waking one loop: for commits by anybody, and whenever something rings."""

import asyncio
from contextlib import suppress

from engine.store.changes import Changes


class Bell:
    """Rings for commits by anybody, and whenever something calls `ring`."""

    def __init__(self, changes: Changes, poll_s: float) -> None:
        self._changes = changes
        self._poll_s = poll_s
        self._rung = asyncio.Event()
        self.has_heard_of_commits = False  # before the last wait returned; perhaps one's own
        self._committed = False
        self._listening = asyncio.create_task(self._listen())

    def ring(self, *_: object) -> None:
        """Wake the loop now, or at its next wait."""
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when it has rung since the last wait, or the time is over."""
        if self._listening.done():
            self._listening.result()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        self._rung.clear()
        self.has_heard_of_commits, self._committed = self._committed, False

    async def close(self) -> None:
        """Stop listening."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._changes.close()

    async def _listen(self) -> None:
        try:
            while True:
                if await self._changes.wait(self._poll_s):
                    self._committed = True
                    self.ring()
        finally:
            self.ring()
