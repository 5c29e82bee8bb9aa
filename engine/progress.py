"""Where a checkpoint stands in its DAG: what leads to it and what follows, stage by stage. Pure.

Branches that neither lead to it nor follow from it are left out, so nothing of this changes
while people are asked. Only a neighbourhood is kept: a DAG may have thousands of tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.dag import Dag, Task
from engine.model import TaskId, TaskState

MOST_BEFORE = 3
"""So many stages before a checkpoint are kept at most."""
MOST_AFTER = 3
"""So many stages after it."""
MOST_BESIDE = 3
"""So many tasks of a stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks that stand side by side, and how many more of them there are."""

    tasks: tuple[tuple[TaskId, TaskState], ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """The stages around a checkpoint, itself among them, in the order in which they run."""

    stages: tuple[Stage, ...]
    before: int = 0  # tasks that lead to these, and are not shown
    after: int = 0  # tasks that follow from these, and are not shown


def progress(dag: Dag, task_id: TaskId, states: Mapping[TaskId, TaskState]) -> Progress:
    """The neighbourhood of a checkpoint. A task without a state has not begun."""
    ordered = dag.in_order()
    before, after = _leading_to(task_id, ordered), _following(task_id, ordered)
    earlier, later = _in_stages(ordered, before), _in_stages(ordered, after)
    kept = [*earlier[-MOST_BEFORE:], [task_id], *later[:MOST_AFTER]]
    return Progress(
        tuple(_stage(stage, states) for stage in kept),
        sum(len(stage) for stage in earlier[:-MOST_BEFORE]),
        sum(len(stage) for stage in later[MOST_AFTER:]),
    )


def _stage(task_ids: Sequence[TaskId], states: Mapping[TaskId, TaskState]) -> Stage:
    shown = task_ids[:MOST_BESIDE]
    pairs = tuple((task_id, states.get(task_id, TaskState.PENDING)) for task_id in shown)
    return Stage(pairs, len(task_ids) - len(shown))


def _leading_to(task_id: TaskId, ordered: Sequence[Task]) -> set[TaskId]:
    found = {task_id}
    for task in reversed(ordered):
        if task.id in found:
            found.update(task.depends_on)
    return found - {task_id}


def _following(task_id: TaskId, ordered: Sequence[Task]) -> set[TaskId]:
    found = {task_id}
    for task in ordered:
        if found.intersection(task.depends_on):
            found.add(task.id)
    return found - {task_id}


def _in_stages(ordered: Sequence[Task], among: set[TaskId]) -> list[list[TaskId]]:
    """These tasks by how many of them stand one after another before each."""
    depth: dict[TaskId, int] = {}
    stages: list[list[TaskId]] = []
    for task in ordered:
        if task.id not in among:
            continue
        deepest = max((depth[parent] for parent in task.depends_on if parent in depth), default=-1)
        depth[task.id] = deepest + 1
        if len(stages) == deepest + 1:
            stages.append([])
        stages[deepest + 1].append(task.id)
    return stages
