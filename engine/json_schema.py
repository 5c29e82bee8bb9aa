"""Whether a JSON value meets a JSON Schema that somebody else wrote (draft 2020-12).

No schema can harm: nothing is fetched, the work is counted, and patterns have a time limit.
Import this where a schema is met, not before: the library behind it is slow to load.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import regex
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from engine.json_formats import FORMATS
from engine.json_values import spelt, uncarriable
from engine.model import JsonObject
from engine.schema_words import CANNOT_CHECK, TOO_LONG, UNCHECKABLE, broken_rule

ASSERTING = frozenset(Draft202012Validator.VALIDATORS)
"""The keywords that can refuse a value; every other one only tells about it."""

# References out of the schema, and rules that look through patterns we could not time.
_UNREAD = frozenset(
    {
        *("$schema", "$id", "$anchor", "$vocabulary", "$dynamicRef", "$dynamicAnchor"),
        *("$recursiveRef", "$recursiveAnchor", "unevaluatedItems", "unevaluatedProperties"),
    }
)
_NO_FORMATS = FormatChecker(formats=())  # patterns are tried by the library that is used for them
_LOCAL = ("#/$defs/", "#/definitions/")
_MOST_STEPS = 20_000
_MATCH_STEPS = 200  # what a pattern costs of them
_PATTERN_S = 0.02
_MOST_PATTERN = 500  # characters


def misfit(schema: JsonObject, value: object) -> str | None:
    """Why the value does not meet the schema, as the end of a sentence; None when it does."""
    if not is_checkable(schema):
        return CANNOT_CHECK
    validator = _Meter().validator_of(schema)
    try:
        broken = next(iter(validator.iter_errors(value)), None)
    except (_TooMuchError, TimeoutError):
        return TOO_LONG
    except (RecursionError, Unresolvable):
        return CANNOT_CHECK
    return None if broken is None else broken_rule(broken)


def is_checkable(schema: JsonObject) -> bool:
    """Whether values can be held against this schema: it is valid, small, and stands alone."""
    if uncarriable(schema) is not None or schema == UNCHECKABLE:
        return False
    return _is_sound(json.dumps(schema, sort_keys=True))


@lru_cache(maxsize=256)  # forms are met at every look at an engine
def _is_sound(written: str) -> bool:
    schema = json.loads(written)
    if not all(map(_is_readable, _objects(schema))):
        return False
    try:
        Draft202012Validator.check_schema(schema, format_checker=_NO_FORMATS)
    except SchemaError:
        return False
    return True


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Every object inside. Values that only look like schemas are taken for some, too."""
    if isinstance(value, Mapping):
        yield value
    if isinstance(value, (Mapping, list)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _objects(inner)


def _is_readable(schema: Mapping[str, Any]) -> bool:
    if not _UNREAD.isdisjoint(schema):
        return False
    if "$ref" in schema and not str(schema["$ref"]).startswith(_LOCAL):
        return False
    by_pattern = schema.get("patternProperties")
    patterns = [schema.get("pattern"), *(by_pattern if isinstance(by_pattern, Mapping) else ())]
    return all(_is_pattern(pattern) for pattern in patterns if isinstance(pattern, str))


def _is_pattern(pattern: str) -> bool:
    try:
        return len(pattern) <= _MOST_PATTERN and bool(regex.compile(pattern))
    except (regex.error, RecursionError):
        return False


class _TooMuchError(Exception):
    """The check takes more steps than any form that people fill in."""


class _Meter:
    """One check: the rules of the draft, which count what they do and stop when it is too much."""

    def __init__(self) -> None:
        self._left = _MOST_STEPS

    def validator_of(self, schema: JsonObject) -> Any:
        """A validator whose rules are metered."""
        own = {
            "pattern": self._pattern,
            "patternProperties": self._pattern_properties,
            "additionalProperties": self._additional_properties,
            "uniqueItems": self._unique_items,
        }
        rules = {**Draft202012Validator.VALIDATORS, **own}
        metered = {name: self._metered(rule) for name, rule in rules.items()}
        made = validators.extend(Draft202012Validator, metered)  # type: ignore[no-untyped-call]
        return made(dict(schema), registry=Registry(), format_checker=FORMATS)

    def _metered(self, rule: Any) -> Any:
        def check(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
            self._spend(len(wanted) if isinstance(wanted, list) else 1)
            return rule(validator, wanted, value, schema)

        return check

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooMuchError

    def _matches(self, pattern: str, text: str) -> bool:
        """Raises TimeoutError where the search takes too long."""
        self._spend(_MATCH_STEPS)
        return regex.search(pattern, text, timeout=_PATTERN_S) is not None

    def _pattern(self, _validator: Any, wanted: str, value: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(value, str) and not self._matches(wanted, value):
            yield ValidationError("")

    def _pattern_properties(
        self, validator: Any, wanted: Mapping[str, Any], value: Any, _schema: Any
    ) -> Iterator[Any]:
        for key, inner in value.items() if isinstance(value, dict) else ():
            for pattern, rule in wanted.items():
                if self._matches(pattern, key):
                    yield from validator.descend(inner, rule, path=key, schema_path=pattern)

    def _additional_properties(
        self, validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]
    ) -> Iterator[Any]:
        patterns, known = schema.get("patternProperties", {}), schema.get("properties", {})
        for key, inner in value.items() if isinstance(value, dict) else ():
            if key in known or any(self._matches(one, key) for one in patterns):
                continue
            if wanted is False:
                yield ValidationError("", instance=key)
            else:
                yield from validator.descend(inner, wanted, path=key)

    def _unique_items(
        self, _validator: Any, wanted: bool, value: Any, _schema: Any
    ) -> Iterator[Any]:
        if wanted and isinstance(value, list):
            self._spend(len(value))
            if len({spelt(item) for item in value}) < len(value):
                yield ValidationError("")
