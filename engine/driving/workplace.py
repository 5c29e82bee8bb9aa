"""What the runs of one worker share: places for tasks at work, and a host that stands ready."""

from collections.abc import Callable

from engine.tasks import Spare


class Workplace:
    """So many tasks at once, whichever runs they belong to. Whoever waits for a place is rung."""

    def __init__(self, places: int, spare: Spare | None = None) -> None:
        self._free = places
        self._waiting: dict[Callable[[], None], None] = {}
        self.spare = spare

    def take(self, wanted: int, ring: Callable[[], None]) -> int:
        """Take up to so many places; returns how many.

        When some are missing, `ring` is called as soon as one is free.
        """
        taken = min(wanted, self._free)
        self._free -= taken
        if taken < wanted:
            self._waiting[ring] = None
        return taken

    def give_back(self) -> None:
        """A place is free again."""
        self._free += 1
        waiting, self._waiting = self._waiting, {}
        for wake in waiting:
            wake()

    def make_ready(self) -> None:
        """Have a host made that stands ready."""
        if self.spare is not None:
            self.spare.make()

    async def close(self) -> None:
        """End the host that stands ready."""
        if self.spare is not None:
            await self.spare.close()
