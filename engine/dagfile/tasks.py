"""One task of the file: what it does, after what, and how often it is tried."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from engine.dag import Gate, OnInterrupt, PythonCall, Shell, Task
from engine.dagfile.fields import (
    Fields,
    MisreadError,
    any_text,
    duration,
    each,
    each_value,
    is_nothing,
    mapping,
    matching,
    one_of,
    pause,
    text,
    unexpected,
    whole,
)
from engine.dagfile.gates import (
    GATE_KEYS,
    Reference,
    gate_references,
    read_gate,
)
from engine.dagfile.literals import literal
from engine.dagfile.problems import Problems, did_you_mean
from engine.dagfile.yaml_nodes import Entries, Items, Node
from engine.errors import Problem
from engine.model import OPEN_TASK_STATES, JsonObject, Policy, TaskId, TaskState
from engine.templates import PARAMS

MAX_ID = 64
MAX_RETRIES = 100


class Kind(StrEnum):
    """What a task is."""

    SHELL = "shell"
    PYTHON = "python"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Draft:
    """A task as it was read, with the lines that the checks of the graph point to."""

    task: Task
    kind: Kind | None  # None: the file does not say, or contradicts itself
    line: int
    parent_lines: Mapping[TaskId, int]
    when_lines: Mapping[TaskId, int]
    references: tuple[Reference, ...] = ()


_KINDS = {
    "shell": Kind.SHELL,
    "python": Kind.PYTHON,
    "workflow": Kind.PYTHON,  # as older files write it
    "checkpoint": Kind.CHECKPOINT,
}
_MAIN_KEYS = {Kind.SHELL: "run", Kind.PYTHON: "workflow_ref"}
# Older files may say `retries` of any task; for a checkpoint it means nothing.
_EVERY_KEYS = ("id", "type", "depends_on", "when", "retries")
_TRIED_KEYS = ("retry_delay", "timeout", "on_interrupt")
_KEYS = {
    Kind.SHELL: (*_EVERY_KEYS, *_TRIED_KEYS, "run", "env", "cwd"),
    Kind.PYTHON: (*_EVERY_KEYS, *_TRIED_KEYS, "workflow_ref", "params"),
    Kind.CHECKPOINT: (*_EVERY_KEYS, *GATE_KEYS),
}
_ALL_KEYS = tuple(dict.fromkeys(key for keys in _KEYS.values() for key in keys))

_ID = re.compile(rf"(?!.*__)(?!.*_$)[A-Za-z0-9_]{{1,{MAX_ID}}}")
_REF = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OUTCOMES = {state.value: state for state in TaskState if state not in OPEN_TASK_STATES}
_ON_INTERRUPT = {choice.value: choice for choice in OnInterrupt}


def read_task(node: Entries, position: int, base: Policy, problems: Problems) -> Draft:
    """Read a task, with defaults where it is wrong: whoever asks looks at the problems first.

    What a checkpoint's policy does not say is as in `base`.
    """
    nameless = Fields(node, f"task number {position}", problems)
    written = nameless.need("id", _lenient_id, "")
    fields = Fields(node, f"task {written!r}" if written else nameless.where, problems)
    fields.get("id", _id, "")
    kind = _kind(fields)
    _check_keys(fields, kind)
    parents: Mapping[TaskId, int] = fields.get("depends_on", _parents, {})
    when, when_lines = fields.get("when", _when, _NO_WHEN)
    work = _work(fields, kind, written, base)
    task = Task(
        id=TaskId(written),
        work=work,
        depends_on=tuple(dict.fromkeys((*parents, *when))),
        when=when,
        retries=fields.get("retries", whole(0, MAX_RETRIES), 0),
        retry_delay=fields.get("retry_delay", pause, timedelta(seconds=1)),
        timeout=fields.get("timeout", duration, None),
        on_interrupt=fields.get("on_interrupt", one_of(_ON_INTERRUPT), OnInterrupt.FAIL),
    )
    named = tuple(gate_references(fields, work)) if isinstance(work, Gate) else ()
    return Draft(task, kind, node.line, {**when_lines, **parents}, when_lines, named)


def _lenient_id(node: Node) -> str:
    # A misspelt id still names its task, so that what depends on it is not unknown too.
    return any_text(node) if not isinstance(node, (Items, Entries)) and not is_nothing(node) else ""


_well_formed_id = matching(_ID, f"letters, digits and single _ between them, at most {MAX_ID}")


def _id(node: Node) -> str:
    task_id = _well_formed_id(node)
    if task_id == PARAMS:
        raise MisreadError(Problem("this is what a run's parameters are called", node.line))
    return task_id


def _kind(fields: Fields) -> Kind | None:
    declared = fields.get("type", one_of(_KINDS), None)
    if "type" in fields and declared is None:
        return None
    given = [kind for kind, key in _MAIN_KEYS.items() if key in fields]
    if declared is Kind.CHECKPOINT:
        given.append(declared)
    match given:
        case [kind] if declared in (None, kind):
            return kind
        case [kind]:
            fields.wrong("type", f"{declared!s} does not agree with {_MAIN_KEYS[kind]!r}")
        case []:
            fields.problems.add(fields.line, f"{fields.where} does nothing: {_missing(declared)}")
        case _:
            told = f"{fields.where} is more than one thing: {_EXPECTED_KIND}"
            fields.problems.add(fields.line, told)
    return None


_EXPECTED_KIND = "expected exactly one of 'run', 'workflow_ref' and 'type: checkpoint'"


def _missing(declared: Kind | None) -> str:
    return _EXPECTED_KIND if declared is None else f"it needs {_MAIN_KEYS[declared]!r}"


def _check_keys(fields: Fields, kind: Kind | None) -> None:
    if kind is None:
        fields.refuse_unknown(_ALL_KEYS)
        return
    for key in fields.unknown(_KEYS[kind]):
        if key in _ALL_KEYS:
            message = f"key {key!r} does not belong to {fields.where}, a {kind} task"
            if kind is Kind.CHECKPOINT and key == "timeout":
                message += "; its deadline is 'expires_in'"
        else:
            message = f"unknown key {key!r} in {fields.where}{did_you_mean(key, _KEYS[kind])}"
        fields.problems.add(fields.line_of(key), message)


def _work(
    fields: Fields, kind: Kind | None, task_id: str, base: Policy
) -> Shell | PythonCall | Gate:
    match kind:
        case Kind.CHECKPOINT:
            return read_gate(fields, task_id, base)
        case Kind.PYTHON:
            ref = fields.need("workflow_ref", _ref, "")
            return PythonCall(ref=ref, params=fields.get("params", _params, {}))
        case Kind.SHELL | None:
            return Shell(
                command=fields.get("run", _command, _NO_COMMAND),
                env=fields.get("env", _env, {}),
                cwd=fields.get("cwd", text, None),
            )


_NO_COMMAND: str | tuple[str, ...] = ""
_ref = matching(_REF, "package.module:function")


def _params(node: Node) -> JsonObject:
    return {} if is_nothing(node) else each_value(node, literal)


def _command(node: Node) -> str | tuple[str, ...]:
    if not isinstance(node, Items):
        return text(node)
    arguments = each(node, any_text)
    if not arguments or not arguments[0].strip():
        raise unexpected(node, "a command, or a list that starts with a program")
    return arguments


def _env(node: Node) -> Mapping[str, str]:
    for name in mapping(node).nodes:
        if not _VARIABLE.fullmatch(name):
            raise unexpected(node, f"names of letters, digits and _ (not {name!r})")
    return each_value(node, any_text)


def _parents(node: Node) -> Mapping[TaskId, int]:
    if is_nothing(node):
        return {}
    nodes = node.nodes if isinstance(node, Items) else (node,)
    names = each(Items(nodes, node.line), any_text)
    lines: dict[TaskId, int] = {}
    for name, item in zip(names, nodes, strict=True):
        lines.setdefault(TaskId(name), item.line)
    return lines


When = Mapping[TaskId, frozenset[TaskState]]
_NO_WHEN: tuple[When, Mapping[TaskId, int]] = ({}, {})


def _when(node: Node) -> tuple[When, Mapping[TaskId, int]]:
    outcomes = each_value(node, _outcomes)
    lines = mapping(node).key_lines
    return (
        {TaskId(parent): states for parent, states in outcomes.items()},
        {TaskId(parent): lines[parent] for parent in outcomes},
    )


def _outcomes(node: Node) -> frozenset[TaskState]:
    outcome = one_of(_OUTCOMES)
    if not isinstance(node, Items):
        return frozenset({outcome(node)})
    if not node.nodes:
        raise unexpected(node, "at least one outcome")
    return frozenset(each(node, outcome))
