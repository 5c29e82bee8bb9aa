"""Many paused runs: what the processes hold, and whether a decision is as quick as ever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from engine import RunId, checkpoint_view
from tests.bench.ours import graphs, processes
from tests.bench.ours.copies import copy_run
from tests.bench.ours.installation import Installation, installation
from tests.bench.ours.resuming import delays_ms
from tests.bench.peers.memory import resident_mb
from tests.bench.telling import Reading, Sizes, answer


def paused_runs(sizes: Sizes) -> Iterator[Reading]:
    """One paused run, then so many: memory, threads, and the delay of a decision among them.

    The processes are looked at `settle_s` after their start, when sweeps and sockets have
    had their first turns.
    """
    yield from asyncio.run(_paused_runs(Path.cwd(), sizes))


async def _paused_runs(folder: Path, sizes: Sizes) -> list[Reading]:
    runs, times, settle_s = sizes["runs"], sizes["times"], sizes["settle_s"]
    processes.write_config(folder)
    async with processes.sandbox(folder) as slack, installation(folder) as signoff:
        async with _serving(folder, slack, settle_s) as (bot, worker):
            run_id = await signoff.submit(graphs.gated_function(folder / "started"))
            await _until_posted(signoff, run_id)
            one = _held("1 paused run", bot, worker)
        await copy_run(signoff.store, run_id, runs - 1)
        async with _serving(folder, slack, settle_s) as (bot, worker):
            await delays_ms(signoff, graphs.gated_function, 1)
            many = _held(f"{runs:,} paused runs", bot, worker)
            delays = await delays_ms(signoff, graphs.gated_function, times)
    among = Reading(f"decision to next task among {runs:,} paused runs", "ms", tuple(delays))
    return [*one, *many, among]


@asynccontextmanager
async def _serving(folder: Path, slack: str, settle_s: float) -> AsyncIterator[tuple[int, int]]:
    async with processes.bot(folder, slack) as (bot, _seconds):
        await asyncio.sleep(settle_s)
        yield bot, processes.worker_of(bot)


async def _until_posted(signoff: Installation, run_id: RunId) -> None:
    """Wait until the card is posted, so that the copies want none."""
    asked = await signoff.paused(run_id)
    async with asyncio.timeout(30):
        while True:
            view = await signoff.store.read(partial(checkpoint_view, checkpoint_id=asked.id))
            assert view is not None
            if all(posting.handle for posting in view.postings):
                return
            await asyncio.sleep(0.05)


def _held(line: str, bot: int, worker: int) -> list[Reading]:
    return [
        Reading(row, unit, (value,), line=line)
        for row, unit, value in (
            ("memory of `signoff serve`", "MB", resident_mb(bot)),
            ("memory of its worker", "MB", resident_mb(worker)),
            ("threads of `signoff serve`", "", float(processes.threads_of(bot))),
            ("threads of its worker", "", float(processes.threads_of(worker))),
        )
    ]


if __name__ == "__main__":
    answer({"paused": paused_runs})
