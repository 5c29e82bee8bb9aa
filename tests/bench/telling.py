"""What a measuring process is asked, and what it tells. Standard library only: peers use it too.

A script is called with the name of a measurement and its sizes as JSON; it writes one
line of JSON for everything it measured.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MARK = "measured: "


@dataclass(frozen=True, slots=True)
class Reading:
    """Values of one row, in its unit. `tasks` is how many a value covers, where it covers tasks."""

    row: str
    unit: str  # "s", "ms", "MB" or a plain count
    values: tuple[float, ...]
    tasks: int = 0
    left: int = 0
    line: str = ""


Sizes = Mapping[str, Any]
Script = Callable[[Sizes], Iterable[Reading]]


def answer(scripts: Mapping[str, Script]) -> None:
    """Run the script named on the command line and tell what it measured."""
    name, sizes = sys.argv[1], json.loads(sys.argv[2])
    for reading in scripts[name](sizes):
        sys.stdout.write(f"{MARK}{json.dumps(asdict(reading))}\n")
        sys.stdout.flush()


def heard(said: str) -> list[Reading]:
    """The readings in what a script wrote; whatever else it wrote is passed over."""
    lines = (line.removeprefix(MARK) for line in said.splitlines() if line.startswith(MARK))
    told = (json.loads(line) for line in lines)
    return [Reading(**{**each, "values": tuple(each["values"])}) for each in told]
