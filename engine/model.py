"""Frozen values and ids: the words of the domain, without a database."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType, Self

from engine.auto.outcomes import RuleOutcome
from engine.identity import DelegationId, Identity, PersonId, Principal, Role, Surface

RunId = NewType("RunId", str)
TaskId = NewType("TaskId", str)
CheckpointId = NewType("CheckpointId", str)

JsonObject = Mapping[str, Any]

# Crockford's alphabet: no letter that a person reading an id aloud could mistake.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 12


def _new_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


def new_run_id() -> RunId:
    """A fresh run id: `run_` and 60 random bits."""
    return RunId(_new_id("run_"))


def new_checkpoint_id() -> CheckpointId:
    """A fresh checkpoint id: `cp_` and 60 random bits."""
    return CheckpointId(_new_id("cp_"))


def new_person_id() -> PersonId:
    """A fresh person id: `pn_` and 60 random bits. It is a pseudonym: it tells nothing."""
    return PersonId(_new_id("pn_"))


def new_delegation_id() -> DelegationId:
    """A fresh delegation id: `dl_` and 60 random bits."""
    return DelegationId(_new_id("dl_"))


class Choice(StrEnum):
    """What a person can answer."""

    APPROVE = "approve"
    REJECT = "reject"


class CheckpointState(StrEnum):
    """Where a checkpoint stands. All but `pending` are ends and never change again."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why a checkpoint ended."""

    DECIDED = "decided"
    BREAK_GLASS = "break_glass"  # an Admin decided, over rules that stood in the way
    DEADLINE = "deadline"
    FORCED = "forced"  # an Operator ended it before its deadline with `checkpoints expire`
    RUN_ENDED = "run_ended"
    ANSWERED_ELSEWHERE = "answered_elsewhere"  # on the engine's own page, say
    AUTO = "auto"  # a rule approved it when it opened: nobody was asked
    GATE_GONE = "gate_gone"  # its gate waits no more: cleared, deleted, out of time there


BY_PEOPLE = frozenset({Cause.DECIDED, Cause.BREAK_GLASS})
"""The causes of an end that is somebody's answer."""


class Effect(StrEnum):
    """Whether an end has reached the engine that holds the run."""

    PENDING = "pending"
    APPLIED = "applied"
    LOST_ELSEWHERE = "lost_elsewhere"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunCause(StrEnum):
    """Why a run failed."""

    TASK_FAILED = "task_failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    TIMED_OUT = "timed_out"


class TaskState(StrEnum):
    """Where a task stands. A checkpoint task ends with the word of its checkpoint."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


OPEN_TASK_STATES = frozenset({TaskState.PENDING, TaskState.RUNNING, TaskState.WAITING})
ENDED_RUN_STATES = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})


class ReasonRule(StrEnum):
    """Whether a choice wants a reason."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class OnExpire(StrEnum):
    """What the deadline does to the run. It never approves."""

    FAIL = "fail"
    REJECT = "reject"
    ESCALATE = "escalate"  # once: asks whoever `escalate` names, with a new deadline; then fails


class Confirm(StrEnum):
    """What Approve opens."""

    MODAL = "modal"
    DIALOG = "dialog"  # one tap and Slack's own confirmation


