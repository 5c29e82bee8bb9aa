"""What an approver filled in, checked against the form: the same rules on every surface."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.model import InputField, InputType

MAX_TEXT = 3_000
"""Characters a text may have at most: what a Slack text field holds."""

MAX_NUMBER = 2**53 - 1
"""The largest magnitude that JSON carries exactly between any two programs (RFC 8785)."""

_NUMBER = re.compile(r"[+-]?([0-9]{1,50}(\.[0-9]{0,50})?|\.[0-9]{1,50})([eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# PostgreSQL refuses NUL, UTF-8 refuses half a character.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "1", "on"), True),
    **dict.fromkeys(("false", "no", "0", "off"), False),
}
_OPTIONS_NAMED = 10

Value = str | int | float | bool | list[Any] | dict[str, Any] | None
"""A JSON value. None is JSON's null, and only a JSON field has it."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a value does not fit its field, as the end of a sentence that starts with its name."""

    sentence: str


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
        if _is_empty(given) and field.default is None and not field.required:
            continue
        match _answer(field, given):
            case Unfit(sentence):
                errors[field.name] = sentence
            case value:
                values[field.name] = value
    return ParsedInputs(values, errors)


def is_storable(text: str) -> bool:
    """Whether every database takes this text: it holds no NUL and no half characters."""
    return _UNSTORABLE.search(text) is None


def is_certain(field: InputField) -> bool:
    """Whether every form that was accepted has a value for this field."""
    return field.required or field.default is not None


def parse_value(field: InputField, raw: object) -> Value | Unfit:
    """Check one value that is not empty."""
    return _PARSERS[field.type](field, raw)


def _answer(field: InputField, raw: object) -> Value | Unfit:
    if not _is_empty(raw):
        return parse_value(field, raw)
    given: Value = field.default
    return Unfit("is required") if given is None else given


def _is_empty(raw: object) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


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
    return Unfit(_expected_number(field)) if too_low or too_high else number


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
    match field.minimum, field.maximum:
        case None, None:
            return "must be a number"
        case None, most:
            return f"must be a number of at most {_plain(most)}"
        case least, None:
            return f"must be a number of at least {_plain(least)}"
        case least, most:
            return f"must be a number between {_plain(least)} and {_plain(most)}"


def _plain(number: float | None) -> str:
    return str(int(number)) if number is not None and number == int(number) else str(number)


def _boolean(_field: InputField, raw: object) -> bool | Unfit:
    if isinstance(raw, (str, int)):  # a bool is an int, and spells itself "True"
        truth = _TRUTHS.get(str(raw).strip().lower())
        if truth is not None:
            return truth
    return Unfit("must be true or false")


def _choice(field: InputField, raw: object) -> str | Unfit:
    for candidate in (raw, raw.strip()) if isinstance(raw, str) else ():
        if candidate in field.options:
            return candidate
    named = ", ".join(field.options[:_OPTIONS_NAMED])
    return Unfit(f"must be one of: {named}{', …' * (len(field.options) > _OPTIONS_NAMED)}")


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
    InputType.DATE: _date,
}
