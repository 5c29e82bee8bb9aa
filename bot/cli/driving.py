"""Following a run from a terminal, and driving it where no worker does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import platformdirs

from bot.cli.session import this_host
from bot.cli.sight import Sight, sight
from bot.config import Settings
from engine import (
    RunId,
    RunnerSettings,
    RunState,
    RunView,
    Store,
    TaskState,
    Tx,
    database_file,
    drive_here,
    holder_name,
    live_worker,
    sweep_expiry,
)

_LOOK_AGAIN_S = 1.0  # a change wakes us at once; this is for deadlines and workers that die

_REST = 4.0  # times as long as a look took: a large run is not slowed down by being watched

Report = Callable[[Sight], None]


def runner_settings(settings: Settings) -> RunnerSettings:
    """Where this machine's runs leave their logs, and under whose name they are driven."""
    host = this_host()
    base = database_file(settings.database_url)
    if base is None:
        base = platformdirs.user_data_path("signoff", appauthor=False) / "signoff"
    return RunnerSettings(
        host=host,
        holder=holder_name(host),
        logs_dir=_beside(base, "logs"),
        scratch_dir=_beside(base, "scratch"),
        max_tasks=settings.max_tasks,
        max_parallel=settings.max_parallel,
    )


def _beside(base: Path, kind: str) -> Path:
    return base.with_name(f"{base.name}.{kind}")


async def follow(
    store: Store, settings: Settings, run_id: str, report: Report, *, through_pauses: bool
) -> Sight:
    """Watch a run until it ends or, unless `through_pauses`, waits for people or stands still.

    Where no worker runs on the run's host, which must be this one, it is driven here.
    Raises `RunNotFound`.
    """
    runner = runner_settings(settings)
    changes = store.changes()
    drive: asyncio.Task[RunState] | None = None
    try:
        while True:
            seen, took_s = await _look(store, run_id, report)
            view = seen.view
            if view.run.has_ended or (not through_pauses and _waits(seen)):
                return seen
            if drive is not None and drive.done():
                drive.result()
                drive = None
            if drive is None and not _stands_still(seen) and await _wants_driver(store, view):
                drive = asyncio.create_task(drive_here(store, RunId(run_id), runner))
            if _is_paused(view):
                await sweep_expiry(store)  # perhaps no bot runs to keep the deadline
            await asyncio.sleep(took_s * _REST)
            await changes.wait(_LOOK_AGAIN_S)
    finally:
        await _end(drive)
        await changes.close()


async def watch(store: Store, run_id: str, report: Report) -> Sight:
    """Watch a run until it ends, through its pauses; change nothing. Raises `RunNotFound`."""
    changes = store.changes()
    try:
        while True:
            seen, took_s = await _look(store, run_id, report)
            if seen.view.run.has_ended:
                return seen
            await asyncio.sleep(took_s * _REST)
            await changes.wait(_LOOK_AGAIN_S)
    finally:
        await changes.close()


async def _look(store: Store, run_id: str, report: Report) -> tuple[Sight, float]:
    """See the run as it is now, and tell; also how many seconds that took."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    seen = await store.read(partial(sight, run_id=run_id))
    report(seen)
    return seen, loop.time() - since


def _waits(seen: Sight) -> bool:
    """Whether nothing will happen before people decide, or let everything go on."""
    runs = any(task.state is TaskState.RUNNING for task in seen.view.tasks.values())
    return _is_paused(seen.view) or (_stands_still(seen) and not runs)


def _stands_still(seen: Sight) -> bool:
    # What was called off is brought to its end all the same.
    return seen.standstill is not None and seen.view.run.called_off_at is None


def _is_paused(view: RunView) -> bool:
    return view.run.state is RunState.PAUSED


async def _wants_driver(store: Store, view: RunView) -> bool:
    drivable = view.run.state in (RunState.QUEUED, RunState.RUNNING)
    if not drivable or view.run.host != this_host():
        return False
    return not await store.read(worker_is_here)


def worker_is_here(tx: Tx) -> bool:
    """Whether a worker runs on this machine now."""
    return live_worker(tx, this_host())


async def _end(drive: "asyncio.Task[RunState] | None") -> None:
    if drive is None:
        return
    drive.cancel()
    with suppress(asyncio.CancelledError):
        await drive
