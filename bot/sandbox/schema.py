"""A few combinators to say what a Block Kit object may look like, and what Slack answers if not."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One broken rule: Slack's error `code`, the JSON `pointer` to the place, and the `problem`."""

    code: str
    pointer: str
    problem: str

    def __str__(self) -> str:
        return f"[ERROR] {self.problem} [json-pointer:{self.pointer}]"


Check: TypeAlias = Callable[[Any, str], Iterator[Violation]]
NO_MATCH = "failed to match all allowed schemas"


def broken(pointer: str, problem: str, code: str = "invalid_blocks") -> Violation:
    """Return a violation at `pointer`; schema failures are `invalid_blocks` in messages."""
    return Violation(code=code, pointer=pointer, problem=problem)


def string(most: int, least: int = 1) -> Check:
    """Check a string of `least` to `most` characters."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if not isinstance(value, str):
            yield broken(pointer, "must be a string")
        elif len(value) > most:
            yield broken(pointer, f"must be less than {most + 1} characters")
        elif len(value) < least:
            yield broken(pointer, f"must be more than {least - 1} characters")

    return check


def matching(pattern: str, wanted: str) -> Check:
    """Check a string against a regular expression; `wanted` names the form in the error."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            yield broken(pointer, f"must be {wanted}")

    return check


def boolean(value: Any, pointer: str) -> Iterator[Violation]:
    """Check a JSON boolean."""
    if not isinstance(value, bool):
        yield broken(pointer, "must be a boolean")


def any_object(value: Any, pointer: str) -> Iterator[Violation]:
    """Check that a value is an object, whatever its fields."""
    if not isinstance(value, Mapping):
        yield broken(pointer, "must be an object")


def integer(least: int, most: int) -> Check:
    """Check a whole number between `least` and `most`, both included."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield broken(pointer, "must be an integer")
        elif not least <= value <= most:
            yield broken(pointer, f"must be between {least} and {most}")

    return check


def choice(*allowed: str) -> Check:
    """Check one of a few words."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if value not in allowed:
            yield broken(pointer, f"must be a valid enum value: {', '.join(allowed)}")

    return check


def array(item: Check, most: int, least: int = 1) -> Check:
    """Check a list of `least` to `most` items, each by `item`."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if not isinstance(value, list):
            yield broken(pointer, "must be an array")
            return
        if len(value) > most:
            yield broken(pointer, f"no more than {most} items allowed")
        if len(value) < least:
            yield broken(pointer, f"no fewer than {least} items allowed")
        for index, one in enumerate(value):
            yield from item(one, f"{pointer}/{index}")

    return check


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Check an object: these fields must, these may be there, and no others."""
    known = {**required, **(optional or {})}

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if not isinstance(value, Mapping):
            yield broken(pointer, "must be an object")
            return
        for name in required:
            if value.get(name) is None:
                yield broken(pointer, f"missing required field: {name}")
        for name, inner in value.items():
            if name not in known:
                yield broken(pointer, f"invalid additional property: {name}")
            elif inner is not None:
                yield from known[name](inner, f"{pointer}/{name}")

    return check


def by_type(table: Mapping[str, Check], noun: str = "type") -> Check:
    """Check an object by the rule its `type` field names."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if not isinstance(value, Mapping):
            yield broken(pointer, "must be an object")
        elif "type" not in value:
            yield broken(pointer, "missing required field: type")
        elif not isinstance(value["type"], str) or value["type"] not in table:
            yield broken(f"{pointer}/type", f"unsupported {noun}: {value['type']}")
        else:
            yield from table[value["type"]](value, pointer)

    return check


def every(*checks: Check) -> Check:
    """Check a value by several rules."""

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        for one in checks:
            yield from one(value, pointer)

    return check
