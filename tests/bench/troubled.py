"""Scripts that the bench's own tests run: one that tells, one that breaks, one that hangs."""

import sys
import time
from collections.abc import Iterator

from tests.bench.telling import Reading, Sizes, answer


def tells(sizes: Sizes) -> Iterator[Reading]:
    """Writes more than it was asked for."""
    sys.stdout.write("starting up ...\n")
    yield Reading(sizes["row"], "s", (0.5, 1.5), tasks=10)


def breaks(sizes: Sizes) -> Iterator[Reading]:
    """Tells something, then breaks."""
    yield Reading(sizes["row"], "s", (0.5,))
    raise RuntimeError("the server is on fire")


def hangs(_sizes: Sizes) -> Iterator[Reading]:
    """Never comes back."""
    time.sleep(3600)
    yield Reading("", "", ())


if __name__ == "__main__":
    answer({"tells": tells, "breaks": breaks, "hangs": hangs})
