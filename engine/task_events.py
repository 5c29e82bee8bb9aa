"""What happens to the tasks of runs, as the journal holds it.

Apart from `engine.events`, which the audit trail is made of: what people were asked and said.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.model import RunId, TaskId


class TaskEvent(StrEnum):
    """What can happen to a task that runs."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    RETRIED = "retried"  # this attempt failed; another one follows
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its worker died; whether it runs again, the next event says
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One entry. Times are aware and in UTC."""

    run_id: RunId
    task_id: TaskId
    attempt: int  # 1-based
    event: TaskEvent
    at: datetime
    error: str | None = None
    id: int = 0  # its place in the journal, once it is there
