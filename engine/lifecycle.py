"""Pure transitions of checkpoints, tasks and runs. Publish changes in docs/reference/states.md."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.dag import Dag, Gate, Task
from engine.model import (
    OPEN_TASK_STATES,
    Cause,
    Checkpoint,
    CheckpointState,
    OnExpire,
    Policy,
    RunCause,
    RunState,
    TaskId,
    TaskState,
)

# What a checkpoint's end means for its task: the same word.
TASK_END = {
    CheckpointState.APPROVED: TaskState.APPROVED,
    CheckpointState.REJECTED: TaskState.REJECTED,
    CheckpointState.EXPIRED: TaskState.EXPIRED,
    CheckpointState.CANCELLED: TaskState.CANCELLED,
}

RUN_TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset(
        {RunState.PAUSED, RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}
    ),
    RunState.PAUSED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

TASK_TRANSITIONS: Mapping[TaskState, frozenset[TaskState]] = {
    TaskState.PENDING: frozenset(
        {TaskState.RUNNING, TaskState.WAITING, TaskState.SKIPPED, TaskState.CANCELLED}
    ),
    TaskState.RUNNING: frozenset(
        {TaskState.PENDING, TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED}
    ),
    TaskState.WAITING: frozenset(
        {TaskState.APPROVED, TaskState.REJECTED, TaskState.EXPIRED, TaskState.CANCELLED}
    ),
    **{end: frozenset() for end in TaskState if end not in OPEN_TASK_STATES},
}


class AlreadyEnded(ValueError):
    """A bug: an ended checkpoint was about to end again."""


def is_due(checkpoint: Checkpoint, now: datetime) -> bool:
    """Whether the deadline has passed on an open checkpoint. The exact deadline is past."""
    return checkpoint.is_open and now >= checkpoint.expires_at


def end(checkpoint: Checkpoint, state: CheckpointState, cause: Cause, at: datetime) -> Checkpoint:
    """The checkpoint, ended. Raises `AlreadyEnded`."""
    if not checkpoint.is_open:
        raise AlreadyEnded(f"{checkpoint.id} is already {checkpoint.state}")
    return replace(
        checkpoint, state=state, cause=cause, ended_at=at, version=checkpoint.version + 1
    )


def expire(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, expired at its deadline, however late anybody noticed."""
    return end(checkpoint, CheckpointState.EXPIRED, Cause.DEADLINE, checkpoint.expires_at)


def is_extendable(checkpoint: Checkpoint) -> bool:
    """Whether its deadline is the first of the two that `on_expire: escalate` gives.

    One that the deadline of another engine cut short is not extended: nothing waits there then.
    """
    policy = checkpoint.policy
    escalates = policy.on_expire is OnExpire.ESCALATE and policy.escalate is not None
    return escalates and checkpoint.expires_at == checkpoint.created_at + policy.expires_in


def is_extended(checkpoint: Checkpoint) -> bool:
    """Whether its deadline is the second one."""
    return checkpoint.expires_at > checkpoint.created_at + checkpoint.policy.expires_in


