"""What tests of single attempts share."""

import asyncio
from pathlib import Path
from typing import Any

from engine.dag import PythonCall, Shell, Task
from engine.model import JsonObject, RunId, TaskId
from engine.tasks import Attempt, Failed, Note, Outcome, Succeeded, run_attempt


async def note_nothing(_pgid: int, _started: float) -> None:
    """Record no process."""
    await asyncio.sleep(0)


async def run_once(
    folder: Path,
    work: Shell | PythonCall | str | tuple[str, ...],
    inputs: JsonObject | None = None,
    note: Note = note_nothing,
    **more: Any,
) -> Outcome:
    """One attempt in this folder."""
    work = Shell(command=work) if isinstance(work, (str, tuple)) else work
    attempt = Attempt(
        run_id=RunId("run_1"),
        task=Task(id=TaskId("build"), work=work, **more),
        number=1,
        inputs=inputs or {},
        directory=str(folder),
        python=None,
        logs_dir=folder / "logs",
        scratch_dir=folder / "scratch",
    )
    return await run_attempt(attempt, note)


def output(outcome: Outcome) -> JsonObject:
    """What an attempt that succeeded left."""
    assert isinstance(outcome, Succeeded), outcome
    return outcome.output


def error(outcome: Outcome) -> str:
    """Why an attempt failed."""
    assert isinstance(outcome, Failed), outcome
    return outcome.error
