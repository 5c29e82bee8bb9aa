"""Dagster's in-process executor: with nothing kept, and with its record in SQLite."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, In, JobDefinition, Nothing, graph, op

from tests.bench.telling import Reading, Sizes, answer


@op
def no_op() -> None:
    """Does nothing."""


@op(ins={"before": In(Nothing)})
def link() -> None:
    """Does nothing, after another."""


def _fan_out(tasks: int) -> JobDefinition:
    @graph
    def every() -> None:
        for number in range(tasks):
            no_op.alias(f"t{number}")()

    return every.to_job()


def _chain(tasks: int) -> JobDefinition:
    @graph
    def every() -> None:
        before: Any = no_op.alias("t0")()
        for number in range(1, tasks):
            before = link.alias(f"t{number}")(before)

    return every.to_job()


def _timed(job: Callable[[int], JobDefinition], *, kept: bool) -> Any:
    def script(sizes: Sizes) -> Iterator[Reading]:
        logging.getLogger("dagster").setLevel(logging.ERROR)
        folder = Path.cwd() / "dagster"
        folder.mkdir()
        instance = DagsterInstance.local_temp(str(folder)) if kept else DagsterInstance.ephemeral()
        with instance:
            job(1).execute_in_process(instance=instance)
            made = job(sizes["tasks"])
            began = time.perf_counter()
            result = made.execute_in_process(instance=instance)
            took = time.perf_counter() - began
        assert result.success
        yield Reading(sizes["row"], "s", (took,), sizes["tasks"])

    return script


if __name__ == "__main__":
    answer(
        {
            "fan-out": _timed(_fan_out, kept=False),
            "fan-out-kept": _timed(_fan_out, kept=True),
            "chain": _timed(_chain, kept=False),
            "chain-kept": _timed(_chain, kept=True),
        }
    )
