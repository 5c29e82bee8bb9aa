"""Graphs of Signoff, driven to their end in this process; each function runs in a process apart."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from engine import Dag
from tests.bench.ours import graphs
from tests.bench.ours.copies import copy_run
from tests.bench.ours.installation import installation
from tests.bench.telling import Reading, Sizes, answer


def _timed(graph: Callable[[int], Dag], sizes: Sizes) -> Iterator[Reading]:
    async def once() -> Reading:
        async with installation(Path.cwd(), sizes.get("database")) as signoff:
            await signoff.driven(graph(1))  # what a first run prepares is no task's cost
            return await signoff.timed(graph(sizes["tasks"]), sizes["row"], sizes["within_s"])

    yield asyncio.run(once())


def fan_out(sizes: Sizes) -> Iterator[Reading]:
    """Functions side by side."""
    return _timed(graphs.fan_out, sizes)


def fan_out_commands(sizes: Sizes) -> Iterator[Reading]:
    """Commands side by side."""
    return _timed(graphs.fan_out_commands, sizes)


def chain(sizes: Sizes) -> Iterator[Reading]:
    """Functions one after the other."""
    return _timed(graphs.chain, sizes)


def history(sizes: Sizes) -> Iterator[Reading]:
    """The same graph in a file that already holds so many finished runs."""

    async def once() -> Reading:
        async with installation(Path.cwd()) as signoff:
            finished = await signoff.driven(graphs.fan_out(3))
            await copy_run(signoff.store, finished, sizes["runs"] - 1)
            return await signoff.timed(
                graphs.fan_out(sizes["tasks"]), sizes["row"], sizes["within_s"]
            )

    yield asyncio.run(once())


if __name__ == "__main__":
    answer(
        {
            "fan-out": fan_out,
            "fan-out-commands": fan_out_commands,
            "chain": chain,
            "history": history,
        }
    )
