"""How long it takes to start."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.ours import processes
from tests.bench.telling import Reading, Sizes, answer


def starts(_sizes: Sizes) -> Iterator[Reading]:
    """`signoff --help` to its end, and `signoff serve` until it is ready."""
    began = time.perf_counter()
    command = (sys.executable, "-m", "bot.cli", "--help")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    yield Reading("`signoff --help`", "s", (time.perf_counter() - began,))
    ready = asyncio.run(_until_ready(Path.cwd()))
    yield Reading("`signoff serve` until ready, new database", "s", (ready,))


async def _until_ready(folder: Path) -> float:
    processes.write_config(folder)
    async with processes.sandbox(folder) as slack, processes.bot(folder, slack) as (_pid, ready_s):
        return ready_s


if __name__ == "__main__":
    answer({"start": starts})
