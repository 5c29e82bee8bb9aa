"""Where a checkpoint stands in its DAG: what leads to it, and what follows from it."""

from hypothesis import given
from hypothesis import strategies as st

from engine.dag import Dag, Task
from engine.model import TaskId, TaskState
from engine.progress import MOST_AFTER, MOST_BEFORE, MOST_BESIDE, Progress, progress
from tests.engine.build import TENANT, gate, shell


def _dag(*tasks: Task) -> Dag:
    return Dag(name="deploy", tenant=TENANT, directory="/srv", tasks=tasks)


def _around(dag: Dag, **states: str) -> Progress:
    given_states = {TaskId(name): TaskState(state) for name, state in states.items()}
    return progress(dag, TaskId("release"), given_states)


def _names(found: Progress) -> list[list[str]]:
    return [[str(task_id) for task_id, _ in stage.tasks] for stage in found.stages]


def test_a_chain_has_a_stage_for_each_task() -> None:
    """In the order in which they run, each as it stands; what has not begun is pending."""
    found = _around(
        _dag(shell("build"), gate("release", "build"), shell("ship", "release")),
        build="succeeded",
        release="waiting",
    )
    assert [stage.tasks for stage in found.stages] == [
        (("build", TaskState.SUCCEEDED),),
        (("release", TaskState.WAITING),),
        (("ship", TaskState.PENDING),),
    ]
    assert (found.before, found.after) == (0, 0)


def test_branches_that_meet_in_the_checkpoint_stand_beside_each_other() -> None:
    """A task stands as far along as the longest way to it."""
    found = _around(
        _dag(
            shell("lint"),
            shell("build"),
            shell("test", "build"),
            gate("release", "lint", "test"),
            shell("eu", "release"),
            shell("us", "release"),
        )
    )
    assert _names(found) == [["lint", "build"], ["test"], ["release"], ["eu", "us"]]


def test_what_neither_leads_to_it_nor_follows_is_left_out() -> None:
    """So nothing of the line changes while people are asked."""
    found = _around(_dag(shell("build"), shell("docs", "build"), gate("release", "build")))
    assert _names(found) == [["build"], ["release"]]


def test_a_long_dag_is_counted_beyond_the_neighbourhood() -> None:
    """Of a hundred tasks on either side only the nearest are named."""
    before = [shell(f"b{n}", *([f"b{n - 1}"] if n else [])) for n in range(100)]
    after = [shell(f"a{n}", f"a{n - 1}" if n else "release") for n in range(100)]
    found = _around(_dag(*before, gate("release", "b99"), *after))
    assert _names(found) == [["b97"], ["b98"], ["b99"], ["release"], ["a0"], ["a1"], ["a2"]]
    assert (found.before, found.after) == (97, 97)


def test_a_wide_stage_is_counted_beyond_its_first_tasks() -> None:
    """Forty tasks that start together take no forty names."""
    found = _around(_dag(gate("release"), *(shell(f"a{n}", "release") for n in range(40))))
    assert _names(found) == [["release"], ["a0", "a1", "a2"]]
    assert found.stages[-1].more == 37


@st.composite
def _any_dag(draw: st.DrawFn) -> tuple[Dag, str]:
    size = draw(st.integers(1, 25))
    tasks = []
    for number in range(size):
        parents = draw(st.lists(st.integers(0, number - 1), max_size=4)) if number else []
        tasks.append(shell(f"t{number}", *(f"t{parent}" for parent in parents)))
    return _dag(*tasks), f"t{draw(st.integers(0, size - 1))}"


@given(_any_dag())
def test_of_any_dag_every_relative_is_shown_or_counted_once(case: tuple[Dag, str]) -> None:
    """Bounded, and parents stand before children."""
    dag, name = case
    here = TaskId(name)
    found = progress(dag, here, {})
    shown = [task_id for stage in found.stages for task_id, _ in stage.tasks]
    assert len(shown) == len(set(shown))
    at = {task_id: place for place, s in enumerate(found.stages) for task_id, _ in s.tasks}
    for task_id in shown:
        assert all(at[p] < at[task_id] for p in dag.task(task_id).depends_on if p in at)
    relatives = (
        _ancestors(dag, here) | {here} | {t.id for t in dag.tasks if here in _ancestors(dag, t.id)}
    )
    hidden = found.before + found.after + sum(stage.more for stage in found.stages)
    assert set(shown) <= relatives
    assert len(shown) + hidden == len(relatives)
    assert len(found.stages) <= MOST_BEFORE + 1 + MOST_AFTER
    assert all(len(stage.tasks) <= MOST_BESIDE for stage in found.stages)


def _ancestors(dag: Dag, task_id: TaskId) -> set[TaskId]:
    parents = set(dag.task(task_id).depends_on)
    return parents.union(*(_ancestors(dag, parent) for parent in parents))
