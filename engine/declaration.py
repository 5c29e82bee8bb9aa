"""Declaring a DAG in Python: the keys, the checks and the value of a DAG file.

    from engine import checkpoint, declare, shell

    build = shell("build", "make release")
    approve = checkpoint("approve", depends_on=build, prompt="Release it?")
    publish = shell("publish", "make publish", depends_on=approve)
    release = declare("release", build, approve, publish)

The keys are those of the DAG file, with the same defaults. What is left out or `None` is the
default. Durations are a `timedelta`, seconds, or text such as `"1h30m"`.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from engine.dag import Dag, Schedule, Show
from engine.dagfile import Defaults, read
from engine.dagfile.problems import Problems
from engine.dagfile.values import entries, node_of
from engine.dagfile.yaml_nodes import Entries, Items, Node
from engine.identity import Principal, Role
from engine.model import (
    AutoRule,
    Confirm,
    Escalation,
    InputField,
    Nudge,
    OnExpire,
    ReasonRule,
    TaskState,
)

Duration = timedelta | float | str
Outcome = TaskState | Literal["succeeded", "failed", "skipped", "approved", "rejected", "expired"]


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A task to be, for `declare`, and for the `depends_on` of others."""

    id: str
    keys: Mapping[str, object]
    source: str
    line: int


After = str | Declared | Sequence[str | Declared]


class EveryTask(TypedDict, total=False):
    """Keys of every task."""

    depends_on: After
    when: Mapping[str, Outcome | Collection[Outcome]] | None


class Tried(EveryTask, total=False):
    """Keys of commands and functions."""

    retries: int | None
    retry_delay: Duration | None
    timeout: Duration | None
    on_interrupt: Literal["fail", "retry"] | None


class ShellKeys(Tried, total=False):
    """Keys of a command."""

    env: Mapping[str, str] | None
    cwd: str | Path | None


class PythonKeys(Tried, total=False):
    """Keys of a function. `params` are its keyword arguments, as JSON values."""

    params: Mapping[str, Any] | None


class CheckpointKeys(EveryTask, total=False):
    """Keys of a checkpoint."""

    prompt: str | None
    required_role: Role | Literal["Operator", "Admin"] | None
    approvers: Sequence[str | Principal] | None
    quorum: int | None
    reject_quorum: int | None
    self_approval: bool | None
    reason: ReasonRule | str | Mapping[str, ReasonRule | str] | None
    inputs: Sequence[InputField] | None
    show: Sequence[str | Show] | None
    expires_in: Duration | None
    on_expire: OnExpire | Literal["fail", "reject", "escalate"] | None
    confirm: Confirm | Literal["modal", "dialog"] | None
    notify: Sequence[str | Principal] | None
    remind: Literal["none"] | Sequence[Nudge | Duration] | None
    escalate: Escalation | Mapping[str, Any] | None
    auto: Sequence[AutoRule | Mapping[str, Any]] | None
    channel: str | None


class DagKeys(TypedDict, total=False):
    """Keys of the DAG. `params` declares what a run of it is given."""

    tenant_id: str | None
    params: Sequence[InputField] | None
    python: str | Path | None
    schedule: str | Schedule | Mapping[str, str] | None
    timeout: Duration | None
    max_parallel: int | None


def shell(task_id: str, run: str | Sequence[str], **keys: Unpack[ShellKeys]) -> Declared:
    """Declare a command: text for `/bin/sh -c`, or a list that is run as it is."""
    return _declared(task_id, {"run": run, **keys})


def python(task_id: str, workflow_ref: str, **keys: Unpack[PythonKeys]) -> Declared:
    """Declare a call of `package.module:function`, importable from the DAG's folder."""
    return _declared(task_id, {"workflow_ref": workflow_ref, **keys})


def checkpoint(task_id: str, **keys: Unpack[CheckpointKeys]) -> Declared:
    """Declare a place where the run waits for people."""
    return _declared(task_id, {"type": "checkpoint", **keys})


def declare(
    name: str,
    *tasks: Declared,
    directory: str | Path | None = None,
    defaults: Defaults | None = None,
    **keys: Unpack[DagKeys],
) -> Dag:
    """Make the DAG of these tasks. Commands run in `directory`: by default the caller's folder.

    Raises `InvalidDag` with every problem, each with the line it was declared on.
    """
    source, line = _place(2)

    def compose(problems: Problems) -> Node:
        every = tuple(_task(task, source, line, problems) for task in tasks)
        root = entries(_given({"name": name, **keys}), line, problems)
        return Entries(
            {**root.nodes, "tasks": Items(every, line)}, {**root.key_lines, "tasks": line}, line
        )

    folder = _folder_of(source) if directory is None else directory
    return read(compose, source=source, directory=str(folder), defaults=defaults or Defaults())


def _declared(task_id: str, keys: Mapping[str, object]) -> Declared:
    return Declared(task_id, _given({"id": task_id, **keys}), *_place(3))


def _given(keys: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in keys.items() if value is not None}


def _task(task: object, source: str, line: int, problems: Problems) -> Node:
    if not isinstance(task, Declared):
        return node_of(task, line, problems)
    own = task.line if task.source == source else line
    keys = dict(task.keys)
    if "depends_on" in keys:
        keys["depends_on"] = _ids(keys["depends_on"])
    return entries(keys, own, problems)


def _ids(after: object) -> object:
    match after:
        case Declared():
            return after.id
        case list() | tuple():
            return [item.id if isinstance(item, Declared) else item for item in after]
        case _:
            return after


def _place(above: int) -> tuple[str, int]:
    """The file and the line of whoever called, so many calls up."""
    frame = sys._getframe(above)  # noqa: SLF001 (`inspect` would read the sources of every frame)
    return frame.f_code.co_filename, frame.f_lineno


def _folder_of(source: str) -> Path:
    """The folder of a source file; the current one for what was typed at a prompt."""
    path = Path(source)
    return path.parent if path.is_file() else Path.cwd()
