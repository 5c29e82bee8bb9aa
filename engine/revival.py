"""Which tasks of a failed run are tried again. Pure."""

from collections.abc import Mapping

from engine.dag import Dag
from engine.lifecycle import taken_care_of
from engine.model import TaskId, TaskState


def revived(dag: Dag, states: Mapping[TaskId, TaskState]) -> tuple[TaskId, ...]:
    """The tasks that become pending when a failed run is tried again, parents first.

    Those that failed and that nothing took care of, those that were called off when the
    run ran out of time, and what was skipped or called off behind them. A task that
    succeeded, and a question that people have answered, are never among them.
    """
    mended = taken_care_of(dag, states)
    again: list[TaskId] = []
    behind: set[TaskId] = set()  # these tasks, and whatever depends on one of them
    for task in dag.in_order():
        state = states[task.id]
        is_behind = not behind.isdisjoint(task.depends_on)
        has_failed = state is TaskState.FAILED and task.id not in mended
        unstarted = state is TaskState.CANCELLED or (state is TaskState.SKIPPED and is_behind)
        if has_failed or unstarted:
            again.append(task.id)
        if has_failed or unstarted or is_behind:
            behind.add(task.id)
    return tuple(again)
