"""What tests of single attempts share."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from engine.dag import Dag, PythonCall, Shell, Task
from engine.model import JsonObject, RunId, TaskId
from engine.tasks import Attempt, Failed, Outcome, Succeeded, Workshop, passed_on


def attempt_of(
    folder: Path,
    work: Shell | PythonCall | str | tuple[str, ...],
    inputs: JsonObject | None = None,
    secrets: Collection[str] = (),
    **more: Any,
) -> Attempt:
    """A first attempt in this folder."""
    work = Shell(command=work) if isinstance(work, (str, tuple)) else work
    return Attempt(
        run_id=RunId("run_1"),
        task=Task(id=TaskId("build"), work=work, **more),
        number=1,
        inputs=inputs or {},
        directory=str(folder),
        python=None,
        passed=passed_on(os.environ),
        secrets=secrets,
        logs_dir=folder / "logs",
        scratch_dir=folder / "scratch",
    )


async def run_once(
    folder: Path,
    work: Shell | PythonCall | str | tuple[str, ...],
    inputs: JsonObject | None = None,
    secrets: Collection[str] = (),
    **more: Any,
) -> Outcome:
    """One attempt in this folder, made ready and run."""
    attempt = attempt_of(folder, work, inputs, secrets, **more)
    workshop = Workshop(Dag(name="demo", tasks=(attempt.task,), directory=str(folder)))
    try:
        ready = await workshop.prepare(attempt)
        return await ready.run()
    finally:
        await workshop.close()


def output(outcome: Outcome) -> JsonObject:
    """What an attempt that succeeded left."""
    assert isinstance(outcome, Succeeded), outcome
    return outcome.output


def error(outcome: Outcome) -> str:
    """Why an attempt failed."""
    assert isinstance(outcome, Failed), outcome
    return outcome.error
