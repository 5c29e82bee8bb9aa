"""Which processes are still there. A pid alone proves nothing: it is used again."""

import os
from functools import cache
from pathlib import Path

import psutil

_TOLERANCE_S = 0.05  # a start is written down with two digits, and counted in hundredths
_PROC = Path("/proc")
_START = 19  # where /proc/PID/stat has the start, counted from after the command's name


def this_process() -> tuple[int, float]:
    """The pid and the start (as `start_of` tells it) of the calling process."""
    pid = os.getpid()
    return pid, start_of(pid)


def start_of(pid: int) -> float:
    """When a process started, in seconds since a moment that each boot draws by lot.

    Not the time of day: the system derives that from when it booted, which moves with
    every step of its clock, and whoever lives would look dead. Raises `psutil.NoSuchProcess`.
    """
    boot = _this_boot()
    if boot is None:
        return psutil.Process(pid).create_time()
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    ticks = int(stat.rpartition(")")[2].split()[_START])
    return boot + ticks / os.sysconf("SC_CLK_TCK")


@cache
def _this_boot() -> float | None:
    """A number that no other boot has; None on systems that write a start down as it happens."""
    try:
        drawn = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    return float(int(drawn[:8], 16))


def is_alive(pid: int, started: float) -> bool:
    """Whether the process with this pid and start still runs on this machine."""
    try:
        process = psutil.Process(pid)
        return is_same_start(process, started) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_same_start(process: psutil.Process, started: float) -> bool:
    """Whether this process is the one that started then. Raises `psutil.NoSuchProcess`."""
    return abs(start_of(process.pid) - started) < _TOLERANCE_S


def holder_name(host: str) -> str:
    """How the calling process signs a lease: `host:pid:start`."""
    pid, started = this_process()
    return f"{host}:{pid}:{started:.2f}"


def is_dead_holder(holder: str, host: str) -> bool:
    """Whether a lease was signed on this host, by a process that is no more."""
    signed = _process_of(holder, host)
    return signed is not None and not is_alive(*signed)


def is_live_holder(holder: str, host: str) -> bool:
    """Whether a lease was signed on this host, by a process that still runs."""
    signed = _process_of(holder, host)
    return signed is not None and is_alive(*signed)


def _process_of(holder: str, host: str) -> tuple[int, float] | None:
    match holder.rsplit(":", 2):
        case [where, pid, started] if where == host and pid.isdecimal():
            return int(pid), float(started)
        case _:
            return None
