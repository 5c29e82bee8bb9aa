"""JSON values as they may be kept and passed on: strictly read, bounded, exact in any program."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_NUMBER = 2**53 - 1
"""The largest magnitude that JSON carries exactly between any two programs (RFC 8785)."""

MAX_JSON = 20_000
"""Characters that a JSON value may have, written out."""

MAX_DEPTH = 20
"""How deep lists and objects may stand in each other."""

# PostgreSQL refuses NUL, UTF-8 refuses half a character.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MOST_DIGITS = 17
_INSTRUCTION = "__"  # how keys begin that an engine may read as instructions
_MOST_KEY = 50  # characters of a key that a sentence quotes

_TOO_LARGE = f"must have at most {MAX_JSON} characters, nested at most {MAX_DEPTH} deep"
_TOO_BIG = f"must hold only numbers between -{MAX_NUMBER} and {MAX_NUMBER}"
_NO_TEXT = "must not hold a NUL or half a character"


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a value does not fit its field, as the end of a sentence that starts with its name."""

    sentence: str


class _UnreadError(Exception):
    """A text is JSON, but none that is read here; the message is the end of a sentence."""


def is_storable(text: str) -> bool:
    """Whether every database takes this text: it holds no NUL and no half characters."""
    return _UNSTORABLE.search(text) is None


def read_json(text: str) -> Any:
    """The JSON value that a text spells, or `Unfit`. No key twice, no NaN, no number rounded."""
    if len(text) > MAX_JSON:
        return Unfit(_TOO_LARGE)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_whole, parse_constant=_no_number
        )
    except _UnreadError as why:
        return Unfit(str(why))
    except json.JSONDecodeError as at:
        place = f"line {at.lineno}, column {at.colno}"
        return Unfit(f"must be JSON, with text in double quotes; it cannot be read at {place}")
    except RecursionError:
        return Unfit(_TOO_LARGE)
    sentence = unfit_json(value)
    return value if sentence is None else Unfit(sentence)


def unfit_json(value: object) -> str | None:
    """Why a value may not be given to an engine, as the end of a sentence; None where it may."""
    if (sentence := uncarriable(value)) is not None:
        return sentence
    if any(key.startswith(_INSTRUCTION) for key in _keys(value)):
        return "must not have keys that begin with __: engines read them as instructions"
    return None


def uncarriable(value: object) -> str | None:
    """Why a value is no JSON, too large, or not the same everywhere; None where it is fine."""
    left, level = MAX_JSON, [value]
    for _ in range(MAX_DEPTH + 1):
        left -= len(level)
        if left < 0:
            return _TOO_LARGE
        if (sentence := next(filter(None, map(_flaw, level)), None)) is not None:
            return sentence
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return None if len(json.dumps(value, ensure_ascii=False)) <= MAX_JSON else _TOO_LARGE
    return _TOO_LARGE


def _flaw(value: object) -> str | None:
    """What is wrong with one value, whatever stands inside it."""
    match value:
        case None | bool():
            return None
        case int() | float():
            return None if math.isfinite(value) and abs(value) <= MAX_NUMBER else _TOO_BIG
        case str():
            return None if is_storable(value) else _NO_TEXT
        case Mapping():
            whole = all(isinstance(key, str) and is_storable(key) for key in value)
            return None if whole else _NO_TEXT
        case list() | tuple():
            return None
        case _:
            return "must be JSON"


def _inside(value: object) -> Sequence[object]:
    match value:
        case Mapping():
            return list(value.values())
        case list() | tuple():
            return value
        case _:
            return ()


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
    for inner in _inside(value):
        yield from _keys(inner)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _UnreadError(f"must not have the key {key[:_MOST_KEY]!r} twice in one object")
        found[key] = value
    return found


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:  # also keeps thousands of digits from being worked out
        raise _UnreadError(_TOO_BIG)
    return int(digits)


def _no_number(word: str) -> float:
    raise _UnreadError(f"must hold only numbers; {word} is none")
