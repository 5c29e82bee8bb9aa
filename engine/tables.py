"""The rows, and nothing but the rows. Domain values are separate types in `engine.model`.

`table=True` models validate nothing, so nothing is parsed here. Every time is a
`UtcDateTime`. Foreign keys restrict: the record never deletes by cascade.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel


def table_of(row: type[SQLModel]) -> Table:
    """The Core table of a row type, for named statements."""
    return row.metadata.tables[str(row.__tablename__)]


_STORED = "%Y-%m-%dT%H:%M:%S.%fZ"  # fixed width, so that text order is time order


class UtcDateTime(TypeDecorator[datetime]):
    """The one time type: aware, UTC, microseconds. Readable text on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text of fixed width on SQLite, `timestamptz` on PostgreSQL."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuses naive times: nobody knows what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive time {value!r}: every stored time is aware")
        utc = value.astimezone(UTC)
        return utc.strftime(_STORED) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.strptime(value, _STORED).replace(tzinfo=UTC)
        aware: datetime = value.astimezone(UTC)
        return aware


def _time(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(UtcDateTime(), nullable=nullable))


def _json(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(JSON(none_as_null=True), nullable=nullable))


def _text(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(Text(), nullable=nullable))


class PersonRow(SQLModel, table=True):
    """A human. The id is a pseudonym; names and accounts can be erased from under it."""

    __tablename__ = "person"
    id: str = Field(primary_key=True)
    name: str = ""
    created_at: datetime = _time()
    disabled_at: datetime | None = _time(nullable=True)
    erased_at: datetime | None = _time(nullable=True)


class PreferenceRow(SQLModel, table=True):
    """What a person wants to be told directly. Without a row: what holds for everybody."""

    __tablename__ = "preference"
    person_id: str = Field(primary_key=True, foreign_key="person.id")
    outcome: bool = True
    asked: bool = False
    snoozed_until: datetime | None = _time(nullable=True)
    changed_at: datetime = _time()


class IdentityRow(SQLModel, table=True):
    """An account of a person."""

    __tablename__ = "identity"
    __table_args__ = (Index("ix_identity_person", "person_id"),)
    kind: str = Field(primary_key=True)
    realm: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id")
    linked_by: str = "first seen"
    created_at: datetime = _time()


class PersonAliasRow(SQLModel, table=True):
    """A person found to be another: what is on record about the one is about the other."""

    __tablename__ = "person_alias"
    __table_args__ = (Index("ix_person_alias_person", "person_id"),)
    alias: str = Field(primary_key=True, foreign_key="person.id")
    person_id: str = Field(foreign_key="person.id")
    created_at: datetime = _time()


class LinkRequestRow(SQLModel, table=True):
    """An account that waits for a person to say, in Slack, that it is theirs."""

    __tablename__ = "link_request"
    __table_args__ = (Index("ix_link_request_target", "target"),)
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    realm: str
    subject: str
    target: str  # the Slack account, as a principal: U012AB or T012/U012AB
    salt: str
    code_hash: str
    asked_by: str = Field(foreign_key="person.id")
    attempts: int = 0
    created_at: datetime = _time()
    expires_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)  # confirmed, replaced, or guessed at too often


class DelegationRow(SQLModel, table=True):
    """One person lends another their place on approver lists, for a while."""

    __tablename__ = "delegation"
    __table_args__ = (
        Index("ix_delegation_delegate", "delegate", "ends_at"),
        Index("ix_delegation_delegator", "delegator", "ends_at"),
    )
    id: str = Field(primary_key=True)
    delegator: str = Field(foreign_key="person.id")
    delegate: str = Field(foreign_key="person.id")
    starts_at: datetime = _time()
    ends_at: datetime = _time()
    reason: str = _text()
    made_by: str = Field(foreign_key="person.id")
    created_at: datetime = _time()
    ended_by: str | None = Field(default=None, foreign_key="person.id")
    ended_at: datetime | None = _time(nullable=True)  # before its time, by somebody


