"""What may follow what: transitions, the plan of a run, and how it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dag import Dag, Gate, Task
from engine.lifecycle import (
    RUN_TRANSITIONS,
    TASK_END,
    TASK_TRANSITIONS,
    AlreadyEnded,
    Plan,
    TaskView,
    Verdict,
    effective,
    end,
    expire,
    is_due,
    plan,
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


def where(graph: Dag, **states: TaskState) -> dict[TaskId, TaskView]:
    """Where each task stands; pending where nothing is said."""
    return {t.id: TaskView(t.id, states.get(t.id, S.PENDING)) for t in graph.tasks}


def planned(graph: Dag, **states: TaskState) -> Plan:
    return plan(graph, where(graph, **states), NOW)


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


# The plan


LINE = dag(shell("a"), shell("b", "a"), shell("c", "b"))
DIAMOND = dag(shell("a"), shell("b", "a"), shell("c", "a"), shell("d", "b", "c"))
GATED = dag(shell("a"), gate("g", "a"), shell("b", "g"), shell("side"))
BRANCHES = dag(
    gate("g"),
    shell("yes", "g"),
    shell("no", "g", when=when(g="rejected")),
    shell("late", "g", when=when(g="expired")),
)
REJECT_PATH = dag(gate("g", policy=REJECTING), shell("no", "g", when=when(g="rejected")))


@pytest.mark.parametrize(
    ("graph", "states", "expected"),
    [
        (LINE, {}, Plan(start=ids("a"))),
        (LINE, {"a": S.RUNNING}, Plan()),
        (LINE, {"a": S.SUCCEEDED}, Plan(start=ids("b"))),
        (
            LINE,
            {"a": S.FAILED},
            Plan(
                skip=ids("b", "c"),
                verdict=Verdict(RunState.FAILED, RunCause.TASK_FAILED, TaskId("a")),
            ),
        ),
        (DIAMOND, {"a": S.SUCCEEDED}, Plan(start=ids("b", "c"))),
        (DIAMOND, {"a": S.SUCCEEDED, "b": S.SUCCEEDED, "c": S.RUNNING}, Plan()),
        (
            DIAMOND,
            {"a": S.SUCCEEDED, "b": S.FAILED, "c": S.RUNNING},
            Plan(),
        ),
        (
            DIAMOND,
            {"a": S.SUCCEEDED, "b": S.FAILED, "c": S.SUCCEEDED},
            Plan(
                skip=ids("d"), verdict=Verdict(RunState.FAILED, RunCause.TASK_FAILED, TaskId("b"))
            ),
        ),
        (GATED, {}, Plan(start=ids("a", "side"))),
        (GATED, {"a": S.SUCCEEDED, "side": S.RUNNING}, Plan(open=ids("g"))),
        (GATED, {"a": S.SUCCEEDED, "g": S.WAITING}, Plan(start=ids("side"))),
        (GATED, {"a": S.SUCCEEDED, "g": S.WAITING, "side": S.RUNNING}, Plan()),
        (GATED, {"a": S.SUCCEEDED, "g": S.WAITING, "side": S.SUCCEEDED}, Plan(pause=True)),
        (GATED, {"a": S.SUCCEEDED, "g": S.WAITING, "side": S.FAILED}, Plan(pause=True)),
        (GATED, {"a": S.SUCCEEDED, "g": S.APPROVED, "side": S.SUCCEEDED}, Plan(start=ids("b"))),
        (
            GATED,
            {"a": S.SUCCEEDED, "g": S.REJECTED, "side": S.SUCCEEDED},
            Plan(skip=ids("b"), verdict=Verdict(RunState.FAILED, RunCause.REJECTED, TaskId("g"))),
        ),
        (
            GATED,
            {"a": S.SUCCEEDED, "g": S.EXPIRED, "side": S.SUCCEEDED},
            Plan(skip=ids("b"), verdict=Verdict(RunState.FAILED, RunCause.EXPIRED, TaskId("g"))),
        ),
        (BRANCHES, {"g": S.APPROVED}, Plan(skip=ids("no", "late"), start=ids("yes"))),
        (BRANCHES, {"g": S.REJECTED}, Plan(skip=ids("yes", "late"), start=ids("no"))),
        (BRANCHES, {"g": S.EXPIRED}, Plan(skip=ids("yes", "no"), start=ids("late"))),
        (REJECT_PATH, {"g": S.EXPIRED}, Plan(start=ids("no"))),
        (dag(), {}, Plan(verdict=Verdict(RunState.SUCCEEDED))),
        (dag(gate("g")), {"g": S.APPROVED}, Plan(verdict=Verdict(RunState.SUCCEEDED))),
    ],
    ids=[
        *("first", "running", "next", "failed-skips-to-the-end", "parallel", "waits-for-all"),
        *("failed-but-running", "skipped-join", "independent", "opens", "side-goes-on"),
        *("no-pause-while-running", "pauses", "pauses-after-a-failure", "approved", "rejected"),
        *("expired", "when-approved", "when-rejected", "when-expired", "expiry-as-rejection"),
        *("empty", "gate-as-last-task"),
    ],
)
def test_a_plan_says_all_that_can_be_done_now(
    graph: Dag, states: dict[str, TaskState], expected: Plan
) -> None:
    """Skip, ask, start, wait, pause or end: the whole answer in one look."""
    assert planned(graph, **states) == expected


def test_a_dependency_listed_twice_is_one_dependency() -> None:
    """The plan does not wait for a second end of the same parent."""
    graph = dag(shell("a"), shell("b", "a", "a"))
    assert planned(graph, a=S.SUCCEEDED) == Plan(start=(TaskId("b"),))


def test_a_retry_that_is_not_due_is_awaited_and_nothing_pauses() -> None:
    """The earliest later retry is when to look again; the run keeps its driver."""
    graph = dag(gate("g"), shell("a"), shell("b"), shell("c"))
    soon, later = NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)
    views = where(graph, g=S.WAITING, c=S.SUCCEEDED)
    views[TaskId("a")] = TaskView(TaskId("a"), S.PENDING, 1, later)
    views[TaskId("b")] = TaskView(TaskId("b"), S.PENDING, 1, soon)
    assert plan(graph, views, NOW) == Plan(wake_at=soon)
    assert plan(graph, views, soon) == Plan(start=(TaskId("b"),), wake_at=later)
    assert plan(graph, views, later) == Plan(start=(TaskId("a"), TaskId("b")))


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


# Whole runs


@st.composite
def graphs(draw: st.DrawFn) -> Dag:
    """Any small graph of commands and gates, with `when` on some edges, in any order."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 7))):
        some = st.lists(st.integers(0, max(0, number - 1)), unique=True, max_size=3)
        parents = [tasks[index] for index in draw(some)] if tasks else []
        wanted = {
            parent.id: frozenset(
                draw(st.sets(st.sampled_from(_ends(parent)), min_size=1, max_size=2))
            )
            for parent in parents
            if draw(st.booleans())
        }
        name, above = f"t{number}", [parent.id for parent in parents]
        if draw(st.booleans()):
            policy = Policy(on_expire=draw(st.sampled_from(OnExpire)))
            tasks.append(gate(name, *above, policy=policy, when=wanted))
        else:
            tasks.append(shell(name, *above, when=wanted, retries=draw(st.integers(0, 1))))
    return dag(*draw(st.permutations(tasks)))


