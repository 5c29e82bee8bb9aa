"""Turns: every contestant once, then every contestant again, so that drifts meet all alike."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench.databases import empty_database
from tests.bench.engines import Engine, Installed
from tests.bench.plan import Contestant, Measurement
from tests.bench.process import Told, measure
from tests.bench.spread import figure, median
from tests.bench.telling import Reading

_LIMIT_S = 420.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a contestant told in one round."""

    measurement: str
    round: int
    contestant: Contestant
    told: Told


def take_turns(
    plan: Sequence[Measurement],
    installed: Mapping[Engine, Installed],
    postgres: str | None,
    say: Say,
) -> Iterator[Result]:
    """Measure everything of the plan that is installed."""
    for measurement in plan:
        for number in range(measurement.rounds):
            for contestant in measurement.contestants:
                if contestant.engine not in installed or (contestant.on_postgres and not postgres):
                    continue
                began = time.monotonic()
                told = _measured(contestant, installed[contestant.engine], postgres)
                took = time.monotonic() - began
                turn = f"{measurement.key} {number + 1}/{measurement.rounds}"
                say(f"{turn}  {contestant.line}: {told.trouble or _short(told)}  ({took:.0f} s)")
                yield Result(measurement.key, number, contestant, told)


def _measured(contestant: Contestant, engine: Installed, postgres: str | None) -> Told:
    with _database(contestant, postgres) as extra:
        return measure(
            engine.python, contestant.script, {**contestant.sizes, **extra}, limit_s=_LIMIT_S
        )


@contextmanager
def _database(contestant: Contestant, postgres: str | None) -> Iterator[dict[str, str]]:
    if not contestant.on_postgres or postgres is None:
        yield {}
        return
    with empty_database(postgres) as url:
        yield {"database": url}


def _short(told: Told) -> str:
    return ", ".join(_value(reading) for reading in told.readings)


def _value(reading: Reading) -> str:
    left = f" ({reading.left:,} tasks left)" if reading.left else ""
    return f"{figure(median(reading.values))} {reading.unit}{left}".strip()