class RoleGrantRow(SQLModel, table=True):
    """A role given in a tenant. Revoking closes the row; it is never removed."""

    __tablename__ = "role_grant"
    __table_args__ = (
        Index(
            "ux_role_grant_active",
            "principal",
            "tenant",
            "source",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_role_grant_tenant", "tenant"),
    )
    id: int | None = Field(default=None, primary_key=True)
    principal: str  # as written: U012AB, S012AB, ana@example.com, os:ana
    tenant: str
    role: str
    source: str  # "signoff.toml" or "signoff roles"
    granted_by: str
    granted_at: datetime = _time()
    revoked_by: str | None = None
    revoked_at: datetime | None = _time(nullable=True)


class DagRow(SQLModel, table=True):
    """A DAG as it was when a run was started from it."""

    __tablename__ = "dag"
    digest: str = Field(primary_key=True)
    name: str
    tenant: str
    definition: dict[str, Any] = _json()
    created_at: datetime = _time()


class RunRow(SQLModel, table=True):
    """One execution of a DAG. It belongs to `host` and is driven under a lease."""

    __tablename__ = "run"
    __table_args__ = (
        Index("ix_run_drive", "host", "state", "lease_expires_at"),
        Index("ix_run_recent", "created_at", "id"),
        Index("ix_run_tenant", "tenant", "created_at", "id"),
        Index("ux_run_tick", "tenant", "dag_name", "scheduled_for", unique=True),
    )
    id: str = Field(primary_key=True)
    dag_digest: str = Field(foreign_key="dag.digest")
    dag_name: str
    tenant: str
    state: str
    cause: str | None = None
    because: str | None = None  # the task that decided the end
    host: str  # the machine that drives it; `airflow:NAME` for a run that lives on a backend
    requester: str = Field(foreign_key="person.id")
    requested_as: str  # the identity, as text
    params: dict[str, Any] = _json()
    created_at: datetime = _time()
    started_at: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)
    scheduled_for: datetime | None = _time(nullable=True)  # the tick of its schedule
    called_off_at: datetime | None = _time(nullable=True)  # its driver ends what still runs
    revision: int = 0  # counts what others than its driver changed about its tasks
    worked_s: float = 0.0  # seconds at work before `working_since`: pauses do not count
    working_since: datetime | None = _time(nullable=True)
    lease_holder: str | None = None
    lease_epoch: int = 0  # fencing: a holder with an older epoch changes nothing
    lease_expires_at: datetime | None = _time(nullable=True)


class TaskRow(SQLModel, table=True):
    """A node of a run."""

    __tablename__ = "task"
    run_id: str = Field(primary_key=True, foreign_key="run.id")
    task_id: str = Field(primary_key=True)
    position: int
    state: str
    attempt: int = 0
    attempts_before: int = 0  # of earlier rounds: a retry by hand has all its tries again
    not_before: datetime | None = _time(nullable=True)
    started_at: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)
    pgid: int | None = None
    process_started: float | None = None  # as `engine.liveness.start_of` tells it
    output: dict[str, Any] | None = _json(nullable=True)
    error: str | None = _text(nullable=True)
    log_tail: str | None = _text(nullable=True)


