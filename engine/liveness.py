"""Which processes are still there. A pid alone proves nothing: it is used again."""

import os

import psutil

# The start time is derived from the machine's boot time, which moves a little when its clock does.
_TOLERANCE_S = 2.0


def this_process() -> tuple[int, float]:
    """The pid and the start time (seconds since the epoch) of the calling process."""
    return os.getpid(), psutil.Process().create_time()


def is_alive(pid: int, started: float) -> bool:
    """Whether the process with this pid and start time still runs on this machine."""
    try:
        process = psutil.Process(pid)
        return is_same_start(process, started) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_same_start(process: psutil.Process, started: float) -> bool:
    """Whether this process is the one that started then. Raises `psutil.NoSuchProcess`."""
    return abs(process.create_time() - started) < _TOLERANCE_S


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
