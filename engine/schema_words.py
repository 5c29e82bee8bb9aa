"""What a JSON Schema asks for, in words. Pure, and without the library that checks it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

from engine.model import InputField, InputType, JsonObject

UNCHECKABLE: JsonObject = {"not": {}}
"""The schema of a field whose own one cannot be used: no value meets it."""

CANNOT_CHECK = "has a form that Signoff cannot check: answer it on the page of the engine"
TOO_LONG = "takes too long to check here: answer it on the page of the engine"

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MANY = {
    "string": "texts",
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true or false",
    "array": "lists",
    "object": "objects",
}
_FORMATS = {
    "date": "a date written YYYY-MM-DD",
    "time": "a time with its zone, such as 14:02:00Z",
    "date-time": "a date and time with its zone, such as 2026-01-31T14:02:00Z",
    "email": "an e-mail address",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "uuid": "a UUID",
}
_MOST_NAMED = 10
_MOST_QUOTED = 100
_MOST_HOPS = 4


class Broken(Protocol):
    """The rule that a value breaks, as the library tells it."""

    validator: Any  # the keyword
    validator_value: Any
    instance: Any

    @property
    def absolute_path(self) -> Iterable[str | int]:
        """Where in the value."""

    @property
    def absolute_schema_path(self) -> Iterable[str | int]:
        """Where in the schema."""


def is_whole(field: InputField) -> bool:
    """Whether a number must be a whole one."""
    return field.schema is not None and field.schema.get("type") == "integer"


def is_fillable(field: InputField) -> bool:
    """Whether a value can be given at all; if not, only its engine's own page can take one."""
    return field.schema != UNCHECKABLE


def counts(field: InputField) -> bool:
    """Whether the options of a choice mean numbers, though they are shown as texts."""
    options = listed(field.schema or {})
    return field.type is InputType.CHOICE and bool(options) and are_numbers(options)


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether each is a number; true and false are none."""
    return all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in values)


def listed(schema: JsonObject) -> list[Any]:
    """The values that a schema names one by one; none where it does not."""
    match schema:
        case {"enum": list(options)}:
            return options
        case {"const": only}:
            return [only]
        case {"oneOf": list(ways)} | {"anyOf": list(ways)}:
            named = [way["const"] for way in ways if isinstance(way, Mapping) and "const" in way]
            return named if len(named) == len(ways) else []
        case _:
            return []


def expected(field: InputField) -> str:
    """What a JSON field wants, in a few words: `a list of numbers`."""
    if field.type is not InputType.JSON or not is_fillable(field):
        return ""
    schema = field.schema or {}
    return _wanted(schema, schema)


def broken_rule(broken: Broken) -> str:
    """The rule in words, as the end of a sentence that starts with the field's name."""
    if "propertyNames" in broken.absolute_schema_path:
        return f"must not have the key {_quoted(broken.instance)}"
    path = list(broken.absolute_path)
    if broken.validator is None:  # the schema `false`: nothing may stand here
        return f"must not have {_place(path)}" if path else "must be left empty"
    said = _rule(broken.validator, broken.validator_value, broken.instance)
    return f"(at {_place(path)}) {said}" if path else said


def _rule(keyword: str, wanted: Any, value: Any) -> str:
    if (said := _LIMITS.get(keyword)) is not None:
        return said.format(_quoted(wanted))
    match keyword:
        case "type":
            return f"must be {_of_types(wanted)}"
        case "enum":
            return f"must be one of: {_named(wanted)}"
        case "format":
            return f"must be {_FORMATS[wanted]}"
        case "required":
            missing = (key for key in wanted if key not in value)
            return f"must have the key {_quoted(next(missing, ''))}"
        case _:
            return "does not meet the rules of its form"


_LIMITS = {
    "const": "must be {}",
    "multipleOf": "must be a multiple of {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "pattern": "must match the pattern {}",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "uniqueItems": "must not hold an item twice",
    "minProperties": "must have at least {} keys",
    "maxProperties": "must have at most {} keys",
}


def _place(path: Iterable[str | int]) -> str:
    """`replicas[2].name`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return _cut("".join(steps).removeprefix("."))


def _quoted(value: Any) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 1]}…"


def _named(values: Iterable[Any]) -> str:
    listed = list(values)
    more = ", …" if len(listed) > _MOST_NAMED else ""
    return ", ".join(map(_quoted, listed[:_MOST_NAMED])) + more


def _of_types(wanted: str | Iterable[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_TYPES.get(name, name) for name in names)


def _wanted(schema: Any, root: JsonObject, hops: int = 0) -> str:
    """What a part of the schema `root` wants."""
    match schema:
        case _ if hops > _MOST_HOPS:
            return _ANYTHING
        case {"$ref": str(ref)}:
            return _wanted(referred(ref, root), root, hops + 1)
        case {"enum": list(options)}:
            return f"one of: {_named(map(json.dumps, options))}"
        case {"anyOf": list(ways)} | {"oneOf": list(ways)}:
            return " or ".join(dict.fromkeys(_wanted(way, root, hops + 1) for way in ways[:3]))
        case {"type": str() | list() as names}:
            return _wanted_of_type(names, schema, root)
        case _:
            return _ANYTHING


def _wanted_of_type(names: str | list[str], schema: Mapping[str, Any], root: JsonObject) -> str:
    if names == "array" and "items" in schema:
        return _list_of(schema["items"], root)
    if names == "object" and schema.get("properties"):
        return f"an object with {_named(schema['properties'])}"
    return _of_types(names)


_ANYTHING = "any JSON value"


def _list_of(items: Any, root: JsonObject) -> str:
    if isinstance(items, Mapping) and isinstance(items.get("$ref"), str):
        items = referred(items["$ref"], root)
    kind = items.get("type") if isinstance(items, Mapping) else None
    many = _MANY.get(kind) if isinstance(kind, str) else None
    return "a list" if many is None else f"a list of {many}"


def referred(ref: str, root: JsonObject) -> Any:
    """What a reference such as `#/$defs/Mode` names inside `root`; None where nothing."""
    _, key, name = (*ref.split("/", 2), "", "")[:3]
    held = root.get(key)
    return held.get(unescaped(name)) if isinstance(held, Mapping) else None


def unescaped(step: str) -> str:
    """A step of a JSON pointer as the key that it means."""
    return unquote(step).replace("~1", "/").replace("~0", "~")
