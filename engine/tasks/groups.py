"""Process groups: who is in one, and ending all of it."""

import asyncio
import os
import signal
import time

import psutil

from engine.liveness import is_same_start

GRACE_S = 2.0  # from a polite TERM to KILL
_KILL_WAIT_S = 2.0  # a killed process may still be stuck in the kernel
_POLL_S = 0.02

RUN_MARK = "SIGNOFF_RUN_ID"


async def end_group(pgid: int, grace_s: float = GRACE_S) -> bool:
    """End every process of the group: TERM, then KILL. False when something outlived it."""
    try:
        for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, _KILL_WAIT_S)):
            if not _send(pgid, number) or await _is_empty_within(pgid, patience_s):
                return True
    except asyncio.CancelledError:
        _send(pgid, signal.SIGKILL)
        raise
    return False


async def end_orphan(pgid: int, started: float, run_id: str, grace_s: float = GRACE_S) -> bool:
    """End what is left of a task whose worker died. True when nothing of it runs any more.

    The number may have been given to a stranger since: only a group whose leader
    started then, or whose members carry the run's mark, is touched.
    """
    if not any(_is_ours(process, pgid, started, run_id) for process in members(pgid)):
        return True
    return await end_group(pgid, grace_s)


def members(pgid: int) -> list[psutil.Process]:
    """The living processes of a group; zombies are dead."""
    return [process for pid in psutil.pids() if (process := _member(pid, pgid)) is not None]


def _member(pid: int, pgid: int) -> psutil.Process | None:
    try:
        if os.getpgid(pid) != pgid:
            return None
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (OSError, psutil.Error):
        return None


def _is_ours(process: psutil.Process, pgid: int, started: float, run_id: str) -> bool:
    try:
        if process.pid == pgid:
            return is_same_start(process, started)
        return process.environ().get(RUN_MARK) == run_id
    except psutil.Error:
        return False


def _send(pgid: int, number: signal.Signals) -> bool:
    """False when the group has nobody left."""
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return bool(members(pgid))
    return True


async def _is_empty_within(pgid: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while members(pgid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True
