"""A DAG as a picture: one SVG file that needs nothing else, on light and on dark pages alike."""

import itertools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bot.graph.layout import Layout, Line, layout
from bot.graph.words import States, asks, condition, what
from bot.literal import cut, one_line
from engine import Dag, Gate, Task, TaskId, TaskState

_MARGIN = 16.0
_BETWEEN = 52.0  # from layer to layer
_PAD = 16.0
_ID_EM, _TEXT_EM = 7.7, 6.3  # how wide a character is at most, nearly always
_LINE, _TOP, _BOTTOM = 17.0, 24.0, 13.0  # of a box: between lines, to the first, below the last
_LEAST, _LONGEST_ID, _LONGEST = 120.0, 40, 46
_PAUSE = 38.0  # at either end of a checkpoint, for its sign and for balance
_HEAD = 7.0  # of an arrow
_LABEL_HEIGHT, _LABEL_AT = 18.0, 0.6
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE = frozenset({"W", "F"})

# Boxes bring their own light ground; lines are of a grey that any page lets show.
_LINE_COLOUR = "#8b949e"
_INK, _QUIET = "#1f2328", "#57606a"


@dataclass(frozen=True, slots=True)
class _Tone:
    fill: str
    stroke: str


_PLAIN = _Tone("#f6f8fa", "#8b949e")
_ASKS = _Tone("#fff4cf", "#b7791f")
_GOOD, _BAD, _ACTIVE = (
    _Tone("#dcf5e3", "#1a7f37"),
    _Tone("#ffe3e0", "#cf222e"),
    _Tone("#dbeafe", "#0969da"),
)
_TONES = {
    TaskState.SUCCEEDED: _GOOD,
    TaskState.APPROVED: _GOOD,
    TaskState.FAILED: _BAD,
    TaskState.REJECTED: _BAD,
    TaskState.EXPIRED: _BAD,
    TaskState.RUNNING: _ACTIVE,
    TaskState.WAITING: _ACTIVE,
}


@dataclass(frozen=True, slots=True)
class _Box:
    task: Task
    title: str
    lines: tuple[str, ...]
    tone: _Tone

    @property
    def is_gate(self) -> bool:
        return isinstance(self.task.work, Gate)

    @property
    def width(self) -> float:
        ends = _PAUSE if self.is_gate else _PAD
        texts = [_wide(line) * _TEXT_EM for line in self.lines]
        return max(_LEAST, _wide(self.title) * _ID_EM, *texts) + 2 * ends

    @property
    def height(self) -> float:
        return _TOP + _LINE * len(self.lines) + _BOTTOM


def as_svg(dag: Dag, states: States | None = None) -> str:
    """The picture, without an end of line after it; with `states`, as a run of it stands."""
    boxes = {task.id: _box(task, states or {}) for task in dag.tasks}
    placed = layout(dag, {task_id: box.width for task_id, box in boxes.items()})
    rows = _rows(boxes, placed)
    width = placed.width + 2 * _MARGIN
    height = rows[-1][0] + rows[-1][1] + _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    title = _text(f"{dag.name}: {len(boxes)} tasks")
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family='
            "\"system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif\">"
        ),
        f"<title>{title}</title>",
        *(_line(line, boxes, placed, rows) for line in placed.lines),
        *(_drawn(box, placed, rows) for box in boxes.values()),
        *(_label(line, boxes, placed, rows) for line in placed.lines),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _box(task: Task, states: States) -> _Box:
    said = [what(task)]
    if isinstance(task.work, Gate):
        said = [asks(task.work), what(task)]
    tone = _ASKS if isinstance(task.work, Gate) else _PLAIN
    if task.id in states:
        said.append(states[task.id].value)
        tone = _TONES.get(states[task.id], _PLAIN)
    lines = tuple(cut(line, _LONGEST) for line in said if line)
    return _Box(task, cut(one_line(task.id), _LONGEST_ID), lines, tone)


Rows = list[tuple[float, float]]  # of each layer: its top and its height


def _rows(boxes: Mapping[TaskId, _Box], placed: Layout) -> Rows:
    tallest = [0.0] * (max(placed.layer.values()) + 1)
    for task_id, layer in placed.layer.items():
        tallest[layer] = max(tallest[layer], boxes[task_id].height)
    rows, top = [], _MARGIN
    for height in tallest:
        rows.append((top, height))
        top += height + _BETWEEN
    return rows


def _top(box: _Box, placed: Layout, rows: Rows) -> float:
    top, height = rows[placed.layer[box.task.id]]
    return top + (height - box.height) / 2


