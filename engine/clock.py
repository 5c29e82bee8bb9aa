"""The only clock. Everything else is told what time it is."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

_log = logging.getLogger(__name__)

_SECOND = 1_000_000_000  # nanoseconds, as every whole number here
TOLERANCE = 2 * _SECOND  # how far the wall clock may move by itself; more is a jump
HOLD = 600 * _SECOND  # how long a jump must last to be believed
_SLEWING = 2_000  # a clock that is put right gently gains or loses one part in so many
_BLINK = _SECOND // 1_000  # both clocks are read within this, so a smaller move is none

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Linux has a clock that counts suspension, too; elsewhere the monotonic one may.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where time comes from. Tests bring their own."""

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; their zero means nothing."""
        ...

    @property
    def trouble(self) -> str | None:
        """What is wrong with the time, as a sentence; None while nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class Jump:
    """A step of the wall clock that is not believed yet."""

    lead: int  # of the wall clock, since it jumped
    until: int  # by the steady clock


@dataclass(frozen=True, slots=True)
class Belief:
    """What is taken for the time: how far the wall clock leads the steady one.

    Whoever looks often or seldom, `lead` moves by at most `TOLERANCE` and what slewing
    explains, unless a jump has lasted for `HOLD`. Nanoseconds.
    """

    lead: int
    looked: int  # by the steady clock
    room: int = TOLERANCE  # how far it may still move; small steps use it up, time restores it
    jump: Jump | None = None

    def after(self, steady: int, wall: int) -> Self:
        """The belief after a look at both clocks."""
        lead = wall - steady
        moved = abs(lead - self.lead)
        if self.jump is None and moved <= _BLINK:
            return self
        room = min(TOLERANCE, self.room + (steady - self.looked) // _SLEWING)
        if moved <= max(room, _BLINK):
            return replace(self, lead=lead, looked=steady, room=max(0, room - moved), jump=None)
        if self.jump is None or abs(lead - self.jump.lead) > TOLERANCE:
            return replace(self, looked=steady, room=room, jump=Jump(lead, steady + HOLD))
        if steady >= self.jump.until:
            return replace(self, lead=lead, looked=steady, room=TOLERANCE, jump=None)
        return self

    @property
    def trouble(self) -> str | None:
        """The jump that is waited out; None without one."""
        if self.jump is None:
            return None
        until = _moment(self.jump.until + self.lead)
        return (
            f"the wall clock jumped {_span(self.jump.lead - self.lead)}: deadlines go by the "
            f"time before it until {until:%H:%M} UTC; check NTP"
        )


class SystemClock:
    """The machine's clock, but a jump of it counts only once it has lasted ten minutes.

    Asked from any thread. `steady` and `wall` return nanoseconds; the first never runs
    backwards, the second counts from the Unix epoch.
    """

    def __init__(
        self,
        steady: Callable[[], int] = lambda: time.clock_gettime_ns(_STEADY),
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._steady = steady
        self._wall = wall
        self._looking = threading.Lock()
        now, wall_now = self._look()
        self._belief = Belief(lead=wall_now - now, looked=now)

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC; while it has jumped, the time it had gone on with."""
        with self._looking:
            steady, wall = self._look()
            before = self._belief
            after = self._belief = before.after(steady, wall)
        if after.jump is not before.jump:
            _report(before, after)
        return _moment(wall if after.jump is None else steady + after.lead)

    def monotonic(self) -> float:
        """Seconds that never run backwards; their zero means nothing."""
        return time.monotonic()

    @property
    def trouble(self) -> str | None:
        """A jump that is waited out, as a sentence; None while there is none."""
        return self._belief.trouble

    def _look(self) -> tuple[int, int]:
        """Both clocks at one moment: again, when we were kept from the second one in between."""
        while True:
            steady = self._steady()
            wall = self._wall()
            if self._steady() - steady <= _BLINK:
                return steady, wall


def _report(before: Belief, after: Belief) -> None:
    if after.trouble is not None:
        _log.error("%s", after.trouble)
    elif before.jump is not None:
        jumped = _span(before.jump.lead - before.lead)
        if abs(after.lead - before.lead) < abs(after.lead - before.jump.lead):
            _log.warning("the wall clock, which had jumped %s, is back: no deadline moved", jumped)
        else:
            _log.warning(
                "the wall clock, which had jumped %s, stayed there: deadlines go by it again",
                jumped,
            )


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)


def _span(lead: int) -> str:
    """`1.5 h forward`."""
    seconds = abs(lead) / _SECOND
    if seconds >= 1:  # a millisecond short of an hour is an hour
        seconds = round(seconds)
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), (1, "s"))
    amount = round(seconds / size, 1) or round(seconds, 3)
    return f"{amount:g} {unit} {'forward' if lead > 0 else 'back'}"
