"""Secrets of a DAG file, which no exported file may repeat."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from engine.dag import Dag, PythonCall, Shell, Task
from engine.tasks.redaction import Redactor, names_a_secret


def looks_secret(value: object) -> bool:
    """Whether a literal value of the file has the look of a secret, or names one within it."""
    match value:
        case str():
            return _has_the_look(value)
        case Mapping():
            return any(is_secret(str(key), item) for key, item in value.items())
        case list() | tuple():
            return any(looks_secret(item) for item in value)
        case _:
            return False


def is_secret(name: str, value: object) -> bool:
    """Whether what goes under this name is a secret: its name says so, or its look."""
    is_named = isinstance(value, str) and bool(value) and names_a_secret(name)
    return is_named or looks_secret(value)


def hidden(dag: Dag, task: Task) -> dict[str, str]:
    """The variables or arguments of a task that are secrets, and under which name to keep each.

    Tasks that are given the same value share it.
    """
    prefix = re.sub(r"[^A-Za-z0-9_.-]", "_", dag.name)
    found = {}
    for name, value in _secrets_of(task).items():
        others = [other[name] for other in map(_secrets_of, dag.tasks) if name in other]
        is_shared = all(other == value for other in others)
        found[name] = f"{prefix}__{name}" if is_shared else f"{prefix}__{task.id}__{name}"
    return found


def _secrets_of(task: Task) -> dict[str, str]:
    match task.work:
        case Shell(env=given):
            values: Mapping[str, Any] = given
        case PythonCall(params=given):
            values = given
        case _:
            return {}
    return {k: v for k, v in values.items() if isinstance(v, str) and is_secret(k, v)}


@lru_cache(maxsize=4096)
def _has_the_look(text: str) -> bool:
    return Redactor().clean(text) != text
