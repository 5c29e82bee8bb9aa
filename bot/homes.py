"""The Home tabs that people have before them: drawn when opened, and anew when they change.

Slack draws a Home tab for one person at a time. So those opened lately are kept true, one
after the other; what happens meanwhile is gathered, and the newest is drawn.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field, replace
from functools import partial

from bot import home, notices
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.payloads import Who
from bot.slack import SlackError, SlackRateLimited, SlackRefused
from bot.tokens import HomeState
from engine import Caller, Overview, overview_of

log = logging.getLogger(__name__)

KEPT_TRUE_S = 600.0  # after it was opened or clicked on
_MOST_TABS = 500
_GATHER_S = 0.3  # what is committed within this time is drawn at once
_PACE_S = 0.8  # between two drawings: Slack takes a hundred and some a minute, forms among them
_RESTS = 3  # times as long as a look takes, so that many tabs never keep the bot busy
_TRY_AGAIN_S = 2.0  # after Slack did not answer
_LOOK_S = 0.5  # how often the loop looks whether it is to end

Seen = tuple[Caller, Overview]


@dataclass
class _Tab:
    """One person's Home tab: which page they look at, and what it shows."""

    who: Who
    state: HomeState
    until: float  # monotonic
    shows: Seen | None = None
    is_stale: bool = True
    drawing: asyncio.Lock = field(default_factory=asyncio.Lock)


async def look(desk: Desk, who: Who, state: HomeState) -> Seen | LookUpFailed:
    """Who somebody is, and what concerns them now."""
    found = await desk.with_lenders(who)
    if isinstance(found, LookUpFailed):
        return found
    caller, lenders = found
    seen = await desk.store.read(
        partial(
            overview_of,
            caller=caller,
            limit=home.PAGE_ROWS,
            latest=home.LATEST,
            after=state.cursor,
            lenders=lenders,
        )
    )
    return caller, seen


class Homes:
    """Draws Home tabs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tabs: dict[str, _Tab] = {}  # by user, the one opened last at the end
        self._opened = asyncio.Event()

    async def show(self, who: Who, state: HomeState) -> None:
        """Draw somebody's Home tab now, and keep it true for a while."""
        until = self._now() + KEPT_TRUE_S
        tab = self._tabs.pop(who.user_id, None) or _Tab(who, state, until)
        tab.state, tab.until, tab.is_stale = state, until, True
        self._tabs[who.user_id] = tab
        while len(self._tabs) > _MOST_TABS:
            self._tabs.pop(next(iter(self._tabs)))
        self._opened.set()
        try:
            await self._draw(tab)
        except SlackError as error:
            log.warning("a Home tab could not be drawn yet: %s", error)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the tabs true until `stop` is set."""
        changes = self._desk.store.changes()
        try:
            while not stop.is_set():
                self._forget_old()
                if not self._tabs:
                    await self._somebody(stop)
                elif await changes.wait(_LOOK_S) or self._is_any_stale():
                    await _pause(stop, _GATHER_S)
                    await self._redraw(stop)
        finally:
            await changes.close()

    async def _redraw(self, stop: asyncio.Event) -> None:
        for tab in list(self._tabs.values()):
            if stop.is_set():
                return
            began = self._now()
            try:
                drawn = await self._draw(tab)
            except SlackRateLimited as error:
                await _pause(stop, min(error.retry_after, KEPT_TRUE_S))
                return  # what changes until then is drawn with it
            except SlackRefused as error:
                log.warning("Slack refuses to draw a Home tab: %s", error)
                self._tabs.pop(tab.who.user_id, None)
            except SlackError as error:
                log.warning("a Home tab could not be drawn anew yet: %s", error)
                await _pause(stop, _TRY_AGAIN_S)
            except Exception:
                log.exception("a Home tab could not be drawn anew (reference %s)", reference())
                self._tabs.pop(tab.who.user_id, None)
            else:
                rest = _RESTS * (self._now() - began)
                await _pause(stop, max(rest, _PACE_S) if drawn else rest)

    async def _draw(self, tab: _Tab) -> bool:
        """Make a tab true; False when it was. One drawing at a time, so that the newest stays."""
        async with tab.drawing:
            state = tab.state
            found = await look(self._desk, tab.who, state)
            if isinstance(found, LookUpFailed):
                return await self._draw_trouble(tab, state)
            if not tab.is_stale and _without_time(found) == tab.shows:
                return False
            tab.is_stale = True  # until Slack has taken it
            caller, seen = found
            await self._desk.slack.publish(tab.who.user_id, home.home_view(caller, seen, state))
            tab.shows, tab.is_stale = _without_time(found), tab.state != state
            return True

    async def _draw_trouble(self, tab: _Tab, state: HomeState) -> bool:
        if tab.shows is not None and not tab.is_stale:
            return False  # what was shown is better than nothing
        tab.is_stale = False
        view = home.trouble_view(notices.look_up_failed(), state)
        await self._desk.slack.publish(tab.who.user_id, view)
        return True

    async def _somebody(self, stop: asyncio.Event) -> None:
        """Wait for somebody to open their tab, a moment at most."""
        self._opened.clear()
        waits = [asyncio.create_task(event.wait()) for event in (self._opened, stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def _forget_old(self) -> None:
        now = self._now()
        self._tabs = {user: tab for user, tab in self._tabs.items() if tab.until > now}

    def _is_any_stale(self) -> bool:
        return any(tab.is_stale for tab in self._tabs.values())

    def _now(self) -> float:
        return self._desk.store.clock.monotonic()


def _without_time(found: Seen) -> Seen:
    """What a tab shows but for when it was read, to tell whether it would look different."""
    caller, seen = found
    page = replace(seen.waiting, as_of=seen.waiting.as_of.min)
    return caller, replace(seen, waiting=page)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
