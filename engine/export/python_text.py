"""Python text: values and calls, laid out as a person would write them."""

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

WIDTH = 100
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Name:
    """An expression that stands as it is: a name, or anything else without a line break."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call: on one line where it fits, else an argument a line."""

    function: str
    positional: tuple[object, ...] = ()
    named: Mapping[str, object] | None = None
    is_tall: bool = False  # an argument a line even where one line would do


def written(value: object, depth: int = 0, before: int = 0) -> str:
    """A value as source, to stand `depth` levels deep behind `before` characters of its line."""
    flat = _flat(value)
    room = WIDTH - len(_INDENT) * depth - before - 1  # a comma or a bracket follows
    if flat is not None and len(flat) <= room:
        return flat
    return _tall(value, depth, room)


def quoted(text: str) -> str:
    """A text as a literal on one line; what cannot be seen is escaped."""
    if '"' in text:
        return repr(text)
    return '"' + repr("'" + text)[2:]  # a single quote makes `repr` choose double ones


def variable(word: str, taken: frozenset[str]) -> str:
    """A name for a variable: the word itself, or `_word_` where that is none or is taken."""
    is_free = word.isidentifier() and not keyword.iskeyword(word) and word not in taken
    return word if is_free else f"_{word}_"


def _flat(value: object) -> str | None:
    """On one line; None where that would be hard to read."""
    match value:
        case Name():
            return value.text
        case Call():
            return None if value.is_tall else _flat_call(value)
        case str():
            return None if "\n" in value.rstrip("\n") else quoted(value)
        case timedelta():
            return _flat_call(_span(value))
        case Mapping() | list() | tuple():
            return _flat_items(value)
        case _:
            return repr(value)


def _flat_items(value: Mapping[str, object] | list[object] | tuple[object, ...]) -> str | None:
    if isinstance(value, Mapping):
        items = [(quoted(key), _flat(item)) for key, item in value.items()]
        return _joined("{", [item and f"{key}: {item}" for key, item in items], "}")
    return _joined("[", [_flat(item) for item in value], "]")


def _flat_call(call: Call) -> str | None:
    named = [(name, _flat(item)) for name, item in (call.named or {}).items()]
    given = [item and f"{name}={item}" for name, item in named]
    arguments = [*map(_flat, call.positional), *given]
    return _joined(f"{call.function}(", arguments, ")")


def _joined(start: str, parts: "list[str | None]", end: str) -> str | None:
    flat = [part for part in parts if part is not None]
    return start + ", ".join(flat) + end if len(flat) == len(parts) else None


def _tall(value: object, depth: int, room: int) -> str:
    match value:
        case Call():
            lines = [_item("", item, depth) for item in value.positional]
            lines += [_item(f"{name}=", item, depth) for name, item in (value.named or {}).items()]
            return _block(f"{value.function}(", lines, ")", depth)
        case Mapping():
            lines = [_item(f"{quoted(key)}: ", item, depth) for key, item in value.items()]
            return _block("{", lines, "}", depth)
        case list() | tuple():
            return _block("[", [_item("", item, depth) for item in value], "]", depth)
        case str() if "\n" in value.rstrip("\n"):
            pieces = [quoted(line) for line in value.splitlines(keepends=True)]
            return _block("(", pieces, ")", depth, "")
        case str():
            size = max(room, 60)
            pieces = [quoted(value[at : at + size]) for at in range(0, len(value), size)]
            return _block("(", pieces, ")", depth, "")
        case _:
            return _flat(value) or repr(value)


def _item(label: str, value: object, depth: int) -> str:
    return label + written(value, depth + 1, len(label))


def _block(start: str, lines: list[str], end: str, depth: int, comma: str = ",") -> str:
    inner = _INDENT * (depth + 1)
    body = "".join(f"{inner}{line}{comma}\n" for line in lines)
    return f"{start}\n{body}{_INDENT * depth}{end}"


def _span(span: timedelta) -> Call:
    """A time span in the units it is made of."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    units = {
        "days": span.days,
        "hours": hours,
        "minutes": minutes,
        "seconds": seconds,
        "microseconds": span.microseconds,
    }
    named = {unit: count for unit, count in units.items() if count}
    return Call("timedelta", (), named or {"seconds": 0})
