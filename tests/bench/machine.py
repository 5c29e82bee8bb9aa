"""The machine a table was made on: what matters for the figures, and nothing that names it."""

import os
import platform
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.spread import median

_SYNCS = 50


def described() -> str:
    """Cores, memory, Python, system and disk, in one line."""
    memory_gb = psutil.virtual_memory().total / 1e9
    return ", ".join(
        (
            f"{os.cpu_count()} cores ({_processor()})",
            f"{memory_gb:.0f} GB of memory",
            f"Python {platform.python_version()}",
            _system(),
            f"one fsync {_sync_ms():.2f} ms",
        )
    )


def load() -> str:
    """How busy the machine is with anything, over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _sync_ms() -> float:
    """The median time that a small write takes to reach the disk, in the temporary folder."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return median(times)
