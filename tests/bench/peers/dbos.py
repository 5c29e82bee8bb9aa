"""DBOS as it comes, on SQLite or PostgreSQL. Steps and workflows are recorded before they count.

`python -m tests.bench.peers.dbos host URL` runs workflows that another process starts.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dbos import DBOS

from tests.bench.functions.noop import starts as note_start
from tests.bench.peers.memory import resident_mb
from tests.bench.telling import Reading, Sizes, answer

QUEUE = "many"
WAITING = "waiting"
_LONG_S = 3600
_SETTLE_S = 3.0


@DBOS.step()
async def no_op() -> None:
    """A step that does nothing."""


@DBOS.step()
def no_op_in_turn() -> None:
    """The same, not asynchronous."""


@DBOS.step()
def next_step(file: str) -> None:
    """Note when it starts."""
    note_start(file)


@DBOS.workflow()
def one() -> None:
    """A workflow that does nothing."""


@DBOS.workflow()
async def steps(tasks: int) -> None:
    """Steps of one workflow, side by side."""
    await asyncio.gather(*(no_op() for _ in range(tasks)))


@DBOS.workflow()
def queued(tasks: int) -> None:
    """Workflows of their own through a queue, which is how several processes share work."""
    for handle in [DBOS.enqueue_workflow(QUEUE, one) for _ in range(tasks)]:
        handle.get_result()


@DBOS.workflow()
def in_turn(tasks: int) -> None:
    """Each step after the one before."""
    for _ in range(tasks):
        no_op_in_turn()


@DBOS.workflow()
def waits(file: str) -> None:
    """Wait for an answer, then note when the next step starts."""
    DBOS.set_event(WAITING, value=True)
    DBOS.recv("answer", _LONG_S)
    next_step(file)


@DBOS.workflow()
async def waits_long() -> None:
    """Wait for an answer that does not come."""
    await DBOS.recv_async("answer", _LONG_S)


def launch(database: str) -> None:
    """Start DBOS in this process."""
    DBOS(config={"name": "bench", "system_database_url": database, "log_level": "WARNING"})
    DBOS.launch()
    DBOS.register_queue(QUEUE)


def default_database() -> str:
    """An SQLite file in the current folder."""
    return f"sqlite:///{Path.cwd() / 'dbos.sqlite'}"


def _timed(workflow: Callable[[int], Any]) -> Callable[[Sizes], Iterator[Reading]]:
    def script(sizes: Sizes) -> Iterator[Reading]:
        tasks = sizes["tasks"]
        launch(sizes.get("database") or default_database())
        DBOS.start_workflow(one).get_result()  # what a first workflow prepares is no task's cost
        began = time.perf_counter()
        handle = DBOS.start_workflow(workflow, tasks)
        handle.get_result(polling_interval_sec=0.01)
        yield Reading(sizes["row"], "s", (time.perf_counter() - began,), tasks)
        DBOS.destroy()

    return script


def waiting(sizes: Sizes) -> Iterator[Reading]:
    """What a process holds with one, and with so many, asynchronous workflows that wait."""
    launch(default_database())
    yield from asyncio.run(_waiting(sizes))
    # The workflows still wait, and would be waited for.
    DBOS.destroy(workflow_completion_timeout_sec=0)


async def _waiting(sizes: Sizes) -> list[Reading]:
    readings = []
    started = 0
    for runs in (1, sizes["runs"]):
        for _ in range(runs - started):
            await DBOS.start_workflow_async(waits_long)
        started = runs
        await asyncio.sleep(_SETTLE_S)
        line = f"{runs:,} waiting workflow{'s' if runs > 1 else ''}"
        readings.append(Reading(sizes["row"], "MB", (resident_mb(),), line=line))
        threads = float(threading.active_count())
        readings.append(Reading(sizes["threads_row"], "", (threads,), line=line))
    return readings


if __name__ == "__main__":
    if sys.argv[1] == "host":
        launch(sys.argv[2])
        threading.Event().wait()
    answer(
        {
            "steps": _timed(steps),
            "queue": _timed(queued),
            "chain": _timed(in_turn),
            "waiting": waiting,
        }
    )
