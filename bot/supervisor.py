"""Keeps one worker child running beside the bot, apart from its event loop and its secrets."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Collection, Mapping

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 30.0  # a worker that lived this long was not failing at its start
_DRAIN_S = 10.0


def worker_environment(environment: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """What the worker may know: everything but Slack's secrets, and those that are named."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("SLACK_") and name not in secrets
    }


async def supervise_worker(stop: asyncio.Event, secrets: Collection[str]) -> None:
    """Start a worker, and another whenever it ends, until `stop` is set; then let it drain.

    The worker reads our end of a pipe: when this process dies, however it dies, the
    pipe closes and the worker drains and ends, so that no orphan holds its lock. It is not
    given the variables that are `secrets`.
    """
    pause_s = _FIRST_PAUSE_S
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        started = loop.time()
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.cli",
            "worker",
            "--supervised",
            stdin=asyncio.subprocess.PIPE,
            env=worker_environment(os.environ, secrets),
        )
        log.info("worker %d started", worker.pid)
        code = await _watch(worker, stop)
        if stop.is_set():
            return
        if loop.time() - started > _STEADY_S:
            pause_s = _FIRST_PAUSE_S
        log.error("the worker ended with %s; starting another in %.1f s", code, pause_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


async def _watch(worker: asyncio.subprocess.Process, stop: asyncio.Event) -> int:
    ended = asyncio.create_task(worker.wait())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            worker.send_signal(signal.SIGTERM)
            await asyncio.wait({ended}, timeout=_DRAIN_S)
    finally:
        stopped.cancel()
        if worker.returncode is None:
            log.warning("the worker did not drain in %.0f s: killing it", _DRAIN_S)
            worker.kill()
    return await ended
