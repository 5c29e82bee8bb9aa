"""Looks whether the cards of the record still stand in Slack, a handful a minute.

Slack tells when a card is deleted or a channel closes, but not twice, and not to a bot that
is down. So every card that waits is looked at: one after the other, the one seen longest ago
first, and all of them once news may have been missed.
"""

from collections import deque
from functools import partial

from bot.config import Settings
from bot.slack import Slack, SlackRateLimited, SlackRefused, SlackUnreachable
from bot.verdicts import obstacle_in, verdict_of
from engine import (
    Posting,
    Stands,
    Store,
    Unreachable,
    Verdict,
    ask_elsewhere,
    checkpoint_view,
    is_anything_untold,
    record_look,
    take_up_again,
    to_look_at,
)

LOOKS_A_MINUTE = 20
_MINUTE_S = 60.0


class Reconciler:
    """Compares what the record says of cards with what stands in Slack."""

    def __init__(
        self,
        store: Store,
        slack: Slack,
        settings: Settings,
        surface: str,
        looks_a_minute: int = LOOKS_A_MINUTE,
    ) -> None:
        self._store = store
        self._slack = slack
        self._settings = settings
        self._surface = surface
        self._most = looks_a_minute
        self._looked: deque[float] = deque()  # when, by the monotonic clock
        self._since = store.clock.now()  # what was seen before may not be so any more
        self._outages = slack.outages

    def doubt(self) -> None:
        """News may have been missed: look at every card that waits, as the budget allows."""
        self._since = self._store.clock.now()

    async def sweep(self) -> int:
        """Look at as many cards as there is budget for; returns how many."""
        if await self._store.read(is_anything_untold):
            await self._store.write(take_up_again)
        if self._slack.outages != self._outages:
            self._outages = self._slack.outages
            self.doubt()
        due = partial(to_look_at, surface=self._surface, since=self._since, limit=self._budget())
        looked = 0
        for posting in await self._store.read(due):
            try:
                await self._look(posting)
            except (SlackUnreachable, SlackRateLimited):
                break  # the next sweep goes on here
            looked += 1
        return looked

    def _budget(self) -> int:
        now = self._store.clock.monotonic()
        while self._looked and now - self._looked[0] >= _MINUTE_S:
            self._looked.popleft()
        return self._most - len(self._looked)

    async def _look(self, posting: Posting) -> None:
        self._looked.append(self._store.clock.monotonic())
        verdict = await self._verdict(posting)
        await self._store.write(partial(record_look, posting_id=posting.id, verdict=verdict))
        if isinstance(verdict, Unreachable):
            await self._elsewhere(posting)

    async def _verdict(self, posting: Posting) -> Verdict:
        obstacle = obstacle_in(await self._slack.channel(posting.place))
        if obstacle is not None:
            return Unreachable(obstacle)
        try:
            await self._slack.permalink(posting.place, posting.handle or "")
        except SlackRefused as error:
            return verdict_of(error)
        return Stands()

    async def _elsewhere(self, posting: Posting) -> None:
        """Where the configuration leads to another channel now, the card goes there, too."""
        view = await self._store.read(partial(checkpoint_view, checkpoint_id=posting.checkpoint_id))
        if view is None or not view.checkpoint.is_open:
            return
        checkpoint = view.checkpoint
        wanted = self._settings.channel_for(
            checkpoint.tenant, checkpoint.dag_name, posting.asked_place or view.channel
        )
        channel = None if wanted is None else await self._slack.channel(wanted)
        if channel is None or obstacle_in(channel) is not None or channel.is_externally_shared:
            return
        await self._store.write(partial(ask_elsewhere, posting_id=posting.id, place=channel.id))
