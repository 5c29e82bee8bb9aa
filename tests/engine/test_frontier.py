"""What a run can do next: the whole answer in one look, however its tasks came to stand there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dag import Dag, Gate, Task
from engine.driving.frontier import Frontier
from engine.lifecycle import TASK_TRANSITIONS, Plan, TaskView, Verdict, lets_through, verdict
from engine.model import (
    OPEN_TASK_STATES,
    OnExpire,
    Policy,
    RunCause,
    RunState,
    TaskId,
    TaskState,
)
from tests.engine.build import NOW, gate, shell, when

S = TaskState
REJECTING = Policy(on_expire=OnExpire.REJECT)
ROOM = 99


def dag(*tasks: Task) -> Dag:
    return Dag(name="d", tasks=tasks)


def ids(*names: str) -> tuple[TaskId, ...]:
    return tuple(map(TaskId, names))


def where(graph: Dag, **states: TaskState) -> dict[TaskId, TaskView]:
    """Where each task stands; pending where nothing is said."""
    return {t.id: TaskView(t.id, states.get(t.id, S.PENDING)) for t in graph.tasks}


def planned(graph: Dag, **states: TaskState) -> Plan:
    return Frontier(graph, where(graph, **states)).plan(NOW, ROOM)


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
    assert Frontier(graph, views).plan(NOW, ROOM) == Plan(wake_at=soon)
    assert Frontier(graph, views).plan(soon, ROOM) == Plan(start=(TaskId("b"),), wake_at=later)
    assert Frontier(graph, views).plan(later, ROOM) == Plan(start=(TaskId("a"), TaskId("b")))


def test_a_retry_becomes_due_as_time_goes_by() -> None:
    """The same frontier that told when to look again has the task ready then."""
    graph = dag(shell("a"))
    frontier = Frontier(graph, where(graph, a=S.RUNNING))
    soon = NOW + timedelta(seconds=5)
    frontier.move(TaskId("a"), S.PENDING, not_before=soon)
    assert frontier.plan(NOW, ROOM) == Plan(wake_at=soon)
    assert frontier.plan(soon, ROOM) == Plan(start=ids("a"))


def test_a_task_that_is_tried_again_is_planned_once() -> None:
    """However often it was planned before it started."""
    graph = dag(shell("a"), shell("b"))
    frontier = Frontier(graph, where(graph))
    frontier.plan(NOW, ROOM)
    for state in (S.RUNNING, S.PENDING):
        frontier.move(TaskId("a"), state)
    assert frontier.plan(NOW, ROOM) == Plan(start=ids("a", "b"))


def test_no_more_is_started_than_there_is_room_for() -> None:
    """The first in order go first; what is being made ready is planned no more."""
    graph = dag(shell("a"), shell("b"), shell("c"), gate("g"))
    frontier = Frontier(graph, where(graph))
    assert frontier.plan(NOW, 2) == Plan(start=ids("a", "b"), open=ids("g"))
    frontier.claim(TaskId("a"))
    assert frontier.plan(NOW, 2).start == ids("b", "c")
    assert frontier.plan(NOW, 0).start == ()


def test_a_run_does_not_pause_while_something_is_made_ready() -> None:
    """A claimed task counts as at work, also when everything else waits for people."""
    graph = dag(gate("g"), shell("a"))
    frontier = Frontier(graph, where(graph, g=S.WAITING))
    frontier.claim(TaskId("a"))
    assert frontier.plan(NOW, ROOM) == Plan()
    frontier.move(TaskId("a"), S.RUNNING, attempt=1)
    frontier.move(TaskId("a"), S.FAILED)
    assert frontier.plan(NOW, ROOM) == Plan(pause=True)
    assert frontier.waiting() == ids("g")


def test_a_long_chain_is_skipped_in_one_go() -> None:
    """Ten thousand tasks behind a failure are skipped without a deep recursion."""
    names = [f"t{number}" for number in range(10_000)]
    graph = dag(shell("t0"), *(shell(b, a) for a, b in pairwise(names)))
    frontier = Frontier(graph, where(graph, t0=S.RUNNING))
    frontier.move(TaskId("t0"), S.FAILED)
    assert len(frontier.plan(NOW, ROOM).skip) == 9_999


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
        self.frontier = Frontier(graph, self.views)
        self.started: list[TaskId] = []
        self._data = data

    def move(self, task_id: TaskId, state: TaskState) -> None:
        view = self.views[task_id]
        assert state in TASK_TRANSITIONS[view.state], f"{view.state} -> {state}"
        self.views[task_id] = replace(view, state=state)
        if state is not S.SKIPPED:  # the frontier finds those itself
            self.frontier.move(task_id, state)

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


def simple_plan(graph: Dag, views: Mapping[TaskId, TaskView]) -> Plan:
    """The same answer, found by looking at every task in turn."""
    states = {task_id: view.state for task_id, view in views.items()}
    skip, ready = [], []
    for task in graph.in_order():
        parents = {parent: states[parent] for parent in task.depends_on}
        if states[task.id] is not S.PENDING or set(parents.values()) & OPEN_TASK_STATES:
            continue
        if all(lets_through(graph, task, parent, state) for parent, state in parents.items()):
            ready.append(task)
        else:
            states[task.id] = S.SKIPPED
            skip.append(task.id)
    active = set(states.values()) & OPEN_TASK_STATES
    return Plan(
        skip=tuple(skip),
        open=tuple(task.id for task in ready if isinstance(task.work, Gate)),
        start=tuple(task.id for task in ready if not isinstance(task.work, Gate)),
        verdict=None if active else verdict(graph, states),
        pause=not ready and S.WAITING in active and S.RUNNING not in active,
    )


@given(graphs(), st.data())
def test_whatever_the_graph_and_the_outcomes_a_run_comes_to_an_end(
    graph: Dag, data: st.DataObject
) -> None:
    """It never gets stuck, never runs past a gate, and its plan says each thing once."""
    play = Play(graph, data)
    for _ in range(100):
        todo = play.frontier.plan(NOW, ROOM)
        assert todo == simple_plan(graph, play.views)
        play.apply(todo)
        again = play.frontier.plan(NOW, ROOM)
        assert again == Frontier(graph, play.views).plan(NOW, ROOM)
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
