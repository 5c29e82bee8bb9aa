"""Slack's rate limits as token buckets.

Source: https://docs.slack.dev/apis/web-api/rate-limits. Tiers are per method and workspace;
chat.postMessage is about one a second per channel, with short bursts.
"""

import math
from collections.abc import Callable, Mapping

TIER_PER_MINUTE: Mapping[str, int] = {"2": 20, "3": 50, "4": 100}
TIERS: Mapping[str, str] = {
    "usergroups.list": "2",
    "usergroups.users.list": "2",
    "conversations.list": "2",
    "users.list": "2",
    "chat.update": "3",
    "conversations.info": "3",
    "conversations.open": "3",
    "users.lookupByEmail": "3",
    "chat.postEphemeral": "4",
    "users.info": "4",
    "views.open": "4",
    "views.update": "4",
    "views.push": "4",
    "views.publish": "4",
}
POST_BURST = 10
POSTS_PER_MINUTE = 300


class Pacer:
    """Counts calls; a switched-off pacer never refuses.

    `scale` is how many times faster than in Slack what was used comes back, for tests that
    cannot take ten minutes.
    """

    def __init__(self, now: Callable[[], float], *, enabled: bool, scale: float = 1.0) -> None:
        self._now = now
        self._enabled = enabled
        self._scale = scale
        self._filled: dict[tuple[str, str], tuple[float, float]] = {}

    def retry_after(self, method: str, channel: str) -> int:
        """Return 0 if the call may go on, else the whole seconds to wait (`Retry-After`)."""
        if not self._enabled:
            return 0
        waits = [self._draw(*bucket) for bucket in self._buckets(method, channel)]
        return math.ceil(max(waits, default=0))

    def _buckets(self, method: str, channel: str) -> list[tuple[tuple[str, str], float, float]]:
        if method == "chat.postMessage":
            return [
                ((method, channel), POST_BURST, 1.0),
                ((method, ""), POSTS_PER_MINUTE, POSTS_PER_MINUTE / 60),
            ]
        if method in TIERS:
            per_minute = TIER_PER_MINUTE[TIERS[method]]
            return [((method, ""), per_minute, per_minute / 60)]
        return []

    def _draw(self, key: tuple[str, str], capacity: float, rate: float) -> float:
        per_second = rate * self._scale
        level, at = self._filled.get(key, (capacity, self._now()))
        level = min(capacity, level + (self._now() - at) * per_second)
        if level < 1:
            self._filled[key] = (level, self._now())
            return (1 - level) / per_second
        self._filled[key] = (level - 1, self._now())
        return 0.0
