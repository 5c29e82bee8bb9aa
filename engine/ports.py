"""What the engine needs from outside, declared where it is used."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from engine.store.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Delivered:
    """It was told."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now. Without `after`, the outbox backs off by itself."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """It cannot be told, now or ever."""

    reason: str


Outcome = Delivered | RetryLater | Impossible


class Deliverer(Protocol):
    """A surface that can be told things."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Tell it. May be asked again for something already told: telling twice is harmless."""
        ...
