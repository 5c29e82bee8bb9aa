"""From a decision to the next task: a worker in its own process, the decision made in this one."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from engine import Dag
from tests.bench.ours import graphs, processes
from tests.bench.ours.installation import Installation, installation
from tests.bench.telling import Reading, Sizes, answer

_SETTLE_S = 0.05  # nobody decides at the instant a run pauses


async def delays_ms(signoff: Installation, graph: Callable[[Path], Dag], times: int) -> list[float]:
    """Milliseconds from the committed decision to the start of the next task, so many times.

    One run after the other, each asked for, brought to its pause by the worker, approved,
    and awaited to its end.
    """
    delays = []
    for number in range(times):
        started = signoff.folder / f"started-{number}"
        run_id = await signoff.submit(graph(started))
        asked = await signoff.paused(run_id)
        await asyncio.sleep(_SETTLE_S)
        committed = await signoff.approve(asked)
        await signoff.until(run_id, lambda view: view.run.has_ended)
        delays.append((float(started.read_text()) - committed) * 1000)
        started.unlink()
    return delays


def _measured(graph: Callable[[Path], Dag], sizes: Sizes) -> Iterator[Reading]:
    async def once() -> list[float]:
        folder = Path.cwd()
        processes.write_config(folder)
        async with (
            installation(folder, sizes.get("database")) as signoff,
            processes.worker(folder, signoff.store),
        ):
            await delays_ms(signoff, graph, 1)
            return await delays_ms(signoff, graph, sizes["times"])

    yield Reading(sizes["row"], "ms", tuple(asyncio.run(once())))


def function(sizes: Sizes) -> Iterator[Reading]:
    """The next task is a function."""
    return _measured(graphs.gated_function, sizes)


def command(sizes: Sizes) -> Iterator[Reading]:
    """The next task is a command."""
    return _measured(graphs.gated_command, sizes)


if __name__ == "__main__":
    answer({"function": function, "command": command})
