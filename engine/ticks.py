"""When a schedule strikes: moments in, moments out. All of them are aware and in UTC.

Days are matched as cron does: where neither day of month nor day of week begins with a star,
either is enough. A time that a clock change skips strikes right after the change; one that a
change repeats strikes once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from engine.dag import CatchUp, Schedule

ON_TIME = timedelta(minutes=2)
"""A tick that is seen later than this was missed."""

AT_ONCE = 20
"""How many missed ticks are made up for at one look; the rest follow at the next."""

_FIELDS = 5
_LONGEST_CRON = 200
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_LOOKS_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366))


@dataclass(frozen=True, slots=True)
class Due:
    """What a look at the clock finds: the ticks to start, and how far the schedule is followed.

    `let_go` is the first and the last of the ticks that were missed and are not made up for.
    """

    start: tuple[datetime, ...]
    upto: datetime
    let_go: tuple[datetime, datetime] | None = None


def cron_problem(cron: str) -> str | None:
    """What is wrong with a cron text, as the end of a sentence; None when it can be followed."""
    if len(cron) > _LONGEST_CRON:
        return f"it is longer than {_LONGEST_CRON} characters"
    if len(cron.split()) != _FIELDS:
        return "expected five fields: minute, hour, day of month, month, day of week"
    try:
        next(CronSim(cron, _ANY_DAY))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ").replace("-", " ")
        return f"there is something wrong with its {field}"
    except StopIteration:
        return "there is no such day"
    return None


@cache
def timezones() -> frozenset[str]:
    """The names of the time zones this machine knows."""
    return frozenset(available_timezones())


def ticks(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Every tick later than `after`, the earliest first."""
    for moment in CronSim(schedule.cron, after.astimezone(_zone(schedule))):
        tick = moment.astimezone(UTC)
        if tick > after:  # within an hour that is repeated, the library begins at its first pass
            yield tick


@lru_cache(maxsize=1024)  # asked at every beat, and changed by a tick only
def next_tick(schedule: Schedule, after: datetime) -> datetime | None:
    """The first tick later than `after`; None when there is none within fifty years."""
    return next(ticks(schedule, after), None)


def due(schedule: Schedule, upto: datetime, now: datetime) -> Due:
    """What to do about the ticks later than `upto`, the last that was seen to, up to `now`."""
    first = next_tick(schedule, upto)
    if first is None or first > now:
        return Due((), upto)
    if schedule.catch_up is CatchUp.ALL:
        start = tuple(islice(_between(schedule, upto, now), AT_ONCE))
        return Due(start, start[-1])
    latest = _latest(schedule, upto, now)
    starts = schedule.catch_up is CatchUp.LATEST or now - latest <= ON_TIME
    if not starts:
        return Due((), latest, (first, latest))
    if first == latest:
        return Due((latest,), latest)
    return Due((latest,), latest, (first, _latest(schedule, upto, latest - _MOMENT)))


_MOMENT = timedelta(microseconds=1)


def in_words(schedule: Schedule) -> str:
    """`At 06:00 on Monday through Friday (Europe/Berlin)`."""
    words = CronSim(schedule.cron, _ANY_DAY).explain()
    return f"{words} ({schedule.timezone})"


def local(schedule: Schedule, at: datetime) -> datetime:
    """The moment in the zone of the schedule."""
    return at.astimezone(_zone(schedule))


def _between(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    return takewhile(lambda tick: tick <= until, ticks(schedule, after))


def _latest(schedule: Schedule, after: datetime, until: datetime) -> datetime:
    """The last tick up to `until`, of at least one; looks back only as far as it must."""
    for since in (*(max(after, until - span) for span in _LOOKS_BACK), after):
        found = list(_between(schedule, since, until))
        if found:
            return found[-1]
    raise AssertionError("there was a tick, and now there is none")


def _zone(schedule: Schedule) -> tzinfo:
    # The library tells UTC from other zones by identity.
    return UTC if schedule.timezone == "UTC" else ZoneInfo(schedule.timezone)
