"""Waiting for the file that a task writes when it starts. Standard library only."""

import time
from pathlib import Path

_LOOK_S = 0.005


def started_at(file: Path, within_s: float = 60) -> float:
    """When the task started, in seconds since the epoch. Raises `TimeoutError`."""
    deadline = time.monotonic() + within_s
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no task started within {within_s:.0f} s of the answer")
        time.sleep(_LOOK_S)
    return float(file.read_text())
