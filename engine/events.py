"""What happened, in the past tense. Each becomes a row of the audit trail.

An event holds facts only: opaque ids, states, digests, times. Names, accounts and
reasons are personal and travel beside it, so that they can be erased alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from engine.identity import PersonId
from engine.model import CheckpointId, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all facts."""

    run_id: RunId | None = None
    checkpoint_id: CheckpointId | None = None

    @property
    def name(self) -> str:
        """`CheckpointOpened` is written `checkpoint_opened`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    def facts(self) -> dict[str, Any]:
        """The fields as JSON values; unset ones are left out."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: _plain(value) for name, value in values if value is not None}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case tuple() | frozenset():
            return [_plain(item) for item in value]
        case _:
            return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """Somebody, or a schedule, asked for a run."""

    dag: str
    dag_digest: str
    tenant: str
    host: str
    requester: PersonId
    scheduled_for: datetime | None = None  # the tick, when it was a schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaused(Event):
    """Nothing of the run can go on before people decide."""

    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed(Event):
    """A checkpoint ended and the run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTakenOver(Event):
    """The holder of a run died; another worker drives it now."""

    interrupted: tuple[str, ...]
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """Every task of the run has ended."""

    state: str
    cause: str | None = None
    because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCalledOff(Event):
    """Somebody wants the run ended: nothing of it starts any more."""

    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRetried(Event):
    """Somebody wants the failed tasks of an ended run tried again."""

    person: PersonId
    tasks: tuple[str, ...]  # those that are pending again


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointOpened(Event):
    """A run asks people."""

    task: str
    tenant: str
    required_role: str
    request_digest: str
    dag_digest: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesEvaluated(Event):
    """The rules of a checkpoint were evaluated as it opened; the values they read are personal."""

    task: str
    rules: tuple[Mapping[str, Any], ...]  # `rule`, `when`, `came`, `why`
    approved_by: int | None = None  # the rule that approves, where one does


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecorded(Event):
    """One person's answer was counted."""

    choice: str
    person: PersonId
    for_person: PersonId | None = None  # who lent their place, when it was a delegate
    role: str
    surface: str
    request_digest: str
    have: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRefused(Event):
    """One person's answer was not counted."""

    choice: str
    person: PersonId
    surface: str
    rules: tuple[str, ...]
    suppressed_before: int = 0  # the same refusal, not written since the last row about it


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassBroken(Event):
    """An Admin's answer was recorded and ended its checkpoint, over rules that stood in the way."""

    choice: str
    person: PersonId
    role: str
    surface: str
    request_digest: str
    overridden: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSigned(Event):
    """Another person has looked at why the glass was broken, and signed."""

    person: PersonId
    role: str
    surface: str
    request_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRequested(Event):
    """A button, form or command named a checkpoint that does not exist, or was tampered with."""

    person: PersonId
    surface: str
    suppressed_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointEnded(Event):
    """The one end of a checkpoint."""

    task: str
    state: str
    cause: str
    ended_at: datetime
    on_expire: str | None = None
    forced_by: PersonId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointEscalated(Event):
    """Nobody had decided for so long that more people are asked. Whom is personal."""

    because: str  # `time`: as long as the policy waits; `deadline`: which is a later one now
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointUndecidable(Event):
    """Fewer persons could approve than are needed, as roles and accounts are."""

    could: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSent(Event):
    """We began to tell another engine how its gate was decided."""

    backend: str
    options: tuple[str, ...]  # none: the gate is withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerApplied(Event):
    """Another engine has let the end of a checkpoint take effect."""

    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLost(Event):
    """The end of a checkpoint has no effect: its gate was answered otherwise, or is gone."""

    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointAskedAgain(Event):
    """Somebody wants the question of an expired or rejected checkpoint asked anew."""

    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRefused(Event):
    """Somebody without the role asked for a run."""

    dag: str
    tenant: str
    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringRefused(Event):
    """Somebody wanted to steer runs who may not, or what they wanted could not be."""

    action: str
    person: PersonId
    surface: str
    rules: tuple[str, ...]
    suppressed_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StandstillBegan(Event):
    """Somebody stopped everything: nothing starts until it ends."""

    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class StandstillEnded(Event):
    """Somebody let runs start and go on again."""

    person: PersonId
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGranted(Event):
    """A principal was given a role."""

    tenant: str
    role: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRevoked(Event):
    """A principal lost a role."""

    tenant: str
    role: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChangeRefused(Event):
    """Somebody who is not an Admin tried to change roles."""

    tenant: str
    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDisabled(Event):
    """An Admin stopped a person: they decide nothing, anywhere, until they are enabled."""

    person: PersonId
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEnabled(Event):
    """An Admin let a person act again."""

    person: PersonId
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAsked(Event):
    """An account waits for somebody to say, in Slack, that it is theirs."""

    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRefused(Event):
    """Somebody gave a code that links nothing to them."""

    person: PersonId
    suppressed_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLinked(Event):
    """A person said, in Slack, that an account is theirs."""

    person: PersonId
    asked_by: PersonId
    was: PersonId | None = None  # who it was on record as until now


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityUnlinked(Event):
    """An account is no longer a person's."""

    person: PersonId
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationMade(Event):
    """A person lends another their place on approver lists, for a while."""

    delegation: str
    delegator: PersonId
    delegate: PersonId
    starts_at: datetime
    ends_at: datetime
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationEnded(Event):
    """Somebody ended a delegation before its time."""

    delegation: str
    by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleChangeRefused(Event):
    """Somebody may not change what is known of people, or what they wanted could not be."""

    action: str
    person: PersonId
    surface: str
    rules: tuple[str, ...]
    suppressed_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceChecked(Event):
    """Somebody pressed the button of a test, and the click arrived."""

    reference: str
    surface: str
    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingMade(Event):
    """A copy of a card stands somewhere."""

    surface: str
    place: str
    handle: str
    adopted: bool = False  # a doubled copy that made itself known


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingLost(Event):
    """A copy of a card that still waits is gone; it is posted anew unless another stands in."""

    surface: str
    place: str
    handle: str
    why: str = "deleted"  # or the surface's word for it, when a look found it


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesChanged(Event):
    """Somebody said what they want to be told directly."""

    person: PersonId
    outcome: bool
    asked: bool
    snoozed_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleNotTold(Event):
    """So many people would have been called in person that nobody was."""

    occasion: str
    found: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryGivenUp(Event):
    """The outside could not be told."""

    kind: str
    error: str
