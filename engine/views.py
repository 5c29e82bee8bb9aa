"""What surfaces show, as values: everything about a checkpoint, a run or a page of them.

`engine.queries` reads them. Times are aware and in UTC; names of persons are empty once erased.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.dag import Dag
from engine.eligibility import StillAsked
from engine.identity import Identity, PersonId, Role, Surface
from engine.model import Checkpoint, Choice, JsonObject, TaskId
from engine.progress import Progress
from engine.rulings import Finding
from engine.standstill import Standstill
from engine.store.checkpoints import Cursor
from engine.store.postings import Posting
from engine.store.reviews import ReviewRecord
from engine.store.runs import Run
from engine.store.tasks import TaskRecord


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as a surface may name them. The name is empty once erased."""

    id: PersonId
    name: str
    slack: Identity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A decision that counts, with the person who made it."""

    person: PersonView
    on_behalf: PersonView | None = None  # who lent their place, when it is a delegate's
    choice: Choice
    reason: str
    inputs: JsonObject
    surface: Surface
    role: Role
    identity: Identity
    decided_at: datetime
    broke_glass: bool = False
    decision: int | None = None  # its number on record
    lapsed: tuple[Finding, ...] = ()  # why it did not count when the latest answer came


@dataclass(frozen=True, slots=True)
class ReviewView:
    """What waits for a signature because the glass was broken, or who signed it."""

    record: ReviewRecord
    broken_by: PersonView
    signed_by: PersonView | None


@dataclass(frozen=True, slots=True)
class CalledOff:
    """Who called a run off, why and when. The reason may be empty, as once it was erased."""

    by: PersonView
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The task a run failed at: why, at which try of how many, and what it printed last."""

    task: TaskId
    error: str
    attempt: int
    attempts: int
    log_tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """Everything a card, a modal or a listing shows of a checkpoint, as it is now."""

    checkpoint: Checkpoint
    requester: PersonView
    requested_as: str  # the account the run was started from, as text
    voices: tuple[Voice, ...]
    run: Run
    channel: str | None  # where the DAG wants the card
    postings: tuple[Posting, ...]
    can_ask_again: bool = False  # whether the same question can be asked anew
    called_off: CalledOff | None = None  # how its run was, if it was
    standstill: Standstill | None = None  # while it lasts
    review: ReviewView | None = None  # of a glass that was broken
    gate_note: str | None = None  # how its gate on another engine stands, where that is news
    still_asked: StillAsked | None = None  # who may still decide; None once it has ended
    progress: Progress | None = None  # None where the tasks of its run are not known here
    failure: Failure | None = None  # of a run that failed because a task did


@dataclass(frozen=True, slots=True)
class Page:
    """A page of pending checkpoints; `after` leads to the next one, None at the end."""

    items: tuple[Checkpoint, ...]
    after: Cursor | None
    as_of: datetime
    standstill: Standstill | None = None  # while it lasts


@dataclass(frozen=True, slots=True)
class PendingSummary:
    """What waits for people, in one line."""

    count: int
    oldest: datetime | None  # when the one that waits longest was asked


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its graph, its tasks and what it asks people."""

    run: Run
    dag: Dag
    tasks: Mapping[TaskId, TaskRecord]
    checkpoints: tuple[Checkpoint, ...]
    requester: PersonView
    called_off: CalledOff | None = None
