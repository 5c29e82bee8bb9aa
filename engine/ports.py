"""What the engine needs from outside, declared where it is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from engine.gates import BackendKind, Found, GateRef, Health, Reply, RunThere, Told, WaitingGate
from engine.store.outbox import Delivery


@dataclass(frozen=True, slots=True)
class Delivered:
    """It was told."""


@dataclass(frozen=True, slots=True)
class Later:
    """Not yet, and nothing is wrong: there is a step to take `after` a while."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now. Without `after`, the outbox backs off by itself."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Moot:
    """There is nobody left to tell, or nothing left to make true, and nothing is wrong."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Impossible:
    """It cannot be told, now or ever."""

    reason: str


@dataclass(frozen=True, slots=True)
class InTurn:
    """Not yet: it stands in a lane that takes no more now. The lowest rank goes first."""

    lane: str
    rank: int


Outcome = Delivered | Later | InTurn | RetryLater | Moot | Impossible


class Deliverer(Protocol):
    """A surface that can be told things."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Tell it. May be asked again for something already told: telling twice is harmless."""
        ...


class Backend(Protocol):
    """An engine elsewhere whose gates we ask people about.

    Everything here may raise `BackendUnreachable` (try again) or `BackendDenied` (who runs
    it must change something). Nothing is remembered between calls but a session.
    """

    @property
    def name(self) -> str:
        """What `signoff.toml` calls it."""
        ...

    @property
    def kind(self) -> BackendKind:
        """Which engine it is."""
        ...

    async def waiting(self) -> Sequence[WaitingGate]:
        """Every gate that waits there now, however many pages that takes."""
        ...

    async def look(self, ref: GateRef, reply: Reply | None) -> Found:
        """How one gate stands. `reply` is what we say or said to it, to tell ours from others'."""
        ...

    async def answer(self, ref: GateRef, reply: Reply) -> Told:
        """Say it. Only ever called for a gate that was waiting a moment ago."""
        ...

    async def run(self, ref: GateRef) -> RunThere | None:
        """How the run of a gate stands; None when it is not there any more."""
        ...

    async def check(self) -> Health:
        """Whether it can be reached and used, with which rights."""
        ...

    async def close(self) -> None:
        """End the session."""
        ...