class TaskEventRow(SQLModel, table=True):
    """One thing that happened to a task: the journal that timelines and mirrors read."""

    __tablename__ = "task_event"
    __table_args__ = (Index("ix_task_event_run", "run_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="run.id")
    task_id: str
    attempt: int
    event: str
    at: datetime = _time()
    error: str | None = _text(nullable=True)


class ScheduleRow(SQLModel, table=True):
    """How far the schedule of a DAG has been followed."""

    __tablename__ = "schedule"
    tenant: str = Field(primary_key=True)
    dag_name: str = Field(primary_key=True)
    declared: str  # the schedule as followed so far: a changed one begins anew
    upto: datetime = _time()  # every tick up to here was started, or let go on purpose


class CheckpointRow(SQLModel, table=True):
    """A place where a run waits for people. `request` never changes after the insert."""

    __tablename__ = "checkpoint"
    __table_args__ = (
        UniqueConstraint("run_id", "task_id", "round", name="ux_checkpoint_round"),
        # Serves every list of what is pending, newest deadline last, keyset-paged.
        Index("ix_checkpoint_pending", "state", "expires_at", "id"),
        Index("ix_checkpoint_tenant", "tenant", "state", "expires_at", "id"),
        Index("ix_checkpoint_recent", "created_at", "id"),
        # Serve what is over: pages of a tenant's past, and what was asked and ended in a while.
        Index("ix_checkpoint_ended", "tenant", "ended_at", "id"),
        Index("ix_checkpoint_asked", "tenant", "created_at"),
        Index("ix_checkpoint_requester", "requester", "created_at", "id"),
    )
    id: str = Field(primary_key=True)
    run_id: str
    task_id: str
    round: int = 1  # a re-request of the same task is the next round
    backend: str = "embedded"
    dag_name: str
    dag_digest: str
    tenant: str
    requester: str = Field(foreign_key="person.id")
    request: dict[str, Any] = _json()  # prompt, facts, policy: what the digest covers
    request_digest: str
    channel: str | None = None
    created_at: datetime = _time()
    expires_at: datetime = _time()
    state: str
    cause: str | None = None
    ended_at: datetime | None = _time(nullable=True)
    effect: str = "pending"
    effect_at: datetime | None = _time(nullable=True)
    version: int = 1
    escalated_at: datetime | None = _time(nullable=True)
    could_decide: int | None = None
    untold: int | None = None


class DecisionRow(SQLModel, table=True):
    """One person's answer. Append-only: triggers refuse UPDATE and DELETE."""

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_checkpoint", "checkpoint_id", "id"),
        Index("ix_decision_person", "person_id", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    checkpoint_id: str = Field(foreign_key="checkpoint.id")
    person_id: str = Field(foreign_key="person.id")
    for_person: str | None = None  # whose place was lent, when it was a delegate's answer
    choice: str
    reason: str = _text()
    inputs: dict[str, Any] = _json()
    surface: str
    identity: str
    role: str
    role_source: str
    trace: list[dict[str, Any]] = _json()
    request_digest: str
    decided_at: datetime = _time()
    broke_glass: bool = False


class ReviewRow(SQLModel, table=True):
    """What somebody else has to look at and sign, because the glass was broken."""

    __tablename__ = "review"
    __table_args__ = (Index("ix_review_open", "signed_at", "opened_at"),)
    checkpoint_id: str = Field(primary_key=True, foreign_key="checkpoint.id")
    broken_by: str = Field(foreign_key="person.id")
    overridden: list[str] = _json()  # the rules that stood in the way
    opened_at: datetime = _time()
    reminded_at: datetime | None = _time(nullable=True)
    signed_by: str | None = Field(default=None, foreign_key="person.id")
    signed_at: datetime | None = _time(nullable=True)
    note: str = _text()
    place: str | None = None  # where the notice of it stands
    handle: str | None = None  # the surface's own id of the notice; None: not posted yet
    shows_signed: bool = False


class PostingRow(SQLModel, table=True):
    """One copy of a card. It is true when `shown_version` has reached `wanted_version`."""

    __tablename__ = "posting"
    __table_args__ = (
        UniqueConstraint("surface", "place", "handle", name="ux_posting_handle"),
        Index("ix_posting_checkpoint", "checkpoint_id"),
        Index("ix_posting_checked", "state", "checked_at", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    checkpoint_id: str = Field(foreign_key="checkpoint.id")
    surface: str
    place: str  # where it should go, then where it went; opaque to the engine
    handle: str | None = None  # the surface's own id of the copy; None: not posted yet
    shown_version: int = 0
    wanted_version: int = 1
    state: str = "wanted"
    error: str | None = _text(nullable=True)
    created_at: datetime = _time()
    posted_at: datetime | None = _time(nullable=True)
    asked_place: str = ""  # where it was asked for; `place` is where it went
    checked_at: datetime | None = _time(nullable=True)  # when it was last known to stand, or looked


class DeliveryRow(SQLModel, table=True):
    """Something the outside must learn. Pending until done, or given up loudly."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("key", name="ux_delivery_key"),
        Index("ix_delivery_due", "state", "due_at", "id"),
        Index("ix_delivery_checkpoint", "checkpoint_id"),
        Index("ix_delivery_lane", "lane", "state"),
    )
    id: int | None = Field(default=None, primary_key=True)
    key: str  # asking for the same thing twice is asking once
    kind: str
    checkpoint_id: str = Field(foreign_key="checkpoint.id")
    posting_id: int | None = Field(default=None, foreign_key="posting.id")
    payload: dict[str, Any] = _json()
    state: str = "pending"
    attempts: int = 0
    lane: str | None = _text(nullable=True)  # what it waits for with others; opaque to the engine
    rank: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # its turn in the lane
    due_at: datetime = _time()
    claimed_by: str | None = None
    claimed_until: datetime | None = _time(nullable=True)
    error: str | None = _text(nullable=True)
    created_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)


class BacklogRow(SQLModel, table=True):
    """That cards wait for their turn in a lane, and the one message that says so meanwhile."""

    __tablename__ = "backlog"
    __table_args__ = (
        Index(
            "ux_backlog_open",
            "lane",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    lane: str
    place: str | None = None  # where the message stands; opaque to the engine
    handle: str | None = None  # None: not posted yet
    waiting: int = 0  # as the message says
    most: int = 0  # how many waited at once
    due_at: datetime = _time()  # not looked at before
    claimed_by: str | None = None
    claimed_until: datetime | None = _time(nullable=True)
    created_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)


class AuditRow(SQLModel, table=True):
    """A link of the audit chain. Append-only: triggers refuse UPDATE and DELETE."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_checkpoint", "checkpoint_id", "seq"),
        Index("ix_audit_run", "run_id", "seq"),
    )
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _time()
    event: str
    checkpoint_id: str | None = None
    run_id: str | None = None
    commitments: dict[str, str] = _json()
    prev: str
    hash: str


class AuditContentRow(SQLModel, table=True):
    """A part of an audit row's content, kept apart so that the personal part can be erased."""

    __tablename__ = "audit_content"
    __table_args__ = (Index("ix_audit_content_person", "person_id"),)
    seq: int = Field(primary_key=True, foreign_key="audit.seq")
    part: str = Field(primary_key=True)
    person_id: str | None = None
    salt: str
    body: str = _text()


class AuditHeadRow(SQLModel, table=True):
    """The end of the chain. Locking this one row makes writers queue on PostgreSQL."""

    __tablename__ = "audit_head"
    id: int = Field(primary_key=True)
    seq: int
    hash: str


class RefusalWindowRow(SQLModel, table=True):
    """How often the same refusal was met lately, so that a flood cannot fill the trail."""

    __tablename__ = "refusal_window"
    person_id: str = Field(primary_key=True)
    about: str = Field(primary_key=True)
    since: datetime = _time()
    suppressed: int = 0


class GateRow(SQLModel, table=True):
    """The gate of another engine that a checkpoint answers, and what we did about it."""

    __tablename__ = "gate"
    __table_args__ = (Index("ix_gate_key", "backend", "key"),)
    checkpoint_id: str = Field(primary_key=True, foreign_key="checkpoint.id")
    backend: str
    key: str
    ref: dict[str, Any] = _json()  # where its engine finds it
    seen_at: datetime = _time()  # when we first saw it waiting
    sent_at: datetime | None = _time(nullable=True)  # when we last began to answer it
    note: str | None = _text(nullable=True)  # how it stands there, for people


class BackendRunRow(SQLModel, table=True):
    """A run that lives on another engine, and where it is found there."""

    __tablename__ = "backend_run"
    __table_args__ = (UniqueConstraint("backend", "dag", "ref", name="ux_backend_run_ref"),)
    run_id: str = Field(primary_key=True, foreign_key="run.id")
    backend: str
    dag: str
    ref: str  # the run's id there
    gate: dict[str, Any] = _json()  # where its engine finds its latest gate
    looked_at: datetime = _time()


class BackendRow(SQLModel, table=True):
    """How a backend was when it was last looked at."""

    __tablename__ = "backend"
    name: str = Field(primary_key=True)
    engine: str
    looked_at: datetime | None = _time(nullable=True)  # the last time its gates were read
    took_s: float = 0.0  # how long that took, seconds
    waiting: int = 0
    error: str | None = _text(nullable=True)  # why the last attempt failed, if it did
    error_since: datetime | None = _time(nullable=True)


class ProcessRow(SQLModel, table=True):
    """A running bot or worker, as it last said."""

    __tablename__ = "process"
    id: str = Field(primary_key=True)
    kind: str
    host: str
    pid: int
    process_started: float
    seen_at: datetime = _time()


class MetaRow(SQLModel, table=True):
    """A few facts about this database itself."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str = _text()


class SignedHeadRow(SQLModel, table=True):
    """The end of the chain as it was signed at some moment. Append-only, as the chain is."""

    __tablename__ = "signed_head"
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    hash: str
    at: datetime = _time()
    key_id: str
    signature: str


class AnchoredRow(SQLModel, table=True):
    """How far signed heads were written to a place outside."""

    __tablename__ = "anchored"
    place: str = Field(primary_key=True)
    seq: int
    at: datetime = _time()
