"""Commands: each attempt a process group of its own, its inputs and outputs in files."""

import asyncio
import json
import shutil
import signal
from pathlib import Path
from typing import Self

from engine.dag import Shell
from engine.tasks.attempt import Attempt, Failed, Outcome, Succeeded, timed_out
from engine.tasks.environment import environment, own_variables
from engine.tasks.logs import BoundedLog
from engine.tasks.output import BadOutput, read_output
from engine.tasks.process import GatedProcess, spawn

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as the shell says it


class ReadyCommand:
    """A command behind its gate."""

    def __init__(self, attempt: Attempt, process: GatedProcess, log: BoundedLog) -> None:
        self._attempt = attempt
        self._process = process
        self._log = log
        self.pgid = process.pgid
        self.started = process.started

    @classmethod
    async def prepare(cls, attempt: Attempt, command: Shell) -> Self:
        """Hand over its inputs and start it behind a gate.

        Raises `OSError` or `ValueError` when it cannot be started.
        """
        await asyncio.to_thread(_hand_over, attempt)
        log = BoundedLog(attempt.log_path, attempt.secrets)
        try:
            process = await spawn(
                _argv(command), cwd=_cwd(attempt, command), env=_env(attempt, command), log=log
            )
        except BaseException:
            log.finish()
            await asyncio.to_thread(_clear, attempt)
            raise
        return cls(attempt, process, log)

    async def run(self) -> Outcome:
        """Say the word, and wait for its end. Cancelling ends its whole group first."""
        try:
            self._process.go()
            status = await self._process.wait(self._attempt.timeout_s)
        finally:
            # Nothing of an attempt outlives it: what it left running could meet the next one.
            tail = await self._end()
        try:
            return await asyncio.to_thread(_outcome, self._attempt, status, tail)
        finally:
            await asyncio.to_thread(_clear, self._attempt)

    async def drop(self) -> None:
        """Never run it."""
        await self._end()
        await asyncio.to_thread(_clear, self._attempt)

    async def _end(self) -> str:
        try:
            await self._process.end()
        finally:
            tail = self._log.finish()
        return tail


def _hand_over(attempt: Attempt) -> None:
    shutil.rmtree(attempt.folder, ignore_errors=True)
    attempt.folder.mkdir(mode=0o700, parents=True)
    _input(attempt).write_text(json.dumps(dict(attempt.inputs)), encoding="utf-8")


def _clear(attempt: Attempt) -> None:
    shutil.rmtree(attempt.folder, ignore_errors=True)


def _argv(command: Shell) -> tuple[str, ...]:
    if isinstance(command.command, str):
        return ("/bin/sh", "-c", command.command)
    return tuple(command.command)


def _cwd(attempt: Attempt, command: Shell) -> str:
    return str(Path(attempt.directory) / (command.cwd or ""))


def _env(attempt: Attempt, command: Shell) -> dict[str, str]:
    files = {"SIGNOFF_INPUT": str(_input(attempt)), "SIGNOFF_OUTPUT": str(_output(attempt))}
    own = own_variables(attempt.run_id, attempt.task.id, attempt.number) | files
    return environment(attempt.passed, attempt.inputs, declared=command.env, own=own)


def _outcome(attempt: Attempt, status: int | None, tail: str) -> Outcome:
    if status is None:
        return Failed(timed_out(attempt.timeout_s), tail)
    if status != 0:
        return Failed(ended_with(status), tail)
    try:
        return Succeeded(read_output(_output(attempt)) or {}, tail)
    except BadOutput as refusal:
        return Failed(str(refusal), tail)


def ended_with(status: int) -> str:
    """How a process ended, from its exit status; negative for a signal."""
    if status == _NOT_FOUND:
        return f"ended with exit status {status}: a command was not found"
    if status == _NOT_EXECUTABLE:
        return f"ended with exit status {status}: a command is not executable"
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _input(attempt: Attempt) -> Path:
    return attempt.folder / "input.json"


def _output(attempt: Attempt) -> Path:
    return attempt.folder / "output.json"
