"""Python values as the nodes of a DAG file, so that both forms are read by the same rules."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any

from engine.dag import Schedule, Show
from engine.dagfile.problems import Problems
from engine.dagfile.yaml_nodes import MAX_DEPTH, Entries, Items, Node, Scalar
from engine.identity import Principal, Role
from engine.json_values import is_storable
from engine.model import AutoRule, Escalation, InputField, Nudge

_LARGEST_BITS = 64  # far past what JSON carries; longer numbers are costly to write out


def entries(values: Mapping[Any, object], line: int, problems: Problems, depth: int = 0) -> Entries:
    """A mapping whose keys all stand on one line."""
    nodes: dict[str, Node] = {}
    for key, value in values.items():
        if isinstance(key, str) and is_storable(key):
            nodes[key] = node_of(value, line, problems, depth + 1)
        else:
            problems.add(line, f"expected a key of plain text, got {key!r}")
    return Entries(nodes, dict.fromkeys(nodes, line), line)


def node_of(value: object, line: int, problems: Problems, depth: int = 0) -> Node:
    """The node that the loader would have met, had the value been written in YAML."""
    if depth > MAX_DEPTH:
        problems.add(line, f"nested too deeply: expected at most {MAX_DEPTH} levels")
        return Scalar("", line)
    match value:
        case InputField() | Show() | Schedule() | Escalation() | AutoRule():
            return entries(_keys(value), line, problems, depth)
        case Mapping():
            return entries(value, line, problems, depth)
        case str() | PurePath() | Principal() | Role() | date():
            return _text(value, line, problems)
        case Sequence() | AbstractSet():
            items = sorted(value, key=str) if isinstance(value, AbstractSet) else value
            nodes = tuple(node_of(item, line, problems, depth + 1) for item in items)
            return Items(nodes, line)
        case _:
            return Scalar(_plain(value, line, problems), line)


def _keys(field: InputField | Show | Schedule | Escalation | AutoRule) -> Mapping[str, object]:
    match field:
        case Escalation():
            return _said({"to": field.to, "after": field.after})
        case AutoRule():
            return _keys_of_rule(field)
        case Show():
            return {"label": field.label, "from": field.source, "secret": field.secret}
        case Schedule():
            return {"cron": field.cron, "timezone": field.timezone, "catch_up": field.catch_up}
        case InputField():
            return _keys_of_input(field)


def _keys_of_rule(rule: AutoRule) -> Mapping[str, object]:
    raised = _said({"required_role": rule.required_role, "quorum": rule.quorum})
    then = {"then": "approve"} if rule.approves else {}
    return {"when": rule.when, **then, **({"require": raised} if raised else {})}


def _span(value: timedelta | Nudge) -> str:
    match value:
        case timedelta():
            return _seconds(value)
        case Nudge(after=timedelta() as after, before=None):
            return _seconds(after)
        case Nudge(after=None, before=timedelta() as before):
            return f"{_seconds(before)} before"
        case _:
            return repr(value)  # which no reader takes


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():f}"


def _said(keys: Mapping[str, object]) -> Mapping[str, object]:
    return {key: value for key, value in keys.items() if value is not None}


def _keys_of_input(field: InputField) -> Mapping[str, object]:
    optional = {
        "default": field.default,
        "min": field.minimum,
        "max": field.maximum,
        "schema": field.schema,  # of other engines' forms; a DAG file has no such key
    }
    return {
        "name": field.name,
        "type": field.type,
        "description": field.description,
        "required": field.required,
        **_said(optional),
        **({"options": field.options} if field.options else {}),
    }


def _text(value: object, line: int, problems: Problems) -> Scalar:
    text = value.label if isinstance(value, Role) else str(value)
    if not is_storable(text):
        problems.add(line, "a NUL or half a character stands here: expected text")
        text = ""
    return Scalar(text, line, quoted=True)


def _plain(value: object, line: int, problems: Problems) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() <= _LARGEST_BITS:
            return str(value)
        case float():
            return repr(value) if abs(value) < float("inf") else ".nan"
        case timedelta() | Nudge():
            return _span(value)
        case _:
            told = "expected text, a number, true or false, a list or a mapping"
            problems.add(line, f"{told}, got a value of type {type(value).__name__}")
            return ""
