"""A DAG as lines lead from task to task, for a terminal: top to bottom, one row a task.

Every lane leads to one task, the next to stand in it. So lines that meet are always
on their way to the same task, and each task is drawn once, however many it follows.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bot.graph.shape import children_of, drawn_order, parents_of
from bot.graph.words import MARKS, States, asks, conditions, what
from bot.literal import one_line
from engine import Dag, Gate, Task, TaskId

_MOST_LANES = 16  # wider than that, lines explain nothing any more

# Which of the four ways a line leaves a crossing: up, down, left, right.
_STROKES = {
    (True, True, False, False): "│",
    (True, True, False, True): "├",
    (True, True, True, False): "┤",
    (True, True, True, True): "┼",
    (False, True, True, False): "╮",
    (False, True, False, True): "╭",
    (False, True, True, True): "┬",
    (True, False, True, False): "╯",
    (True, False, False, True): "╰",
    (True, False, True, True): "┴",
}


@dataclass(frozen=True, slots=True)
class _Row:
    lines: str
    task: Task | None = None


def as_text(dag: Dag, states: States | None = None) -> str:
    """The drawing, without an end of line after it; with `states`, as a run of it stands."""
    ordered = drawn_order(dag)
    rows = _drawn(dag, ordered, states or {})
    if rows is None:
        return "\n".join(_listed(task, states or {}) for task in ordered)
    left = max(len(row.lines) for row in rows if row.task is not None)
    name = max(len(one_line(task.id)) for task in ordered)
    return "\n".join(_line(row, left, name) for row in rows)


def _line(row: _Row, left: int, name: int) -> str:
    if row.task is None:
        return row.lines
    about = _about(row.task)
    return f"{row.lines:<{left}} {one_line(row.task.id):<{name}}  {about}".rstrip()


def _listed(task: Task, states: States) -> str:
    """For a graph too wide to draw: the task with what it follows."""
    parents = ", ".join(one_line(parent) for parent in parents_of(task))
    after = f" (after {parents})" if parents else ""
    return f"{_mark(task, states)} {one_line(task.id)}{after}  {_about(task)}".rstrip()


def _about(task: Task) -> str:
    said = conditions(task)
    doing = f"{what(task)}: {asks(task.work)}" if isinstance(task.work, Gate) else what(task)
    return f"{said}: {doing}" if said else doing


def _mark(task: Task, states: States) -> str:
    if task.id in states and (mark := MARKS.get(states[task.id])):
        return mark
    if isinstance(task.work, Gate):
        return "⏸"
    return "●" if task.id not in states else "·"


def _drawn(dag: Dag, ordered: Sequence[Task], states: States) -> list[_Row] | None:
    """The rows; None when there would be too many lanes."""
    children = children_of(dag)
    lanes: list[TaskId | None] = []
    rows: list[_Row] = []
    for at, task in enumerate(ordered):
        here = _lane_of(task.id, lanes)
        rows.append(_Row(_task_row(lanes, here, _mark(task, states)), task))
        before = [lane is not None for lane in lanes]
        lanes[here] = None
        reached = {_lane_for(child, here, lanes) for child in children[task.id]}
        if len(lanes) > _MOST_LANES:
            return None
        following = ordered[at + 1].id if at + 1 < len(ordered) else None
        # Straight down needs a line only where another mark would otherwise stand right below.
        if reached - {here} or (reached and lanes[here] == following):
            rows.append(_Row(_links(len(lanes), here, before, reached)))
        while lanes and lanes[-1] is None:
            lanes.pop()
    return rows


def _lane_of(task_id: TaskId, lanes: list[TaskId | None]) -> int:
    """The lane that leads to this task; a task that follows nothing takes a free one."""
    if task_id in lanes:
        return lanes.index(task_id)
    return _take(task_id, 0, lanes)


def _lane_for(child: TaskId, here: int, lanes: list[TaskId | None]) -> int:
    return lanes.index(child) if child in lanes else _take(child, here, lanes)


def _take(task_id: TaskId, start: int, lanes: list[TaskId | None]) -> int:
    """The first free lane from `start` on, from now on that of the task."""
    free = [lane for lane in range(start, len(lanes)) if lanes[lane] is None]
    if not free:
        lanes.append(task_id)
        return len(lanes) - 1
    lanes[free[0]] = task_id
    return free[0]


def _task_row(lanes: Sequence[TaskId | None], here: int, mark: str) -> str:
    cells = [" " if lane is None else "│" for lane in lanes]
    cells[here] = mark
    return " ".join(cells).rstrip()


def _links(width: int, here: int, before: Sequence[bool], reached: AbstractSet[int]) -> str:
    """The row below a task: lines from its lane to the lanes of its children."""
    first, last = min({here, *reached}), max({here, *reached})
    cells = "".join(
        _cell(lane, here, lane < len(before) and before[lane], reached, (first, last))
        + ("─" if first <= lane < last else " ")
        for lane in range(width)
    )
    return cells.rstrip()


def _cell(lane: int, here: int, led: bool, reached: AbstractSet[int], span: tuple[int, int]) -> str:
    first, last = span
    within = first <= lane <= last
    if lane != here and lane not in reached:  # a line in passing is crossed, not joined
        return "│" if led else "─" if within else " "
    strokes = (led, lane in reached or (led and lane != here), lane > first, lane < last)
    return _STROKES[strokes]
