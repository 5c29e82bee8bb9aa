"""The JSON that a task's parameters stand for, typed as YAML 1.2 types it."""

import math
import re
from collections.abc import Callable
from typing import Any

from engine.dagfile.fields import MisreadError, each, each_value, unexpected
from engine.dagfile.yaml_nodes import Entries, Items, Node, Scalar
from engine.errors import Problem
from engine.json_values import MAX_NUMBER

_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 100
_WORDS = {"true": True, "false": False}
# YAML 1.1 reads a boolean or an octal number, YAML 1.2 text or a decimal one.
_AMBIGUOUS = re.compile(r"yes|no|on|off|[+-]?0[0-9]+", re.IGNORECASE)
_NOT_JSON = re.compile(r"[+-]?\.(inf|nan)", re.IGNORECASE)


def literal(node: Node) -> Any:
    """Read a JSON value, which is an error where YAML versions disagree or JSON has none."""
    match node:
        case Items():
            return list(each(node, literal))
        case Entries():
            return each_value(node, literal)
        case Scalar(quoted=True):
            return node.text
        case Scalar():
            return None if node.is_null else _plain(node)


def _plain(node: Scalar) -> str | float | bool:
    text = node.text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _AMBIGUOUS.fullmatch(text):
        hint = "in quotes if it is text, else true, false or a decimal number"
        raise MisreadError(Problem(f"{text!r} can be read in two ways: write it {hint}", node.line))
    if _NOT_JSON.fullmatch(text):
        raise unexpected(node, "a finite number")
    number = _number(node)
    return text if number is None else number


def _number(node: Scalar) -> float | None:
    text = node.text
    for pattern, convert in _NUMBERS:
        if pattern.fullmatch(text):
            number = convert(text) if len(text) <= _LONGEST_NUMBER else math.inf
            if isinstance(number, int) and abs(number) > MAX_NUMBER:
                raise unexpected(node, f"a whole number up to {MAX_NUMBER}, or text in quotes")
            if math.isinf(number):
                raise unexpected(node, "a smaller number, or text in quotes")
            return number
    return None


def _from_hexadecimal(text: str) -> int:
    return int(text, 16)


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], float]], ...] = (
    (_DECIMAL, int),
    (_HEXADECIMAL, _from_hexadecimal),
    (_FLOAT, float),
)
