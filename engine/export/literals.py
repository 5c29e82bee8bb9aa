"""Values as Python source: the same text every time, broken into lines where it is long."""

import ast
from collections.abc import Mapping

WIDTH = 88
_STEP = "    "


def literal(value: object, indent: str = "") -> str:
    """The source of a JSON value, of a tuple or of a set of texts; later lines are indented."""
    if isinstance(value, frozenset):
        return "{" + ", ".join(quoted(str(item)) for item in sorted(value)) + "}"
    short = _short(value)
    if len(indent) + len(short) <= WIDTH:
        return short
    inner = indent + _STEP
    match value:
        case str():
            return "\n".join(["(", *_pieces(value, inner), f"{indent})"])
        case list() | tuple():
            opened, closed = "[]" if isinstance(value, list) else "()"
            items = [f"{inner}{literal(item, inner)}," for item in value]
            return "\n".join([opened, *items, f"{indent}{closed}"])
        case Mapping():
            pairs = [
                f"{inner}{quoted(str(key))}: {literal(item, inner)}," for key, item in value.items()
            ]
            return "\n".join(["{", *pairs, f"{indent}}}"])
        case _:
            return short


def quoted(text: str) -> str:
    """A text in double quotes where that needs no escapes."""
    shown = repr(text)
    if shown.startswith("'") and '"' not in text:
        shown = f'"{shown[1:-1]}"'
    assert ast.literal_eval(shown) == text  # noqa: S101 (a wrong literal would be another program)
    return shown


def _short(value: object) -> str:
    match value:
        case str():
            return quoted(value)
        case list():
            return "[" + ", ".join(map(_short, value)) + "]"
        case tuple():
            return "(" + ", ".join(map(_short, value)) + ("," if len(value) == 1 else "") + ")"
        case Mapping():
            pairs = (f"{quoted(str(key))}: {_short(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case _:
            return repr(value)


def _pieces(text: str, indent: str) -> list[str]:
    """A long text, a line of it at a time."""
    return [f"{indent}{quoted(line)}" for line in text.splitlines(keepends=True)]
