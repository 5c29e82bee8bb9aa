"""Who is told what in person, and who is left alone. Pure.

Nobody is, but: whoever asked for a run hears how its request ended; whoever is the only one
named, is escalated to, or asked for it, hears that something waits for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.identity import Identity, PersonId, Principal, PrincipalKind
from engine.model import Cause, Checkpoint, CheckpointState

MOST_TOLD = 10
"""How many people one checkpoint calls at most without its author's word, unless configured."""

_ACCOUNTS = frozenset({PrincipalKind.SLACK_USER, PrincipalKind.EMAIL})
_AT_ONCE = frozenset({CheckpointState.REJECTED, CheckpointState.EXPIRED})


class Why(StrEnum):
    """Why somebody is told in person."""

    OUTCOME = "outcome"  # they asked for the run
    ALONE = "alone"  # they are the only one named
    ESCALATED = "escalated"  # nobody had decided, and it is for them next
    OPTED_IN = "opted_in"  # they want to hear of whatever they could decide


class Occasion(StrEnum):
    """What makes people called in person while a checkpoint waits."""

    OPENED = "opened"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a person wants to be told directly. Times are UTC."""

    outcome: bool = True  # how what they asked for ended
    asked: bool = False  # that something waits which they could decide
    snoozed_until: datetime | None = None

    def is_snoozed(self, now: datetime) -> bool:
        """Whether they are left alone now."""
        return self.snoozed_until is not None and now < self.snoozed_until


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who may be told. `person` is None for an account that was never seen."""

    account: Identity
    why: Why
    person: PersonId | None = None
    preferences: Preferences = Preferences()

    @property
    def key(self) -> str:
        """One word for one person, by whichever of their accounts they are told."""
        return self.person or str(self.account)


@dataclass(frozen=True, slots=True)
class Calling:
    """Whom to tell; nobody where it would be too many. `found` is how many it would be."""

    recipients: tuple[Recipient, ...]
    found: int

    @property
    def is_too_many(self) -> bool:
        """Whether somebody was found and nobody is told."""
        return self.found > len(self.recipients)


def silence(why: Why, preferences: Preferences, now: datetime) -> str | None:
    """Why this person is not told, as the end of a sentence; None where they are."""
    if preferences.is_snoozed(now):
        return "they snoozed their messages"
    if why is Why.OUTCOME and not preferences.outcome:
        return "they do not want to hear how requests end"
    if why is Why.OPTED_IN and not preferences.asked:
        return "they did not ask for it"
    return None


def calling(found: Iterable[Recipient], now: datetime, most: int, besides: int = 0) -> Calling:
    """Each person once, for the first reason given, without those who want to be left alone.

    `besides` counts people called by the same occasion in other ways: together they may be
    at most `most`, or nobody is told.
    """
    persons: dict[str, Recipient] = {}
    for one in found:
        if silence(one.why, one.preferences, now) is None:
            persons.setdefault(one.key, one)
    total = max(len(persons), besides)
    return Calling(tuple(persons.values()) if total <= most else (), total)


def sole_approver(checkpoint: Checkpoint) -> Principal | None:
    """The account that alone is named to decide; None where there are more, or none."""
    there = checkpoint.elsewhere
    named: Sequence[Principal] = checkpoint.policy.approvers
    if not named and there is not None:
        named = there.assigned or ()
    return named[0] if len(named) == 1 and named[0].kind in _ACCOUNTS else None


def ends_the_matter(checkpoint: Checkpoint) -> bool:
    """Whether the requester hears of this end at once: a no, or no answer, is news by itself.

    An approval is not: what they wait for is the run, and they hear of both in one.
    """
    return checkpoint.state in _AT_ONCE


def concerns_people(checkpoint: Checkpoint) -> bool:
    """Whether its end is anybody's outcome: where a rule approved, nobody was asked."""
    return not checkpoint.is_open and checkpoint.cause is not Cause.AUTO
