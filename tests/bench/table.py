"""The table: what was told, gathered line by line, as Markdown that a terminal shows as well."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.engines import Engine, Installed, NotInstalled
from tests.bench.rounds import Result
from tests.bench.spread import figure, median, p95
from tests.bench.telling import Reading

_HEAD = ("what", "who", "median", "spread", "tasks/s", "× first", "what a power cut leaves")
LEGEND = (
    "× first: what the line costs (the time of one task, a delay, memory), divided by what the "
    "first line of its row costs."
)
_ENOUGH_FOR_P95 = 20


@dataclass(frozen=True, slots=True)
class Line:
    """Everything that was told about one line of the table."""

    row: str
    who: str
    keeps: str
    readings: tuple[Reading, ...]

    @property
    def values(self) -> list[float]:
        """Every value, of every round."""
        return [value for reading in self.readings for value in reading.values]

    @property
    def cost(self) -> float:
        """What is compared: the median, for one task where tasks are what is measured."""
        return median(
            [_cost(value, reading) for reading in self.readings for value in reading.values]
        )

    @property
    def is_over(self) -> bool:
        """Whether the time was over before the tasks were done, in any round."""
        return any(reading.left for reading in self.readings)


def _cost(value: float, reading: Reading) -> float:
    if reading.tasks:
        return value / reading.tasks
    return math.inf if reading.left else value


def lines(results: Iterable[Result]) -> list[Line]:
    """The lines in the order they were told, each with the readings of all rounds."""
    found: dict[tuple[str, str], list[tuple[str, Reading]]] = {}
    for result in results:
        for reading in result.told.readings:
            key = (reading.row, reading.line or result.contestant.line)
            found.setdefault(key, []).append((result.contestant.keeps, reading))
    told = [
        Line(row, who, every[0][0], tuple(reading for _, reading in every))
        for (row, who), every in found.items()
    ]
    order = {line.row: at for at, line in reversed(list(enumerate(told)))}
    return sorted(told, key=lambda line: order[line.row])


def markdown(told: Sequence[Line]) -> str:
    """The table. What a line costs is compared with the first line of the same row."""
    first: dict[str, Line] = {}
    cells = [_HEAD]
    for line in told:
        is_first = line.row not in first
        leader = first.setdefault(line.row, line)
        cells.append(
            (
                line.row if is_first else "",
                line.who,
                _middle(line),
                _spread(line),
                _rate(line),
                "1" if is_first else _ratio(line, leader),
                line.keeps,
            )
        )
    return _drawn(cells)


def versions(engines: Mapping[Engine, Installed | NotInstalled]) -> str:
    """Each engine with its version, or that it is not there."""
    return ", ".join(
        f"{engine.name} {it.version}" if isinstance(it, Installed) else f"{engine.name} –"
        for engine, it in engines.items()
    )


def troubles(results: Iterable[Result]) -> list[str]:
    """One sentence for every line that failed in some round."""
    return [
        f"{result.measurement}, round {result.round + 1}: "
        f"{result.contestant.line} failed: {result.told.trouble}"
        for result in results
        if result.told.trouble
    ]


def _middle(line: Line) -> str:
    unit = line.readings[0].unit
    if line.is_over:
        worst = max(line.readings, key=lambda reading: reading.left)
        every = worst.tasks + worst.left
        return f"{worst.tasks:,} of {every:,} in {figure(median(worst.values))} {unit}"
    return _with_unit(median(line.values), unit)


def _spread(line: Line) -> str:
    unit = line.readings[0].unit
    if len(line.values) == 1 or line.is_over:
        return ""
    if len(line.values) >= _ENOUGH_FOR_P95:
        return f"p95 {_with_unit(p95(line.values), unit)}"
    low, high = min(line.values), max(line.values)
    return f"{figure(low)} to {_with_unit(high, unit)}" if low != high else "none"


def _rate(line: Line) -> str:
    return figure(1 / line.cost) if any(reading.tasks for reading in line.readings) else ""


def _ratio(line: Line, leader: Line) -> str:
    if not leader.cost or not math.isfinite(line.cost):
        return ""
    bound = "≥ " if line.is_over and not leader.is_over else ""
    bound = "≤ " if leader.is_over and not line.is_over else bound
    return f"{bound}{figure(line.cost / leader.cost)}"


def _with_unit(value: float, unit: str) -> str:
    return f"{figure(value)} {unit}" if unit else f"{value:.0f}"


def _drawn(cells: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    rows = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    return "\n".join(
        [rows[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rows[1:]]
    )
