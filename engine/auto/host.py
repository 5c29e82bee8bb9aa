"""The process in which rules are evaluated: it bounds itself, then answers line by line.

A line is `{"expression": …, "values": {…}}`, its answer `{"held": true}` or `{"failed": why}`.
Whatever goes past the bounds ends this process, and nothing else.
"""

import json
import resource
import sys
from contextlib import suppress

from engine.auto.language import evaluated
from engine.errors import InvalidExpression

CPU_S = 1
"""Seconds of work that one expression may take, rounded up."""

MEMORY = 256 << 20
"""Bytes of address space."""


def main() -> None:
    """Answer until there is nothing to answer any more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError):  # not every system has it; there the seconds bound memory, too
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        _allow_more_seconds()
        sys.stdout.write(json.dumps(_answer(line)) + "\n")
        sys.stdout.flush()


def _allow_more_seconds() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    until = int(usage.ru_utime + usage.ru_stime) + CPU_S + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _answer(line: str) -> dict[str, bool | str]:
    asked = json.loads(line)
    try:
        found = evaluated(asked["expression"], asked["values"])
    except InvalidExpression as invalid:
        return {"failed": str(invalid)}
    except MemoryError:
        return {"failed": f"it needs more than {MEMORY >> 20} MB"}
    return {"held": found} if isinstance(found, bool) else {"failed": found}


if __name__ == "__main__":
    main()
