"""The graph behind a drawing: who follows whom, in which order, in which layer."""

from collections.abc import Mapping

from engine import Dag, Task, TaskId

Links = Mapping[TaskId, tuple[TaskId, ...]]


def parents_of(task: Task) -> tuple[TaskId, ...]:
    """What the task follows, each once."""
    return tuple(dict.fromkeys(task.depends_on))


def children_of(dag: Dag) -> Links:
    """Each task's children in the order they were written, each once."""
    children: dict[TaskId, list[TaskId]] = {task.id: [] for task in dag.tasks}
    for task in dag.tasks:
        for parent in parents_of(task):
            children[parent].append(task.id)
    return {task_id: tuple(below) for task_id, below in children.items()}


def drawn_order(dag: Dag) -> list[Task]:
    """Parents before children, a branch to its end before the next (the loader refused circles)."""
    children = children_of(dag)
    missing = {task.id: len(parents_of(task)) for task in dag.tasks}
    stack = [task.id for task in reversed(dag.tasks) if not missing[task.id]]
    ordered = []
    while stack:
        task_id = stack.pop()
        ordered.append(dag.task(task_id))
        for child in children[task_id]:
            missing[child] -= 1
        stack += [child for child in reversed(children[task_id]) if not missing[child]]
    return ordered


def depths(dag: Dag) -> dict[TaskId, int]:
    """How many tasks stand at least one after another before each."""
    depth: dict[TaskId, int] = {}
    for task in drawn_order(dag):
        depth[task.id] = 1 + max((depth[parent] for parent in parents_of(task)), default=-1)
    return depth
