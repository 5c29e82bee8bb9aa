"""What the tasks say about each other: unknown names, circles, outcomes that cannot be."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from engine.dagfile.problems import Problems, did_you_mean
from engine.dagfile.tasks import Draft, Kind
from engine.model import TaskId, TaskState
from engine.templates import PARAMS, split_reference

_NOT_REACHED = frozenset({TaskState.SKIPPED, TaskState.CANCELLED})
_DONE = _NOT_REACHED | {TaskState.SUCCEEDED, TaskState.FAILED}
_DECIDED = _NOT_REACHED | {TaskState.APPROVED, TaskState.REJECTED, TaskState.EXPIRED}

_CIRCLE_SHOWN = 20

Parents = Mapping[TaskId, Sequence[TaskId]]


def check_graph(drafts: Sequence[Draft], params: Collection[str], problems: Problems) -> None:
    """Note every problem that the tasks have with each other, and with the DAG's parameters.

    Linear in the size of the file.
    """
    by_id = _by_id(drafts, problems)
    parents = {task_id: _known_parents(draft, by_id, problems) for task_id, draft in by_id.items()}
    for draft in by_id.values():
        _check_outcomes(draft, by_id, problems)
    order = _order(parents)
    for circle in _circles(parents, set(parents) - set(order)):
        path = _path(circle)
        line = by_id[circle[0]].parent_lines[circle[1 % len(circle)]]
        problems.add(line, f"these tasks wait for each other and none can start: {path}")
    _check_references(by_id, parents, order, problems)
    _check_params(by_id, params, problems)


def _by_id(drafts: Sequence[Draft], problems: Problems) -> dict[TaskId, Draft]:
    by_id: dict[TaskId, Draft] = {}
    for draft in drafts:
        first = by_id.setdefault(draft.task.id, draft)
        if first is not draft and draft.task.id:
            problems.add(
                draft.line, f"task id {draft.task.id!r} is used twice, first on line {first.line}"
            )
    return by_id


def _known_parents(draft: Draft, by_id: Mapping[TaskId, Draft], problems: Problems) -> list[TaskId]:
    known: list[TaskId] = []
    for parent in draft.task.depends_on:
        line = draft.parent_lines[parent]
        if parent == draft.task.id:
            problems.add(line, f"task {parent!r} depends on itself")
        elif parent in by_id:
            known.append(parent)
        else:
            near = did_you_mean(parent, by_id)
            told = f"task {draft.task.id!r} depends on {parent!r}, which is not a task{near}"
            problems.add(line, told)
    return known


def _check_outcomes(draft: Draft, by_id: Mapping[TaskId, Draft], problems: Problems) -> None:
    for parent, states in draft.task.when.items():
        kind = by_id[parent].kind if parent in by_id else None
        if kind is None:
            continue
        possible = _DECIDED if kind is Kind.CHECKPOINT else _DONE
        if wrong := sorted(states - possible):
            known = ", ".join(sorted(possible))
            problems.add(
                draft.when_lines[parent],
                f"'when' in task {draft.task.id!r}: {parent!r} is a {kind} task and never ends "
                f"as {' or '.join(wrong)}; expected one of {known}",
            )


def _order(parents: Parents) -> list[TaskId]:
    """Parents before children; what hangs in or behind a circle is left out."""
    children: dict[TaskId, list[TaskId]] = {task_id: [] for task_id in parents}
    missing = {task_id: len(found) for task_id, found in parents.items()}
    for task_id, found in parents.items():
        for parent in found:
            children[parent].append(task_id)
    order = [task_id for task_id, count in missing.items() if count == 0]
    for task_id in order:  # grows while it is walked
        for child in children[task_id]:
            missing[child] -= 1
            if missing[child] == 0:
                order.append(child)
    return order


def _circles(parents: Parents, left: set[TaskId]) -> Iterator[list[TaskId]]:
    # Each task that is left has a parent that is left: following one leads into a circle.
    walked: set[TaskId] = set()
    for start in parents:
        path: dict[TaskId, int] = {}
        task_id = start
        while task_id in left and task_id not in walked:
            walked.add(task_id)
            path[task_id] = len(path)
            task_id = next(parent for parent in parents[task_id] if parent in left)
        if task_id in path:
            yield list(path)[path[task_id] :]


def _path(circle: Sequence[TaskId]) -> str:
    shown = circle if len(circle) <= _CIRCLE_SHOWN else (*circle[: _CIRCLE_SHOWN - 1], "...")
    return " -> ".join((*shown, circle[0]))


def _check_references(
    by_id: Mapping[TaskId, Draft], parents: Parents, order: Sequence[TaskId], problems: Problems
) -> None:
    ancestors = _Ancestors(by_id, parents, order)
    for draft in by_id.values():
        for reference in draft.references:
            named = split_reference(reference.name)
            where = f"{reference.key!r} in task {draft.task.id!r}"
            if named is None or named[0] == PARAMS:
                continue
            if named[0] not in by_id:
                near = did_you_mean(named[0], by_id)
                told = f"{where}: {reference.name!r} names no task {named[0]!r}{near}"
                problems.add(reference.line, told)
            elif not ancestors.has(draft.task.id, named[0]):
                told = f"{where}: {reference.name!r} is no upstream output; depend on {named[0]!r}"
                problems.add(reference.line, told)


def _check_params(
    by_id: Mapping[TaskId, Draft], params: Collection[str], problems: Problems
) -> None:
    for draft in by_id.values():
        for reference in draft.references:
            named = split_reference(reference.name)
            if named is None or named[0] != PARAMS or named[1] in params:
                continue
            told = f"{reference.key!r} in task {draft.task.id!r}: {reference.name!r} names no "
            near = did_you_mean(named[1], params)
            problems.add(reference.line, f"{told}parameter {named[1]!r} of the DAG{near}")


class _Ancestors:
    """Which tasks come before which, for those that some checkpoint names.

    One bit for each named task, so that a whole set is a number and a union one operation.
    """

    def __init__(
        self, by_id: Mapping[TaskId, Draft], parents: Parents, order: Sequence[TaskId]
    ) -> None:
        named = dict.fromkeys(
            found[0]
            for draft in by_id.values()
            for reference in draft.references
            if (found := split_reference(reference.name)) and found[0] in by_id
        )
        self._bits = {task_id: 1 << position for position, task_id in enumerate(named)}
        self._before: dict[TaskId, int] = {}
        for task_id in order if named else ():
            before = 0
            for parent in parents[task_id]:
                before |= self._before[parent] | self._bits.get(parent, 0)
            self._before[task_id] = before

    def has(self, task_id: TaskId, ancestor: TaskId) -> bool:
        """Whether `ancestor` comes before; yes for a task in a circle, which is told already."""
        before = self._before.get(task_id)
        return before is None or bool(before & self._bits[ancestor])
