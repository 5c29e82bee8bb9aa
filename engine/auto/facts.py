"""The values a rule may read: all it reads and no more, and what is recorded of them. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.auto.outcomes import FactRead
from engine.auto.reads import Path
from engine.json_values import is_storable
from engine.model import JsonObject, TaskId
from engine.tasks.redaction import MARK, Redactor, marked_texts, names_a_secret
from engine.templates import NO_VALUE, flatten

_MOST_VALUE = 200  # characters
_MOST_FACTS = 20  # of one rule
_OUTPUTS = "outputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the rules of a checkpoint may read. `marked` are its secret outputs, `task__key`."""

    dag: str
    task: str
    tenant: str
    params: JsonObject
    outputs: Mapping[TaskId, JsonObject] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()

    def names(self) -> dict[str, Any]:
        """The values by the names that rules use."""
        return {
            "params": self.params,
            _OUTPUTS: self.outputs,
            "dag": self.dag,
            "task": self.task,
            "tenant": self.tenant,
        }


def values_for(reads: Sequence[Path], given: Given) -> dict[str, Any]:
    """The values that these paths need, by name; what is not read stays here."""
    every = given.names()
    needed: dict[str, Any] = {
        name: {} if isinstance(value, Mapping) else value for name, value in every.items()
    }
    for path in sorted(reads, key=len, reverse=True):  # a whole table replaces its parts
        _add(needed, every, path)
    return needed


def facts_read(reads: Sequence[Path], given: Given) -> tuple[FactRead, ...]:
    """What these paths read, to be recorded: secrets are marked, and long values cut."""
    secrets = marked_texts(flatten(given.outputs), given.marked)
    redactor = Redactor(secrets)
    every = given.names()
    facts = [
        FactRead(_name(path), _recorded(path, every, given.marked, redactor))
        for path in reads[:_MOST_FACTS]
    ]
    return tuple(sorted(facts, key=lambda fact: fact.name))


def tasks_read(reads: Sequence[Path]) -> set[TaskId]:
    """The tasks whose outputs are read."""
    return {TaskId(path[1]) for path in reads if path[0] == _OUTPUTS and len(path) > 1}


def _name(path: Path) -> str:
    name = ".".join(path)
    return name if is_storable(name) else ascii(name)


def _add(needed: dict[str, Any], every: Mapping[str, Any], path: Path) -> None:
    """Copy what a path leads to, as far as it leads anywhere."""
    source: Any = every
    target: dict[str, Any] = needed
    for key in path[:-1]:
        source = source.get(key)
        if not isinstance(source, Mapping):
            if source is not None:
                target[key] = source
            return
        target = target.setdefault(key, {})
    if path[-1] in source:
        target[path[-1]] = source[path[-1]]


def _recorded(
    path: Path, every: Mapping[str, Any], marked: frozenset[str], redactor: Redactor
) -> str:
    if _is_secret(path, marked):
        return MARK
    value: Any = every
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return NO_VALUE
        value = value[key]
    text = value if isinstance(value, str) else json.dumps(_shown(value), ensure_ascii=False)
    clean = redactor.clean(text)
    return clean if len(clean) <= _MOST_VALUE else f"{clean[: _MOST_VALUE - 1]}…"


def _is_secret(path: Path, marked: frozenset[str]) -> bool:
    """Whether it leads to, or into, what the DAG shows as secret, or what is called like one."""
    if any(names_a_secret(key) for key in path[1:]):
        return True
    if path[0] != _OUTPUTS:
        return False
    named = [("outputs", *name.split("__", 1)) for name in marked]
    return any(_starts(one, path) or _starts(path, one) for one in named)


def _starts(path: Path, other: Path) -> bool:
    return other[: len(path)] == path


def _shown(value: Any) -> Any:
    """A value without what is called like a secret in it."""
    match value:
        case Mapping():
            return {
                key: MARK if names_a_secret(str(key)) else _shown(one) for key, one in value.items()
            }
        case list() | tuple():
            return [_shown(one) for one in value]
        case _:
            return value
