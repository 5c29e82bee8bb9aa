"""Upstream values by name: how outputs are called, and how a prompt quotes them."""

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.model import JsonObject, TaskId

NO_VALUE = "(no value)"

PARAMS = TaskId("params")
"""What a run's parameters are quoted under, as if a task had put them out; no task's id."""

_BRACES = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")


def flatten(outputs: Mapping[TaskId, JsonObject]) -> dict[str, Any]:
    """Gather every output of every task, named `{task_id}__{key}`."""
    return {
        f"{task_id}__{key}": value
        for task_id, output in outputs.items()
        for key, value in output.items()
    }


def split_reference(name: str) -> tuple[TaskId, str] | None:
    """Find the task and the key that `task__key` names; None when it names no output."""
    # Task ids hold no double underscore and end with none, so the first one is the seam.
    task_id, _, key = name.partition("__")
    return (TaskId(task_id), key) if task_id and key else None


def render(template: str, values: Mapping[str, object]) -> str:
    """Replace each `{{ task__key }}`, once: what a value says is never a template itself."""

    def quote(match: re.Match[str]) -> str:
        name = match[1]
        if split_reference(name) is None:
            return match[0]
        return _as_text(values[name]) if name in values else NO_VALUE

    return _BRACES.sub(quote, template)


def references(template: str) -> tuple[str, ...]:
    """List the names a template quotes, each once, in the order they first appear."""
    names = (match[1] for match in _BRACES.finditer(template))
    return tuple(dict.fromkeys(name for name in names if split_reference(name)))


def strays(template: str) -> bool:
    """Tell whether braces are left that quote nothing, and would be shown as they stand."""
    return "{{" in render(template, {})


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
