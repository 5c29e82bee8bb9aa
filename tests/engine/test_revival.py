"""Which tasks of a failed run are tried again: what failed, and what was skipped behind it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dag import Dag
from engine.driving.frontier import Frontier
from engine.lifecycle import Verdict
from engine.model import RunCause, TaskId, TaskState
from engine.revival import revived
from tests.engine.build import NOW, gate, shell, when
from tests.engine.test_frontier import ROOM, Play, graphs

S = TaskState
DONE = frozenset({S.SUCCEEDED, S.APPROVED, S.REJECTED, S.EXPIRED})


def again(*tasks: str, **states: TaskState) -> bool:
    """Whether exactly these tasks of the graph below are tried again."""
    found = revived(GRAPH, {task.id: states[task.id] for task in GRAPH.tasks})
    return found == tuple(map(TaskId, tasks))


GRAPH = Dag(
    name="d",
    tasks=(
        shell("build"),
        shell("check", "build"),
        gate("release", "check"),
        shell("ship", "release"),
        shell("clean", "build", when=when(build="failed")),
        shell("other"),
        shell("last", "other"),
    ),
)
WELL = {task.id: S.SUCCEEDED for task in GRAPH.tasks} | {"release": S.APPROVED, "clean": S.SKIPPED}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param(
            {"check": S.FAILED, "release": S.SKIPPED, "ship": S.SKIPPED},
            ("check", "release", "ship"),
            id="and-what-was-skipped-behind-it",
        ),
        pytest.param({"ship": S.FAILED}, ("ship",), id="the-approval-before-it-stands"),
        pytest.param(
            {"other": S.FAILED, "last": S.SKIPPED, "release": S.REJECTED, "ship": S.SKIPPED},
            ("other", "last"),
            id="what-a-rejection-skipped-stays-skipped",
        ),
        pytest.param(
            {
                "build": S.FAILED,
                "check": S.SKIPPED,
                "release": S.SKIPPED,
                "ship": S.SKIPPED,
                "clean": S.SUCCEEDED,
                "last": S.FAILED,
            },
            ("last",),
            id="a-failure-that-was-taken-care-of-stays",
        ),
        pytest.param(
            {"check": S.CANCELLED, "release": S.CANCELLED, "ship": S.CANCELLED},
            ("check", "release", "ship"),
            id="what-was-called-off-out-of-time",
        ),
    ],
)
def test_what_is_tried_again(states: dict[str, TaskState], expected: tuple[str, ...]) -> None:
    """Failed tasks and what was skipped or called off behind them, parents first."""
    assert again(*expected, **WELL | states)


@given(graphs(), st.data())
def test_a_retry_never_touches_what_succeeded_and_comes_to_an_end(
    graph: Dag, data: st.DataObject
) -> None:
    """Over any graph and outcomes: no task that succeeded starts again, and the run ends."""
    play = Play(graph, data)
    for _ in range(3):
        verdict = _to_its_end(play)
        if verdict.cause is not RunCause.TASK_FAILED:
            return
        states = {task_id: view.state for task_id, view in play.views.items()}
        tried = revived(graph, states)
        assert verdict.because in tried
        assert not {task_id for task_id in tried if states[task_id] in DONE}
        for task_id in tried:
            play.views[task_id] = replace(play.views[task_id], state=S.PENDING)
        play.frontier = Frontier(graph, play.views)
        kept = {task_id for task_id, state in states.items() if state in DONE}
        before = list(play.started)
        _to_its_end(play)
        assert not kept.intersection(play.started[len(before) :])
        assert {task_id: play.views[task_id].state for task_id in kept} == {
            task_id: states[task_id] for task_id in kept
        }


def _to_its_end(play: Play) -> Verdict:
    for _ in range(100):
        todo = play.frontier.plan(NOW, ROOM)
        play.apply(todo)
        if todo.verdict is not None:
            return todo.verdict
        active = [v.id for v in play.views.values() if v.state in {S.RUNNING, S.WAITING}]
        play.end_something(active)
    raise AssertionError("it never ended")
