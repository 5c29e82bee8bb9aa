"""One attempt of a task: what to run and with what, and what can become of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.dag import Task
from engine.model import JsonObject, RunId
from engine.tasks.logs import log_path

ERROR_LIMIT = 1_000  # characters


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
    passed: Mapping[str, str]  # what it may see of the worker's environment
    secrets: Collection[str]  # what must not be read in its log, nor in an error
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

    @property
    def timeout_s(self) -> float | None:
        """How long it may take, in seconds."""
        timeout = self.task.timeout
        return None if timeout is None else timeout.total_seconds()


class Ready(Protocol):
    """An attempt that waits for the word, in a process that can be recorded before."""

    @property
    def pgid(self) -> int | None:
        """The process group it will run in; None when it will run in none."""
        ...

    @property
    def started(self) -> float | None:
        """When the leader of that group started, in seconds since the epoch."""
        ...

    async def run(self) -> Outcome:
        """Say the word, and wait for its end. Cancelling ends everything it started first."""
        ...

    async def drop(self) -> None:
        """Never run it."""
        ...


@dataclass(frozen=True, slots=True)
class Unstartable:
    """An attempt that fails as soon as it may."""

    why: str
    pgid: None = None
    started: None = None

    async def run(self) -> Outcome:
        """Fail."""
        return Failed(self.why, "")

    async def drop(self) -> None:
        """Nothing was made ready."""


def timed_out(seconds: float | None) -> str:
    """The word on an attempt that took too long."""
    return f"timed out after {seconds or 0:g} s and was ended"