def extend(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint past its first deadline: as long again, counted from there."""
    later = checkpoint.expires_at + checkpoint.policy.expires_in
    return replace(
        checkpoint,
        expires_at=later,
        escalated_at=checkpoint.escalated_at or checkpoint.expires_at,
        version=checkpoint.version + 1,
    )


def effective(checkpoint: Checkpoint, now: datetime) -> Checkpoint:
    """What a reader should be shown: overdue reads as expired before any sweep wrote it."""
    if is_due(checkpoint, now) and is_extendable(checkpoint):
        checkpoint = extend(checkpoint)
    return expire(checkpoint) if is_due(checkpoint, now) else checkpoint


def action_on_expiry(policy: Policy) -> OnExpire:
    """What the last deadline does to the run: one that was extended fails it."""
    return OnExpire.FAIL if policy.on_expire is OnExpire.ESCALATE else policy.on_expire


@dataclass(frozen=True, slots=True)
class TaskView:
    """What the plan needs to know of a task."""

    id: TaskId
    state: TaskState
    attempt: int = 0
    not_before: datetime | None = None
    attempts_before: int = 0  # of earlier rounds, before somebody asked to try again


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended."""

    state: RunState
    cause: RunCause | None = None
    because: TaskId | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next with a run. Empty lists and no verdict mean: wait."""

    skip: tuple[TaskId, ...] = ()
    open: tuple[TaskId, ...] = ()
    start: tuple[TaskId, ...] = ()  # as many as there is room for
    wake_at: datetime | None = None  # the earliest retry that is not due yet
    verdict: Verdict | None = None
    pause: bool = False  # nothing runs, nothing can start, and people are asked


def lets_through(dag: Dag, task: Task, parent: TaskId, state: TaskState) -> bool:
    """Whether a parent that ended so lets the task run."""
    wanted = task.when.get(parent, frozenset({TaskState.SUCCEEDED, TaskState.APPROVED}))
    return bool(_outcomes(dag.task(parent), state) & wanted)


def _outcomes(task: Task, state: TaskState) -> frozenset[TaskState]:
    """The words a `when` may match. `on_expire: reject` sends an expiry down the reject path."""
    gate = task.work
    if (
        state is TaskState.EXPIRED
        and isinstance(gate, Gate)
        and gate.policy.on_expire is OnExpire.REJECT
    ):
        return frozenset({state, TaskState.REJECTED})
    return frozenset({state})


_BAD_ENDS = {
    TaskState.FAILED: RunCause.TASK_FAILED,
    TaskState.REJECTED: RunCause.REJECTED,
    TaskState.EXPIRED: RunCause.EXPIRED,
}


def verdict(dag: Dag, states: Mapping[TaskId, TaskState]) -> Verdict:
    """How a run whose tasks have all ended has ended.

    A failure, a rejection or an expiry with `on_expire: reject` is forgiven when a
    task that waits for exactly that (`when`) ran and succeeded. An expiry with
    `on_expire: fail` is never forgiven.
    """
    if any(state is TaskState.CANCELLED for state in states.values()):
        return Verdict(RunState.CANCELLED)
    handled = taken_care_of(dag, states)
    for bad, cause in _BAD_ENDS.items():
        for task in dag.tasks:
            if states[task.id] is bad and task.id not in handled:
                return Verdict(RunState.FAILED, cause, task.id)
    return Verdict(RunState.SUCCEEDED)


def taken_care_of(dag: Dag, states: Mapping[TaskId, TaskState]) -> set[TaskId]:
    """The tasks whose bad end a task that waits for exactly that made good."""
    handled: set[TaskId] = set()
    for task in dag.tasks:
        if states[task.id] not in {TaskState.SUCCEEDED, TaskState.APPROVED}:
            continue
        for parent, wanted in task.when.items():
            if _outcomes(dag.task(parent), states[parent]) & wanted and _forgivable(
                dag.task(parent), states[parent]
            ):
                handled.add(parent)
    return handled


def _forgivable(task: Task, state: TaskState) -> bool:
    gate = task.work
    if state is TaskState.EXPIRED and isinstance(gate, Gate):
        return gate.policy.on_expire is OnExpire.REJECT
    return True


def retry_at(task: Task, attempt: int, jitter: float, now: datetime) -> datetime | None:
    """When the failed attempt (1-based) may run again; None when no retry is left.

    `jitter` in [0, 1) spreads retries over half a delay, so that a herd parts.
    """
    if attempt > task.retries:
        return None
    first: timedelta = task.retry_delay * (1 + jitter / 2)
    # Doubling stops at an hour, but never shortens the delay that was asked for.
    doubled: timedelta = first * (2 ** min(attempt - 1, 20))
    return now + min(doubled, max(first, timedelta(hours=1)))
