"""One attempt of a task, from its inputs to what became of it."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from engine.dag import PythonCall, Shell, Task
from engine.model import JsonObject, RunId
from engine.tasks.callables import call_request, host_command
from engine.tasks.environment import environment
from engine.tasks.groups import RUN_MARK
from engine.tasks.logs import BoundedLog, log_path
from engine.tasks.output import BadOutput, read_output
from engine.tasks.process import spawn

_ERROR_LIMIT = 1_000  # characters

Note = Callable[[int, float], Awaitable[None]]
"""Records a process group and its start time. The command runs only once this returned."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt ended well."""

    output: JsonObject
    log_tail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt did not end well."""

    error: str
    log_tail: str


Outcome = Succeeded | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What to run, with what, and where to leave what it prints."""

    run_id: RunId
    task: Task
    number: int  # 1-based
    inputs: JsonObject  # as `task__key`
    directory: str  # the DAG's, absolute
    python: str | None
    logs_dir: Path
    scratch_dir: Path

    @property
    def log_path(self) -> Path:
        """Where the output of the process goes."""
        return log_path(self.logs_dir, self.run_id, self.task.id, self.number)

    @property
    def folder(self) -> Path:
        """Where inputs and outputs are handed over; gone when the attempt has ended."""
        return self.scratch_dir / self.run_id / f"{self.task.id}.{self.number}"


async def run_attempt(attempt: Attempt, note: Note) -> Outcome:
    """Run it to its end. Cancelling ends its whole process group first."""
    try:
        log = await asyncio.to_thread(_prepare, attempt)
    except OSError as error:
        return Failed(f"could not be prepared: {error}", "")
    try:
        return await _run(attempt, note, log)
    finally:
        log.close()
        await asyncio.to_thread(shutil.rmtree, attempt.folder, ignore_errors=True)


async def _run(attempt: Attempt, note: Note, log: BoundedLog) -> Outcome:
    try:
        process = await spawn(
            _command(attempt), cwd=_cwd(attempt), env=_environment(attempt), log=log
        )
    except (OSError, ValueError) as error:
        return Failed(f"could not be started: {error}", "")
    timeout = attempt.task.timeout
    try:
        await note(process.pgid, process.started)
        process.go()
        status = await process.wait(None if timeout is None else timeout.total_seconds())
    finally:
        # Nothing of an attempt outlives it: what it left running could meet the next one.
        await process.end()
    return await asyncio.to_thread(_outcome, attempt, status, log.tail)


def _prepare(attempt: Attempt) -> BoundedLog:
    shutil.rmtree(attempt.folder, ignore_errors=True)
    attempt.folder.mkdir(mode=0o700, parents=True)
    _input(attempt).write_text(json.dumps(dict(attempt.inputs)), encoding="utf-8")
    work = attempt.task.work
    if isinstance(work, PythonCall):
        request = call_request(
            work,
            attempt.inputs,
            directory=attempt.directory,
            output=_output(attempt),
            error=_error(attempt),
        )
        _request(attempt).write_text(request, encoding="utf-8")
    return BoundedLog(attempt.log_path)


def _command(attempt: Attempt) -> tuple[str, ...]:
    match attempt.task.work:
        case Shell(command=str() as command):
            return ("/bin/sh", "-c", command)
        case Shell(command=arguments):
            return tuple(arguments)
        case PythonCall():
            return host_command(attempt.python, _request(attempt))
        case _:
            raise ValueError("a checkpoint is decided, not run")


def _cwd(attempt: Attempt) -> str:
    work = attempt.task.work
    own = work.cwd if isinstance(work, Shell) and work.cwd else ""
    return str(Path(attempt.directory) / own)


def _environment(attempt: Attempt) -> dict[str, str]:
    work = attempt.task.work
    return environment(
        os.environ,
        attempt.inputs,
        declared=work.env if isinstance(work, Shell) else {},
        own={
            RUN_MARK: attempt.run_id,
            "SIGNOFF_TASK_ID": attempt.task.id,
            "SIGNOFF_ATTEMPT": str(attempt.number),
            "SIGNOFF_INPUT": str(_input(attempt)),
            "SIGNOFF_OUTPUT": str(_output(attempt)),
        },
    )


def _outcome(attempt: Attempt, status: int | None, tail: str) -> Outcome:
    if status is None:
        span = attempt.task.timeout
        seconds = span.total_seconds() if span is not None else 0
        return Failed(f"timed out after {seconds:g} s and was ended", tail)
    if status != 0:
        return Failed(_said(attempt) or _ended_with(status), tail)
    try:
        output = read_output(_output(attempt))
    except BadOutput as refusal:
        return Failed(str(refusal), tail)
    if output is None and isinstance(attempt.task.work, PythonCall):
        return Failed("the process ended before the function returned", tail)
    return Succeeded(output or {}, tail)


def _said(attempt: Attempt) -> str:
    """What the task host left of an exception."""
    try:
        text = _error(attempt).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text[:_ERROR_LIMIT].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _ended_with(status: int) -> str:
    if status > 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _input(attempt: Attempt) -> Path:
    return attempt.folder / "input.json"


def _output(attempt: Attempt) -> Path:
    return attempt.folder / "output.json"


def _error(attempt: Attempt) -> Path:
    return attempt.folder / "error.txt"


def _request(attempt: Attempt) -> Path:
    return attempt.folder / "request.json"