def _drawn(box: _Box, placed: Layout, rows: Rows) -> str:
    middle, top = placed.x[box.task.id] + _MARGIN, _top(box, placed, rows)
    left = middle - box.width / 2
    radius = box.height / 2 if box.is_gate else 8
    said = [
        "<g>",
        f"<title>{_text(_hint(box.task))}</title>",
        (
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
            f'rx="{radius:.1f}" fill="{box.tone.fill}" stroke="{box.tone.stroke}" '
            'stroke-width="1.5"/>'
        ),
        _sign(box, left + 20, top + box.height / 2),
        (
            f'<text x="{middle:.1f}" y="{top + _TOP:.1f}" text-anchor="middle" '
            f'font-size="13" font-weight="600" fill="{_INK}">{_text(box.title)}</text>'
        ),
    ]
    for number, line in enumerate(box.lines, start=1):
        said.append(
            f'<text x="{middle:.1f}" y="{top + _TOP + number * _LINE:.1f}" '
            f'text-anchor="middle" font-size="11" fill="{_QUIET}">{_text(line)}</text>'
        )
    return "\n".join([*(part for part in said if part), "</g>"])


def _sign(box: _Box, left: float, middle: float) -> str:
    """Two bars: the run pauses at a checkpoint."""
    if not box.is_gate:
        return ""
    return "".join(
        f'<rect x="{x:.1f}" y="{middle - 8:.1f}" width="4" height="16" rx="1.5" '
        f'fill="{box.tone.stroke}"/>'
        for x in (left, left + 7)
    )


def _hint(task: Task) -> str:
    return f"{one_line(task.id)}: {what(task)}"


def _points(
    line: Line, boxes: Mapping[TaskId, _Box], placed: Layout, rows: Rows
) -> list[tuple[float, float]]:
    """From the parent's foot through the layers in passing to the tip of the arrow."""
    parent, child = boxes[line.parent], boxes[line.child]
    points = [(placed.x[line.parent] + _MARGIN, _top(parent, placed, rows) + parent.height)]
    for layer, x in line.passing:
        top, height = rows[layer]
        points += [(x + _MARGIN, top), (x + _MARGIN, top + height)]
    return [*points, (placed.x[line.child] + _MARGIN, _top(child, placed, rows))]


def _line(line: Line, boxes: Mapping[TaskId, _Box], placed: Layout, rows: Rows) -> str:
    points = _points(line, boxes, placed, rows)
    tip_x, tip_y = points[-1]
    points[-1] = (tip_x, tip_y - _HEAD)
    path = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        half = (y + to_y) / 2
        path.append(f"C{x:.1f},{half:.1f} {to_x:.1f},{half:.1f} {to_x:.1f},{to_y:.1f}")
    wing = _HEAD * 0.55
    head = f"M{tip_x:.1f},{tip_y - 1:.1f}l{-wing:.1f},{-_HEAD:.1f}h{2 * wing:.1f}z"  # points down
    dashes = ' stroke-dasharray="5 4"' if _condition(line, boxes) else ""
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{_LINE_COLOUR}" '
        f'stroke-width="1.5"{dashes}/><path d="{head}" fill="{_LINE_COLOUR}"/>'
    )


def _condition(line: Line, boxes: Mapping[TaskId, _Box]) -> str:
    return condition(boxes[line.child].task, line.parent)


def _label(line: Line, boxes: Mapping[TaskId, _Box], placed: Layout, rows: Rows) -> str:
    """On which outcome the line is taken, where that is not the usual one."""
    on = _condition(line, boxes)
    if not on:
        return ""
    (x, y), (to_x, to_y) = _points(line, boxes, placed, rows)[-2:]
    middle = x + (to_x - x) * (3 - 2 * _LABEL_AT) * _LABEL_AT**2  # on the curve of the line
    flat = 1.5 * _LABEL_AT * (1 - _LABEL_AT)
    height = y + (to_y - y) * (flat + _LABEL_AT**3)
    width = _wide(on) * _TEXT_EM + 14
    return (
        f'<rect x="{middle - width / 2:.1f}" y="{height - _LABEL_HEIGHT / 2:.1f}" '
        f'width="{width:.1f}" height="{_LABEL_HEIGHT}" rx="9" fill="#ffffff" '
        f'stroke="{_LINE_COLOUR}"/>\n'
        f'<text x="{middle:.1f}" y="{height + 4:.1f}" text-anchor="middle" font-size="11" '
        f'fill="{_INK}">{_text(on)}</text>'
    )


def _wide(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in _WIDE else 1 for letter in text)


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", one_line(text)))
