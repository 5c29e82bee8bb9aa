"""JSON Schemas cut out of a larger document: made to stand alone, and seen through to their core.

Pure. A schema that cannot stand alone (it refers elsewhere, is too large or invalid) has no core.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.json_schema import ASSERTING, is_checkable
from engine.json_values import uncarriable
from engine.schema_words import referred, unescaped

Schema = Mapping[str, Any]

_SHELVES = ("$defs", "definitions")
_ASIDE = frozenset({"$schema", "$id", *_SHELVES})
_MOST_DEFINITIONS = 100
_MOST_HOPS = 10
_NULL = {"type": "null"}


def standing_alone(schema: object, definitions: object = None) -> Schema | None:
    """The schema with the definitions it refers to, however indirectly; None where it cannot be.

    What it brings itself below `$defs` or `definitions` goes before the given ones.
    """
    if not isinstance(schema, Mapping):
        return None
    held: dict[str, Any] = {}
    for part in (definitions, *(schema.get(shelf) for shelf in reversed(_SHELVES))):
        held |= part if isinstance(part, Mapping) else {}
    body = {key: value for key, value in schema.items() if key not in _ASIDE}
    shelves = _needed(body, held)
    alone = None if shelves is None else {**body, **shelves}
    return alone if alone is not None and is_checkable(alone) else None


def _needed(body: Schema, held: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """The definitions to carry along, by where they are looked for."""
    found: dict[tuple[str, str], Any] = {}
    queue: list[Any] = [body]
    for part in queue:  # grows while it is walked
        if uncarriable(part) is not None:
            return None
        for ref in _references(part):
            root, shelf, name = (*ref.split("/", 2), "", "")[:3]
            key = (shelf, unescaped(name))
            if root != "#" or shelf not in _SHELVES or key[1] not in held or "/" in name:
                return None
            if key not in found:
                found[key] = held[key[1]]
                queue.append(found[key])
        if len(found) > _MOST_DEFINITIONS:
            return None
    shelves = dict.fromkeys(shelf for shelf, _ in found)
    return {shelf: {n: found[s, n] for s, n in found if s == shelf} for shelf in shelves}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
        yield part["$ref"]
    if isinstance(part, (Mapping, list)):
        for inner in part.values() if isinstance(part, Mapping) else part:
            yield from _references(inner)


@dataclass(frozen=True, slots=True)
class Core:
    """A schema seen through its references, and through `or null`."""

    schema: Schema
    nullable: bool  # whether null was allowed beside it


def core_of(schema: Schema, root: Schema) -> Core:
    """What a part of `root` says once its references are followed and null is set aside."""
    nullable = False
    for _ in range(_MOST_HOPS):
        inner, null = _next(schema, root)
        nullable = nullable or null
        if inner is None:
            break
        schema = inner
    return Core(schema, nullable)


def _next(schema: Schema, root: Schema) -> tuple[Schema | None, bool]:
    """One step further in, and whether it left null behind; no schema where there is no step."""
    if isinstance(ref := schema.get("$ref"), str):
        return _merged(schema, "$ref", referred(ref, root)), False
    for key in ("allOf", "anyOf", "oneOf"):
        ways = schema.get(key)
        others = [way for way in ways if way != _NULL] if isinstance(ways, list) else []
        if len(others) == 1 and (inner := _merged(schema, key, others[0])) is not None:
            return inner, key != "allOf" and len(others) < len(ways or ())
    return _without_null(schema)


def _without_null(schema: Schema) -> tuple[Schema | None, bool]:
    kinds, options = schema.get("type"), schema.get("enum")
    if isinstance(kinds, list) and (others := [kind for kind in kinds if kind != "null"]):
        if len(others) == 1:
            return {**schema, "type": others[0]}, len(kinds) > 1
        return None, len(kinds) > len(others)
    if isinstance(options, list) and None in options:
        # Where there is a type, that one says whether null is allowed.
        left = [option for option in options if option is not None]
        return {**schema, "enum": left}, "type" not in schema
    return None, False


def _merged(schema: Schema, key: str, inner: Any) -> Schema | None:
    """What stands beside a key and what it leads to as one, where both do not rule the same."""
    if not isinstance(inner, Mapping):
        return None
    beside = {name: value for name, value in schema.items() if name != key}
    if ASSERTING.intersection(beside).intersection(inner):
        return None
    return {**inner, **beside}
