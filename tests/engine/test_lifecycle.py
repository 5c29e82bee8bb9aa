"""What may follow what: transitions, the plan of a run, and how it ends."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dag import Dag, Task
from engine.lifecycle import (
    RUN_TRANSITIONS,
    TASK_END,
    TASK_TRANSITIONS,
    AlreadyEnded,
    Verdict,
    effective,
    end,
    expire,
    is_due,
    retry_at,
    verdict,
)
from engine.model import (
    ENDED_RUN_STATES,
    OPEN_TASK_STATES,
    Cause,
    CheckpointState,
    OnExpire,
    Policy,
    RunCause,
    RunState,
    TaskId,
    TaskState,
)
from tests.engine.build import NOW, checkpoint, gate, shell, when

S = TaskState
REJECTING = Policy(on_expire=OnExpire.REJECT)


def dag(*tasks: Task) -> Dag:
    return Dag(name="d", tasks=tasks)


def ids(*names: str) -> tuple[TaskId, ...]:
    return tuple(map(TaskId, names))


# Transitions


def test_every_state_has_its_transitions() -> None:
    """No state of a run or a task is left out of the tables."""
    assert set(RUN_TRANSITIONS) == set(RunState)
    assert set(TASK_TRANSITIONS) == set(TaskState)


def test_ends_lead_nowhere() -> None:
    """Exactly the ended states have no way out."""
    assert {state for state, to in RUN_TRANSITIONS.items() if not to} == ENDED_RUN_STATES
    open_tasks = {state for state, to in TASK_TRANSITIONS.items() if to}
    assert open_tasks == OPEN_TASK_STATES


@pytest.mark.parametrize(
    ("table", "start"), [(RUN_TRANSITIONS, RunState.QUEUED), (TASK_TRANSITIONS, S.PENDING)]
)
def test_every_state_can_be_reached(table: Mapping[str, frozenset[str]], start: str) -> None:
    """From its first state a run or task can come to every other."""
    reached = {start}
    while found := {to for state in reached for to in table[state]} - reached:
        reached |= found
    assert reached == set(table)


@pytest.mark.parametrize("state", [s for s in CheckpointState if s is not CheckpointState.PENDING])
def test_a_checkpoints_end_is_a_word_its_task_may_end_with(state: CheckpointState) -> None:
    """A waiting task ends with the same word as its checkpoint."""
    assert TASK_END[state].value == state.value
    assert TASK_END[state] in TASK_TRANSITIONS[S.WAITING]


def test_an_end_is_final() -> None:
    """Ending an ended checkpoint is a bug, not a second end."""
    ended = end(checkpoint(), CheckpointState.APPROVED, Cause.DECIDED, NOW)
    for state in CheckpointState:
        with pytest.raises(AlreadyEnded):
            end(ended, state, Cause.DECIDED, NOW)


def test_an_end_changes_the_state_the_cause_the_time_and_the_version() -> None:
    """The request itself stays as it was."""
    opened = checkpoint()
    ended = end(opened, CheckpointState.REJECTED, Cause.DECIDED, NOW)
    assert ended == replace(
        opened, state=CheckpointState.REJECTED, cause=Cause.DECIDED, ended_at=NOW, version=2
    )


@pytest.mark.parametrize(
    ("late", "due"),
    [(timedelta(microseconds=-1), False), (timedelta(0), True), (timedelta(days=9), True)],
    ids=str,
)
def test_the_exact_deadline_is_past(late: timedelta, due: bool) -> None:
    """At the deadline a checkpoint is due; readers see it expired, stamped with the deadline."""
    opened = checkpoint()
    at = opened.expires_at + late
    assert is_due(opened, at) is due
    shown = effective(opened, at)
    assert shown == (expire(opened) if due else opened)
    if due:
        assert (shown.state, shown.cause) == (CheckpointState.EXPIRED, Cause.DEADLINE)
        assert shown.ended_at == opened.expires_at


def test_what_has_ended_is_never_due() -> None:
    """An approval before the deadline still reads as an approval after it."""
    ended = end(checkpoint(), CheckpointState.APPROVED, Cause.DECIDED, NOW)
    assert not is_due(ended, ended.expires_at)
    assert effective(ended, ended.expires_at) is ended


# The verdict


HANDLED = dag(
    shell("a"),
    gate("g", "a"),
    shell("clean", "g", when=when(g="rejected expired")),
    shell("rescue", "a", when=when(a="failed")),
)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("succeeded approved skipped skipped", Verdict(RunState.SUCCEEDED)),
        ("succeeded rejected succeeded skipped", Verdict(RunState.SUCCEEDED)),
        (
            "succeeded rejected failed skipped",
            Verdict(RunState.FAILED, RunCause.TASK_FAILED, TaskId("clean")),
        ),
        (
            "succeeded expired succeeded skipped",
            Verdict(RunState.FAILED, RunCause.EXPIRED, TaskId("g")),
        ),
        ("failed skipped skipped succeeded", Verdict(RunState.SUCCEEDED)),
        (
            "failed skipped skipped failed",
            Verdict(RunState.FAILED, RunCause.TASK_FAILED, TaskId("a")),
        ),
        ("succeeded cancelled skipped skipped", Verdict(RunState.CANCELLED)),
        ("failed cancelled skipped failed", Verdict(RunState.CANCELLED)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_end_is_forgiven_when_what_waits_for_it_succeeded(
    states: str, expected: Verdict
) -> None:
    """Except an expiry with `on_expire: fail`, which nothing forgives."""
    words = dict(zip((t.id for t in HANDLED.tasks), map(TaskState, states.split()), strict=True))
    assert verdict(HANDLED, words) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("rejected", Verdict(RunState.SUCCEEDED)),
        ("expired", Verdict(RunState.SUCCEEDED)),
        ("approved", Verdict(RunState.FAILED, RunCause.EXPIRED, TaskId("g"))),
    ],
)
def test_an_expiry_down_the_reject_path_is_forgiven_there(wanted: str, expected: Verdict) -> None:
    """`on_expire: reject` lets a task that waits for a rejection take care of an expiry."""
    graph = dag(gate("g", policy=REJECTING), shell("h", "g", when=when(g=wanted)))
    ran = S.SKIPPED if wanted == "approved" else S.SUCCEEDED
    assert verdict(graph, {TaskId("g"): S.EXPIRED, TaskId("h"): ran}) == expected


def test_a_failure_outweighs_a_rejection_and_a_rejection_an_expiry() -> None:
    """One cause is named, always the same one, whatever the order of the tasks."""
    graph = dag(gate("e"), gate("r"), shell("f"))
    states = {TaskId("e"): S.EXPIRED, TaskId("r"): S.REJECTED, TaskId("f"): S.FAILED}
    assert verdict(graph, states).cause is RunCause.TASK_FAILED
    states[TaskId("f")] = S.SUCCEEDED
    assert verdict(graph, states).cause is RunCause.REJECTED


# Retries


@pytest.mark.parametrize(
    ("attempt", "jitter", "seconds"),
    [(1, 0, 10), (1, 0.5, 12.5), (2, 0, 20), (3, 0, 40), (9, 0, 2560), (20, 0, 3600)],
)
def test_each_retry_waits_twice_as_long_up_to_an_hour(
    attempt: int, jitter: float, seconds: float
) -> None:
    """The delay doubles, jitter adds up to a half, and doubling stops at an hour."""
    task = shell("a", retries=99, retry_delay=timedelta(seconds=10))
    assert retry_at(task, attempt, jitter, NOW) == NOW + timedelta(seconds=seconds)


def test_no_retry_is_left_after_the_last() -> None:
    """`retries: 2` means three attempts."""
    task = shell("a", retries=2)
    assert [retry_at(task, n, 0, NOW) is None for n in (1, 2, 3, 4)] == [False, False, True, True]


@given(
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_retry_is_never_sooner_than_asked_nor_much_later(
    delay: timedelta, attempt: int, jitter: float
) -> None:
    """Whatever was declared, a retry waits at least its delay, and an hour or 1.5 times it."""
    task = shell("a", retries=attempt, retry_delay=delay)
    at = retry_at(task, attempt, jitter, NOW)
    assert at is not None
    assert delay <= at - NOW <= max(delay * 1.5, timedelta(hours=1)) + timedelta(microseconds=1)