@dataclass(frozen=True, slots=True)
class Nudge:
    """When whoever may decide is reminded: so long after the question, or before the deadline."""

    after: timedelta | None = None
    before: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is asked besides when nobody decides. `to` names roles, principals and channels."""

    to: tuple[str, ...]  # `Admin`, `S012AB`, `ana@example.com`, `#incidents`
    after: timedelta | None = None  # of the question; None: at the deadline (`on_expire: escalate`)


@dataclass(frozen=True, slots=True)
class AutoRule:
    """An expression over what a run was given and has found, and what holds where it is true."""

    when: str  # CEL
    approves: bool = False  # settles without people; otherwise it raises what is required
    required_role: Role | None = None
    quorum: int | None = None


class InputType(StrEnum):
    """The kind of a form field."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    CHOICES = "choices"  # several of the options
    DATE = "date"
    JSON = "json"  # any JSON value, typed as text


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """One field of the form an approver fills in."""

    name: str
    type: InputType = InputType.TEXT
    description: str = ""
    required: bool = False
    default: Any = None  # a JSON value of the type; None where there is none
    minimum: float | None = None  # number: least value; text: least length in characters
    maximum: float | None = None
    options: tuple[str, ...] = ()
    schema: JsonObject | None = None  # a JSON Schema that the value must meet besides


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may decide a checkpoint, and how. Part of the request digest."""

    required_role: Role = Role.OPERATOR
    approvers: tuple[Principal, ...] = ()  # empty: anyone with the role
    quorum: int = 1
    reject_quorum: int = 1
    self_approval: bool = False
    approve_reason: ReasonRule = ReasonRule.OPTIONAL
    reject_reason: ReasonRule = ReasonRule.REQUIRED
    inputs: tuple[InputField, ...] = ()
    expires_in: timedelta = timedelta(hours=72)
    on_expire: OnExpire = OnExpire.FAIL
    confirm: Confirm = Confirm.MODAL
    notify: tuple[Principal, ...] = ()  # mentioned once, at posting
    remind: tuple[Nudge, ...] | None = None  # None: half-way and an hour before; (): never
    escalate: Escalation | None = None
    auto: tuple[AutoRule, ...] = ()

    def reason_rule(self, choice: Choice) -> ReasonRule:
        """Whether this choice wants a reason."""
        return self.approve_reason if choice is Choice.APPROVE else self.reject_reason

    def needed(self, choice: Choice) -> int:
        """How many distinct persons must make this choice to settle."""
        return self.quorum if choice is Choice.APPROVE else self.reject_quorum


@dataclass(frozen=True, slots=True)
class Fact:
    """An upstream value shown to the approver. Secret ones are masked in public."""

    label: str
    value: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The gate of another engine that a checkpoint answers. Part of the request digest."""

    backend: str  # what `signoff.toml` calls it
    engine: str  # `airflow`, `prefect`
    key: str  # this one asking there
    options: tuple[str, ...]  # what can be answered, in the engine's order
    approving: tuple[str, ...]  # those of them that approve
    rejecting: str | None = None  # the one that says no; None: a no withdraws the gate
    choosing: str | None = None  # the input that holds the choice, where more than one approves
    started_by: tuple[Principal, ...] = ()  # whose account started the run, where that is known
    assigned: tuple[Principal, ...] | None = None  # who alone may answer there; None: no limit
    url: str = ""  # its page there

    def as_json(self) -> dict[str, Any]:
        """The stored form. `from_json` reads it back."""
        return {
            "backend": self.backend,
            "engine": self.engine,
            "key": self.key,
            "options": list(self.options),
            "approving": list(self.approving),
            "rejecting": self.rejecting,
            "choosing": self.choosing,
            "started_by": [str(principal) for principal in self.started_by],
            "assigned": None if self.assigned is None else [str(who) for who in self.assigned],
            "url": self.url,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The value that `as_json` stored."""
        assigned = stored["assigned"]
        named = None if assigned is None else tuple(Principal.parse(who) for who in assigned)
        return cls(
            **{
                **stored,
                "options": tuple(stored["options"]),
                "approving": tuple(stored["approving"]),
                "started_by": tuple(Principal.parse(who) for who in stored["started_by"]),
                "assigned": named,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A place where a run waits for people.

    Everything above `state` is the immutable request; the rest is how it ended.
    Times are aware and in UTC.
    """

    id: CheckpointId
    run_id: RunId
    task_id: TaskId
    dag_name: str
    dag_digest: str
    tenant: str
    params: JsonObject = field(default_factory=dict)  # what the run was started with
    prompt: str
    facts: tuple[Fact, ...]
    policy: Policy
    requester: PersonId
    request_digest: str
    created_at: datetime
    expires_at: datetime
    rules: tuple[RuleOutcome, ...] = ()  # what the rules of the policy came to as it opened
    state: CheckpointState = CheckpointState.PENDING
    cause: Cause | None = None
    ended_at: datetime | None = None
    effect: Effect = Effect.PENDING
    version: int = 1
    elsewhere: Elsewhere | None = None  # None: the run is one of ours
    escalated_at: datetime | None = None  # when more people were asked
    could_decide: int | None = None  # how many persons could at most, once known to be too few
    untold: int | None = None  # how many would have been called in person: so many that nobody was

    @property
    def is_open(self) -> bool:
        """Whether the record still has it pending (its deadline may have passed)."""
        return self.state is CheckpointState.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One person's answer. Append-only: a changed mind is a later decision."""

    checkpoint_id: CheckpointId
    person_id: PersonId
    for_person: PersonId | None = None  # who lent their place, when it is a delegate's answer
    choice: Choice
    reason: str
    inputs: JsonObject = field(default_factory=dict)
    surface: Surface
    identity: Identity
    role: Role
    role_source: str
    request_digest: str
    decided_at: datetime
    broke_glass: bool = False  # over rules that stood in the way
    id: int | None = None  # its number on record; None before that
