"""How much of Slack's rate budgets is left: token buckets on a clock that is given.

A *lane* is a method and the channel it goes to: what waits for its turn together. Posts have
a budget per channel and one of the workspace, everything else one per method and workspace.
Work that can wait leaves a reserve to people who have just clicked; a click is never refused
on our own count, only on Slack's word.

Source: https://docs.slack.dev/apis/web-api/rate-limits
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

POST = "chat.postMessage"


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of something is granted: at most `burst` at once, and what comes back."""

    burst: float
    per_second: float
    reserve: float = 0.0  # what work that can wait leaves over


def _tier(per_minute: int) -> Rate:
    # A part at once, so that a minute which begins with a burst is not twice the allowance.
    return Rate(burst=per_minute / 2, per_second=per_minute / 60, reserve=per_minute / 8)


IN_CHANNEL = Rate(burst=8, per_second=1, reserve=2)
IN_WORKSPACE = Rate(burst=60, per_second=4, reserve=6)
TIERS: Mapping[str, Rate] = {
    "conversations.list": _tier(20),
    "usergroups.users.list": _tier(20),
    "users.list": _tier(20),
    "chat.update": _tier(50),
    "conversations.info": _tier(50),
    "conversations.open": _tier(50),
    "users.lookupByEmail": _tier(50),
    "chat.postEphemeral": _tier(100),
    "users.info": _tier(100),
    "views.open": _tier(100),
    "views.publish": _tier(100),
    "views.push": _tier(100),
    "views.update": _tier(100),
}


@dataclass(frozen=True, slots=True)
class Level:
    """What was in a bucket at an instant."""

    tokens: float
    at: float  # seconds on the clock of the budgets


def level_at(level: Level, rate: Rate, now: float) -> Level:
    """What has come back by `now`."""
    tokens = min(rate.burst, level.tokens + max(now - level.at, 0.0) * rate.per_second)
    return Level(tokens, max(now, level.at))


def wait_for_one(level: Level, rate: Rate) -> float:
    """In how many seconds there is one beyond the reserve; 0 for now."""
    missing = rate.reserve + 1 - level.tokens
    return max(missing, 0.0) / rate.per_second


def lane_of(method: str, channel: str) -> str:
    """The name of a lane."""
    return f"{method} {channel}".rstrip()


def channel_posted_to(lane: str) -> str | None:
    """The channel whose new messages wait in a lane; None for any other lane."""
    method, _, channel = lane.partition(" ")
    return channel or None if method == POST else None


_Bucket = tuple[str, str]  # method, and the channel where it counts


class Budgets:
    """What is left, as far as we know: Slack counts, too, and what it says is what counts.

    `now` is a monotonic clock in seconds. `pace` is how many times the published rates this
    bot takes for itself: less than 1 where several share one installation.
    """

    def __init__(self, now: Callable[[], float], pace: float = 1.0) -> None:
        self._now = now
        self._pace = pace
        self._levels: dict[_Bucket, Level] = {}
        self._not_before: dict[_Bucket, float] = {}
        self._lanes: dict[str, _Bucket] = {}  # where something was turned away

    def spend(self, method: str, channel: str = "") -> float:
        """Take for a person who waits. 0, or the seconds that Slack said to wait."""
        wait = self._told_to_wait(method, channel)
        if wait <= 0:
            self._take(method, channel)
        return wait

    def ask(self, method: str, channel: str = "") -> float:
        """Take for work that can wait. 0, or the seconds until it is worth asking again."""
        wait = self._wait(method, channel)
        if wait <= 0:
            self._take(method, channel)
        else:
            self._lanes[lane_of(method, channel)] = (method, channel)
        return wait

    def turned_away(self, method: str, channel: str, after: float) -> None:
        """Slack refused a call: nothing is left, and nothing comes back for `after` seconds."""
        bucket = _own_bucket(method, channel)
        until = self._now() + after
        self._not_before[bucket] = until
        self._lanes[lane_of(method, channel)] = (method, channel)
        rate = self._rates(method, channel).get(bucket)
        if rate is not None:  # enough for the one that is let in then, and no herd after it
            self._levels[bucket] = Level(rate.reserve + 1, until)

    def closed(self) -> dict[str, float]:
        """The lanes that take no work that can wait now, and for how many seconds."""
        waits = {lane: self._wait(*where) for lane, where in self._lanes.items()}
        closed = {lane: wait for lane, wait in waits.items() if wait > 0}
        self._lanes = {lane: self._lanes[lane] for lane in closed}
        return closed

    def _wait(self, method: str, channel: str) -> float:
        now = self._now()
        waits = [
            wait_for_one(level_at(self._level(bucket, rate), rate, now), rate)
            for bucket, rate in self._rates(method, channel).items()
        ]
        return max([self._told_to_wait(method, channel), *waits])

    def _told_to_wait(self, method: str, channel: str) -> float:
        until = self._not_before.get(_own_bucket(method, channel), 0.0)
        return max(until - self._now(), 0.0)

    def _take(self, method: str, channel: str) -> None:
        for bucket, rate in self._rates(method, channel).items():
            level = level_at(self._level(bucket, rate), rate, self._now())
            self._levels[bucket] = Level(max(level.tokens - 1, 0.0), level.at)

    def _level(self, bucket: _Bucket, rate: Rate) -> Level:
        return self._levels.get(bucket) or Level(rate.burst, self._now())

    def _rates(self, method: str, channel: str) -> dict[_Bucket, Rate]:
        if method == POST:
            own, shared = _own_bucket(method, channel), (POST, "")
            return {own: self._paced(IN_CHANNEL), shared: self._paced(IN_WORKSPACE)}
        rate = TIERS.get(method)
        return {} if rate is None else {(method, ""): self._paced(rate)}

    def _paced(self, rate: Rate) -> Rate:
        return Rate(rate.burst, rate.per_second * self._pace, rate.reserve)


def _own_bucket(method: str, channel: str) -> _Bucket:
    return (method, channel if method == POST else "")
