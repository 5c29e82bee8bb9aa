"""The language of rules: CEL, with the names a rule may use. Nothing else knows the library.

Reading an expression is bounded: the library limits how deep one nests, we how long one is.
Evaluating one is not, so that is done in a process of its own, see `evaluation`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from engine.auto.reads import Path, paths_read
from engine.errors import InvalidExpression
from engine.model import JsonObject

MAX_EXPRESSION = 1_000
"""Characters an expression may have."""

NAMES = ("params", "outputs", "dag", "task", "tenant")
"""What an expression may name. There is no clock: asked again, it would say the same."""

_PROBLEM = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<what>[^\n]*)")
_UNKNOWN = re.compile(r"undeclared reference to '(?P<name>[^'.]*)")
_MISSING = re.compile(r'Key not found in map : "(?P<key>.*)"', re.DOTALL)
_NO_SUCH = re.compile(r"No matching overloads found : (?P<call>\S+\([a-z0-9_, ()]*\))")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that can be evaluated, with the paths it reads."""

    text: str
    reads: tuple[Path, ...]


def read_expression(text: str) -> Expression:
    """Read an expression, its types as far as they are known. Raises `InvalidExpression`."""
    reads = paths_read(_compiled(text).serialize())
    return Expression(text, tuple(path for path in reads if path[0] in NAMES))


def evaluated(text: str, values: JsonObject) -> bool | str:
    """Whether it holds; why it cannot be told, as the end of a sentence, without any value.

    `values` are JSON, by name. Takes as much time and memory as the expression wants.
    Raises `InvalidExpression`.
    """
    try:
        found = _compiled(text).eval(data=dict(values))
        value = found.plain_value()
    except (RuntimeError, ValueError, TypeError) as trouble:
        return _why(text, str(trouble))
    kind = found.type().name()
    if kind == "ERROR":
        return _why(text, str(value))
    return value if isinstance(value, bool) else "it is neither true nor false"


def _compiled(text: str) -> Any:
    if len(text) > MAX_EXPRESSION:
        raise InvalidExpression(f"expected at most {MAX_EXPRESSION} characters")
    try:
        compiled = _environment().compile(text)
    except (RuntimeError, TypeError) as trouble:  # the latter for what is no text at all
        raise InvalidExpression(_problem(str(trouble))) from None
    if compiled.return_type().name() not in {"BOOL", "DYN"}:
        raise InvalidExpression("expected something that is true or false")
    return compiled


@cache
def _environment() -> Any:
    # Here, so that only whoever has rules pays for it.
    from cel_expr_python import cel  # noqa: PLC0415

    table = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    types = {"params": table, "outputs": table}
    variables: Mapping[str, Any] = {name: types.get(name, cel.Type.STRING) for name in NAMES}
    return cel.NewEnv(variables=variables)


def _problem(said: str) -> str:
    found = _PROBLEM.search(said)
    if found is None:
        deep = "recursion" in said
        return "it is nested too deeply" if deep else "it is no expression"
    unknown = _UNKNOWN.match(found["what"])
    what = found["what"].removeprefix("Syntax error: ").partition(" expecting {")[0]
    if unknown is not None:
        what = f"there is no {unknown['name']!r}, only {', '.join(NAMES)}"
    line = f"line {found['line']}, " if found["line"] != "1" else ""
    return f"{what} ({line}character {found['column']})"


def _why(text: str, said: str) -> str:
    """What went wrong, in our words: the library's may quote what the expression has read."""
    if (missing := _MISSING.search(said)) is not None:
        # Named only where the author wrote it: a key may be a value, too.
        key = missing["key"]
        return f"there is no {key!r}" if key and key in text else "something it reads is not there"
    if (no_such := _NO_SUCH.search(said)) is not None:
        return f"its types do not fit: {no_such['call']}"
    for sign, why in _SIGNS.items():
        if sign in said:
            return why
    return "it cannot be evaluated"


_SIGNS = {
    "divide by zero": "it divides by zero",
    "overflow": "a number is too big",
    "budget exceeded": "it takes too many steps",
    "regular expression": "a pattern is not valid",
}