def _ends(task: Task) -> list[TaskState]:
    if isinstance(task.work, Gate):
        return [S.APPROVED, S.REJECTED, S.EXPIRED]
    return [S.SUCCEEDED, S.FAILED]


class Play:
    """A run that is driven by the plan alone, with outcomes drawn at random."""

    def __init__(self, graph: Dag, data: st.DataObject) -> None:
        self.graph = graph
        self.views = where(graph)
        self.started: list[TaskId] = []
        self._data = data

    def move(self, task_id: TaskId, state: TaskState) -> None:
        view = self.views[task_id]
        assert state in TASK_TRANSITIONS[view.state], f"{view.state} -> {state}"
        self.views[task_id] = replace(view, state=state)

    def apply(self, todo: Plan) -> None:
        for task_id in todo.skip:
            self.move(task_id, S.SKIPPED)
        for task_id in todo.open:
            self.check_entry(task_id)
            self.move(task_id, S.WAITING)
        for task_id in todo.start:
            self.check_entry(task_id)
            self.started.append(task_id)
            self.move(task_id, S.RUNNING)

    def check_entry(self, task_id: TaskId) -> None:
        """No task starts before its parents end, or past a gate that does not let it."""
        task = self.graph.task(task_id)
        for parent_id in task.depends_on:
            state = self.views[parent_id].state
            assert state not in OPEN_TASK_STATES
            wanted = task.when.get(parent_id, frozenset({S.SUCCEEDED, S.APPROVED}))
            parent = self.graph.task(parent_id).work
            rejects = isinstance(parent, Gate) and parent.policy.on_expire is OnExpire.REJECT
            as_rejected = state is S.EXPIRED and rejects and S.REJECTED in wanted
            assert state in wanted or as_rejected

    def end_something(self, active: Sequence[TaskId]) -> None:
        task_id = self._data.draw(st.sampled_from(active))
        task = self.graph.task(task_id)
        state = self._data.draw(st.sampled_from(_ends(task)))
        if state is S.FAILED and self.started.count(task_id) <= task.retries:
            state = S.PENDING
        self.move(task_id, state)


@given(graphs(), st.data())
def test_whatever_the_graph_and_the_outcomes_a_run_comes_to_an_end(
    graph: Dag, data: st.DataObject
) -> None:
    """It never gets stuck, never runs past a gate, and its plan says each thing once."""
    play = Play(graph, data)
    for _ in range(100):
        todo = plan(graph, play.views, NOW)
        play.apply(todo)
        again = plan(graph, play.views, NOW)
        assert not again.skip
        assert not again.open
        assert not again.start
        assert again.verdict == todo.verdict
        active = [v.id for v in play.views.values() if v.state in {S.RUNNING, S.WAITING}]
        if todo.verdict is not None:
            assert not active
            break
        assert active, "stuck: nothing runs, nobody is asked, and it has not ended"
        waits = all(play.views[t].state is S.WAITING for t in active)
        assert again.pause is waits
        play.end_something(active)
    else:
        raise AssertionError("it never ended")
    states = {task_id: view.state for task_id, view in play.views.items()}
    assert not set(states.values()) & OPEN_TASK_STATES
    assert todo.verdict == verdict(graph, states)
    for task in graph.tasks:
        assert play.started.count(task.id) <= task.retries + 1
