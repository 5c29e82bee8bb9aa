"""One measuring process: started in an empty folder, bounded in time, ended with all it started."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.telling import Reading, heard

ROOT = Path(__file__).parents[2]

_NOT_PASSED = ("SIGNOFF_", "SLACK_", "DBOS_", "PREFECT_", "DAGSTER_", "LUIGI_", "PYTHON")


@dataclass(frozen=True, slots=True)
class Told:
    """What a process measured; `trouble` says why there is nothing, or not all."""

    readings: tuple[Reading, ...]
    trouble: str = ""


def measure(
    python: Path, script: tuple[str, str], sizes: Mapping[str, Any], limit_s: float
) -> Told:
    """Run a script of `tests.bench` in an interpreter and hear what it tells."""
    module, name = script
    command = (str(python), "-m", f"tests.bench.{module}", name, json.dumps(dict(sizes)))
    with tempfile.TemporaryDirectory(prefix="signoff-bench-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, trouble = process.communicate(timeout=limit_s)[0], ""
        except subprocess.TimeoutExpired:
            _end_group(process)
            said, trouble = process.communicate()[0], f"it took longer than {limit_s:.0f} s"
        finally:
            _end_group(process)
    readings = tuple(heard(said))
    if not trouble and (process.returncode or not readings):
        ended = f"it ended with {process.returncode} and told nothing"
        trouble = _last_line(said.replace(folder, "FOLDER")) or ended
    return Told(readings, trouble)


def _environment(folder: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED)}
    home = {"HOME": folder, "DO_NOT_TRACK": "1"}  # nothing of a user's own settings
    return {**kept, **home, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}


def _end_group(process: "subprocess.Popen[str]") -> None:
    """End what the script started and left: the group is its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
