"""What an approver filled in, checked against the form: the same rules on every surface."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.json_values import MAX_NUMBER, Unfit, is_storable, read_json, unfit_json
from engine.model import InputField, InputType
from engine.schema_words import counts, is_whole

MAX_TEXT = 3_000
"""Characters a text may have at most: what a Slack text field holds."""

_NUMBER = re.compile(r"[+-]?([0-9]{1,50}(\.[0-9]{0,50})?|\.[0-9]{1,50})([eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "1", "on"), True),
    **dict.fromkeys(("false", "no", "0", "off"), False),
}
_OPTIONS_NAMED = 10

Value = str | int | float | bool | list[Any] | dict[str, Any] | None
"""A JSON value. None is JSON's null, and only a JSON field has it."""


@dataclass(frozen=True, slots=True)
class ParsedInputs:
    """A form as it was understood. Only one without errors may be recorded."""

    values: dict[str, Any]
    errors: dict[str, str]


def parse_inputs(
    fields: Sequence[InputField],
    raw: Mapping[str, object],
    unknown: str = "is not an input of this checkpoint",
) -> ParsedInputs:
    """Check a whole form: strings as Slack and `--kv` bring them, or typed JSON values.

    An optional field left empty is absent from the values. `unknown` is what is said of a
    name that the form does not have.
    """
    known = {field.name for field in fields}
    values: dict[str, Any] = {}
    errors = {name: unknown for name in raw if name not in known}
    for field in fields:
        given = raw.get(field.name)
        if _is_empty(field, given) and field.default is None and not field.required:
            continue
        match _answer(field, given):
            case Unfit(sentence):
                errors[field.name] = sentence
            case value:
                values[field.name] = value
    return ParsedInputs(values, errors)


def is_certain(field: InputField) -> bool:
    """Whether every form that was accepted has a value for this field."""
    return field.required or field.default is not None


def parse_value(field: InputField, raw: object) -> Value | Unfit:
    """Check one value that is not empty: its type first, then what its schema says besides."""
    value = _PARSERS[field.type](field, raw)
    return value if isinstance(value, Unfit) else _held_to_schema(field, value)


def _answer(field: InputField, raw: object) -> Value | Unfit:
    if not _is_empty(field, raw):
        return parse_value(field, raw)
    if field.default is None:
        return Unfit("is required")
    return _held_to_schema(field, field.default)


def _held_to_schema(field: InputField, value: Value) -> Value | Unfit:
    if field.schema is None:
        return value
    from engine.json_schema import misfit  # noqa: PLC0415 (slow to load, and few forms need it)

    sentence = misfit(field.schema, value)
    return value if sentence is None else Unfit(sentence)


def _is_empty(field: InputField, raw: object) -> bool:
    if isinstance(raw, str):
        return not raw.strip()
    return raw is None or (field.type is InputType.CHOICES and raw in ([], ()))


def _text(field: InputField, raw: object) -> str | Unfit:
    if not isinstance(raw, str):
        return Unfit("must be text")
    if not is_storable(raw):
        return Unfit("must not hold a NUL or half a character")
    least = field.minimum or 0
    most = MAX_TEXT if field.maximum is None else min(field.maximum, MAX_TEXT)
    if least <= len(raw) <= most:
        return raw
    allowed = f"{least:g} to {most:g}" if least else f"at most {most:g}"
    return Unfit(f"must have {allowed} characters; it has {len(raw)}")


def _number(field: InputField, raw: object) -> int | float | Unfit:
    number = _to_number(raw)
    if number is None:
        return Unfit(_expected_number(field))
    if abs(number) > MAX_NUMBER:
        return Unfit(f"must be a number between -{MAX_NUMBER} and {MAX_NUMBER}")
    too_low = field.minimum is not None and number < field.minimum
    too_high = field.maximum is not None and number > field.maximum
    if too_low or too_high:
        return Unfit(_expected_number(field))
    return int(number) if is_whole(field) and number == int(number) else number


def _to_number(raw: object) -> int | float | None:
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        return None
    if isinstance(raw, str):
        text = raw.strip()
        if not _NUMBER.fullmatch(text):
            return None
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    return raw if isinstance(raw, int) or math.isfinite(raw) else None


def _expected_number(field: InputField) -> str:
    kind = "a whole number" if is_whole(field) else "a number"
    match field.minimum, field.maximum:
        case None, None:
            return f"must be {kind}"
        case None, most:
            return f"must be {kind} of at most {_plain(most)}"
        case least, None:
            return f"must be {kind} of at least {_plain(least)}"
        case least, most:
            return f"must be {kind} between {_plain(least)} and {_plain(most)}"


def _plain(number: float | None) -> str:
    return str(int(number)) if number is not None and number == int(number) else str(number)


def _boolean(_field: InputField, raw: object) -> bool | Unfit:
    if isinstance(raw, (str, int)):  # a bool is an int, and spells itself "True"
        truth = _TRUTHS.get(str(raw).strip().lower())
        if truth is not None:
            return truth
    return Unfit("must be true or false")


def _choice(field: InputField, raw: object) -> Value | Unfit:
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    option = _option(field, str(raw) if is_number and counts(field) else raw)
    if option is None:
        return Unfit(f"must be one of: {_named(field)}")
    return _to_number(option) if counts(field) else option


def _option(field: InputField, raw: object) -> str | None:
    for candidate in (raw, raw.strip()) if isinstance(raw, str) else ():
        if candidate in field.options:
            return candidate
    return None


def _named(field: InputField) -> str:
    more = ", …" if len(field.options) > _OPTIONS_NAMED else ""
    return ", ".join(field.options[:_OPTIONS_NAMED]) + more


def _choices(field: InputField, raw: object) -> list[str] | Unfit:
    chosen = [_option(field, one) for one in _several(field, raw)]
    if not chosen or None in chosen:
        return Unfit(f"must be some of: {_named(field)}")
    if len(set(chosen)) < len(chosen):
        return Unfit("must not name an option twice")
    return [option for option in field.options if option in chosen]


def _several(field: InputField, raw: object) -> Sequence[object]:
    """What was chosen: a list, or a text such as `a, b` or `["a", "b"]`."""
    if not isinstance(raw, str):
        return raw if isinstance(raw, (list, tuple)) else ()
    if _option(field, raw) is not None:  # an option may hold a comma
        return (raw,)
    listed = read_json(raw) if raw.lstrip().startswith("[") else None
    return listed if isinstance(listed, list) else raw.split(",")


def _json(_field: InputField, raw: object) -> Value | Unfit:
    if isinstance(raw, str):
        value: Value | Unfit = read_json(raw)
        return value
    sentence = unfit_json(raw)
    return raw if sentence is None else Unfit(sentence)  # type: ignore[return-value] # it is JSON


def _date(_field: InputField, raw: object) -> str | Unfit:
    if isinstance(raw, str) and _DATE.fullmatch(text := raw.strip()):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            pass
    return Unfit("must be a date written YYYY-MM-DD")


_PARSERS: Mapping[InputType, Callable[[InputField, object], Value | Unfit]] = {
    InputType.TEXT: _text,
    InputType.NUMBER: _number,
    InputType.BOOLEAN: _boolean,
    InputType.CHOICE: _choice,
    InputType.CHOICES: _choices,
    InputType.JSON: _json,
    InputType.DATE: _date,
}
