"""Where many cards wait for one channel, a message says so and is kept true meanwhile."""

import logging
from datetime import timedelta
from functools import partial

from bot.budgets import channel_posted_to
from bot.rollup_messages import MOST_ROWS, rollup
from bot.slack import Slack, SlackError, SlackRateLimited, SlackRefused
from bot.threads import HELD_RETRY
from engine import (
    Crowd,
    Store,
    begin_backlog,
    crowded_lanes,
    end_backlog,
    put_back_crowd,
    record_crowd,
    take_crowds,
)

log = logging.getLogger(__name__)

_ARRIVING = timedelta(seconds=2)  # a burst is counted when it has come in
_EVERY = timedelta(seconds=15)
_RETRY = timedelta(seconds=2)
_GONE = frozenset({"message_not_found", "cant_update_message"})


class Rollups:
    """Tells of backlogs. `slack` is one for people: these messages may use the reserve."""

    def __init__(self, store: Store, slack: Slack, holder: str) -> None:
        self._store = store
        self._slack = slack
        self._holder = holder

    async def sweep(self) -> None:
        """Begin where it is crowded, and draw what is due."""
        for lane in await self._store.read(partial(crowded_lanes, least=MOST_ROWS + 1)):
            if channel_posted_to(lane) is not None:
                await self._store.write(partial(begin_backlog, lane=lane, after=_ARRIVING))
        take = partial(take_crowds, holder=self._holder, rows=MOST_ROWS)
        for crowd in await self._store.write(take):
            await self._tell(crowd)

    async def _tell(self, crowd: Crowd) -> None:
        try:
            place, handle = await self._draw(crowd)
        except SlackRateLimited as error:
            await self._put_back(crowd, timedelta(seconds=error.retry_after))
        except SlackRefused as error:
            await self._refused(crowd, error)
        except SlackError as error:
            log.warning("a roll-up could not be told yet: %s", error)
            await self._put_back(crowd, _RETRY)
        else:
            drawn = partial(record_crowd, place=place, handle=handle, every=_EVERY)
            await self._store.write(partial(drawn, crowd=crowd, holder=self._holder))

    async def _draw(self, crowd: Crowd) -> tuple[str, str]:
        message = rollup(crowd, self._store.clock.now())
        place, handle = crowd.backlog.place, crowd.backlog.handle
        if place is None or handle is None:
            channel = channel_posted_to(crowd.backlog.lane)
            if channel is None:
                raise AssertionError(f"no channel waits in the lane {crowd.backlog.lane}")
            posted = await self._slack.post(channel, message.text, message.blocks)
            return posted.channel, posted.ts
        await self._slack.update(place, handle, message.text, message.blocks)
        return place, handle

    async def _refused(self, crowd: Crowd, error: SlackRefused) -> None:
        if crowd.backlog.handle is not None and error.code in _GONE:
            await self._store.write(partial(end_backlog, crowd=crowd))
            return
        log.warning("a roll-up is refused: %s", error)
        await self._put_back(crowd, HELD_RETRY)

    async def _put_back(self, crowd: Crowd, after: timedelta) -> None:
        put_back = partial(put_back_crowd, crowd=crowd, holder=self._holder, after=after)
        await self._store.write(put_back)
