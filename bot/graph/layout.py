"""Where the tasks of a picture stand: layers from top to bottom, lines kept short.

The usual way in four steps: a layer for each task (one below its lowest parent), stations
where a line passes a layer, an order within each layer that crosses few lines, and
places near to what each is linked with.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.graph.shape import depths, parents_of
from engine import Dag, TaskId

GAP = 28.0  # between neighbours in a layer, in pixels
_STATION = 10.0  # how wide a line in passing is taken to be
_SWEEPS = 8
_MOST_STATIONS = 4_000  # beyond that, long lines go straight


@dataclass(slots=True)
class _Spot:
    """A task, or a station of a line that passes its layer."""

    width: float
    layer: int
    x: float = 0.0  # the middle
    above: "list[_Spot]" = field(default_factory=list)
    below: "list[_Spot]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """A line from a parent to its child, with the middles of the layers it passes."""

    parent: TaskId
    child: TaskId
    passing: tuple[tuple[int, float], ...]  # (layer, x)


@dataclass(frozen=True, slots=True)
class Layout:
    """The middle of every task and the layer it stands in."""

    x: Mapping[TaskId, float]
    layer: Mapping[TaskId, int]
    lines: tuple[Line, ...]
    width: float


def layout(dag: Dag, widths: Mapping[TaskId, float]) -> Layout:
    """Place every task, given how wide it is drawn."""
    layer = depths(dag)
    spots = {task.id: _Spot(widths[task.id], layer[task.id]) for task in dag.tasks}
    layers: list[list[_Spot]] = [[] for _ in range(max(layer.values()) + 1)]
    for spot in spots.values():
        layers[spot.layer].append(spot)
    routes = _routes(dag, spots, layers)
    _order(layers)
    _place(layers)
    everything = [spot for row in layers for spot in row]
    left = min(spot.x - spot.width / 2 for spot in everything)
    right = max(spot.x + spot.width / 2 for spot in everything)
    return Layout(
        x={task_id: spot.x - left for task_id, spot in spots.items()},
        layer=layer,
        lines=tuple(
            Line(parent, child, tuple((spot.layer, spot.x - left) for spot in passing))
            for parent, child, passing in routes
        ),
        width=right - left,
    )


def _routes(
    dag: Dag, spots: Mapping[TaskId, _Spot], layers: list[list[_Spot]]
) -> list[tuple[TaskId, TaskId, list[_Spot]]]:
    routes = []
    room = _MOST_STATIONS
    for task in dag.tasks:
        for parent in parents_of(task):
            start, end = spots[parent], spots[task.id]
            passed = range(start.layer + 1, end.layer)
            room -= len(passed)
            stations = [_Spot(_STATION, at) for at in passed] if room >= 0 else []
            for station in stations:
                layers[station.layer].append(station)
            chain = [start, *stations, end]
            for upper, lower in itertools.pairwise(chain):
                upper.below.append(lower)
                lower.above.append(upper)
            routes.append((parent, task.id, stations))
    return routes


def _order(layers: list[list[_Spot]]) -> None:
    """Sort each layer by where its neighbours stand, down and up again."""
    for row in layers:
        _number(row)
    for sweep in range(_SWEEPS + 1):  # the last one goes down, as a reader does
        down = sweep % 2 == 0
        for row in layers if down else reversed(layers):
            row.sort(key=lambda spot: _middle(spot.above if down else spot.below, spot.x))
            _number(row)


def _number(row: list[_Spot]) -> None:
    """Until there are places, a spot stands at its turn, measured from the middle of its row."""
    for turn, spot in enumerate(row):
        spot.x = turn - (len(row) - 1) / 2


def _place(layers: list[list[_Spot]]) -> None:
    for row in layers:
        _settle(row, lambda _: 0.0)
    for sweep in range(_SWEEPS * 2):
        down = sweep % 2 == 0
        for row in layers if down else reversed(layers):
            if sweep == _SWEEPS * 2 - 1:
                _settle(row, lambda spot: _middle([*spot.above, *spot.below], spot.x))
            elif down:
                _settle(row, lambda spot: _middle(spot.above, spot.x))
            else:
                _settle(row, lambda spot: _middle(spot.below, spot.x))


def _middle(others: Sequence[_Spot], otherwise: float) -> float:
    return sum(other.x for other in others) / len(others) if others else otherwise


def _settle(row: Sequence[_Spot], wanted: Callable[[_Spot], float]) -> None:
    """Move each spot as near to where it wants to be as order and gaps allow (least squares).

    Measured from where spots would stand packed, places only must not decrease: spots that
    would are pooled, and a pool stands at the mean of its wishes.
    """
    packed, at = [], 0.0
    for spot in row:
        packed.append(at + spot.width / 2)
        at += spot.width + GAP
    pools: list[tuple[float, int]] = []  # mean, how many
    for spot, offset in zip(row, packed, strict=True):
        mean, count = wanted(spot) - offset, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean = (mean * count + other * more) / (count + more)
            count += more
        pools.append((mean, count))
    shifts = [mean for mean, count in pools for _ in range(count)]
    for spot, offset, shift in zip(row, packed, shifts, strict=True):
        spot.x = offset + shift
