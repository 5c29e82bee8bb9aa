"""What a task sees of its surroundings: an allow-list, its own settings, its inputs."""

import json
import re
from collections.abc import Mapping

from engine.model import JsonObject, RunId, TaskId
from engine.tasks.groups import RUN_MARK

_PASSED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"})
_PASSED_PREFIX = "LC_"
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SMALL = 1024  # bytes of one input as a variable
_ALL_SMALL = 64 * 1024  # bytes of them all: the system bounds arguments and variables together


def passed_on(worker: Mapping[str, str]) -> dict[str, str]:
    """What tasks may see of the worker's variables: an allow-list, so that no secret is there."""
    passed = {
        name: value
        for name, value in worker.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIX)
    }
    return {"PATH": _DEFAULT_PATH, **passed}


def environment(
    passed: Mapping[str, str],
    inputs: JsonObject,
    declared: Mapping[str, str],
    own: Mapping[str, str],
) -> dict[str, str]:
    """The variables of a task. The later arguments win, and no other variable is passed on."""
    return {**passed, **_variables(inputs), **declared, **own}


def own_variables(run_id: RunId, task_id: TaskId, attempt: int) -> dict[str, str]:
    """What a task is told about itself. Whoever takes over knows its processes by the run's id."""
    return {RUN_MARK: run_id, "SIGNOFF_TASK_ID": task_id, "SIGNOFF_ATTEMPT": str(attempt)}


def _variables(inputs: JsonObject) -> dict[str, str]:
    """Small scalars by their names. The input file has everything; these are a convenience."""
    variables: dict[str, str] = {}
    room = _ALL_SMALL
    for name, value in inputs.items():
        text = _as_text(value)
        if text is None or not _NAME.fullmatch(name):
            continue
        size = len(text.encode())
        if size <= _SMALL and size + len(name) <= room:
            variables[name] = text
            room -= size + len(name)
    return variables


def _as_text(value: object) -> str | None:
    match value:
        case None:
            return ""
        case str():
            return None if "\0" in value else value
        case bool() | int() | float():
            return json.dumps(value)
        case _:
            return None
