"""Reading the keys of a mapping: each as its type, with what was expected where it is not."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import TypeVar

from engine.dagfile.problems import Problems, did_you_mean
from engine.dagfile.yaml_nodes import Entries, Items, Node, Scalar, describe
from engine.errors import Problem

T = TypeVar("T")
Read = Callable[[Node], T]

LONGEST = timedelta(days=365)

_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_DURATION = re.compile(
    r"(?=.)(?:(?P<days>\d{1,8})d)?(?:(?P<hours>\d{1,8})h)?"
    r"(?:(?P<minutes>\d{1,8})m)?(?:(?P<seconds>\d{1,8})s)?",
    re.ASCII,
)
# YAML 1.1, which older files were written for, calls all of these booleans.
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}


class MisreadError(Exception):
    """A node that is not what its key wants. Carries every problem below that key."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(*problems)


def unexpected(node: Node, expected: str) -> MisreadError:
    """Make the error that says what was expected, and what stands there."""
    return MisreadError(Problem(f"expected {expected}, got {describe(node)}", node.line))


def _unquoted(node: Node, expected: str) -> MisreadError:
    quoted = isinstance(node, Scalar) and node.quoted
    return unexpected(node, f"{expected}, without quotes" if quoted else expected)


class Fields:
    """The keys of one mapping. A problem is noted, and reading goes on with the default."""

    def __init__(
        self, node: Entries, where: str, problems: Problems, *, line: int | None = None
    ) -> None:
        self.where = where
        self.line = node.line if line is None else line
        self.problems = problems
        self._node = node

    def __contains__(self, key: str) -> bool:
        return key in self._node.nodes

    def line_of(self, key: str) -> int:
        """Give the line of a key; of the mapping when it is not there."""
        return self._node.key_lines.get(key, self.line)

    def get(self, key: str, read: Read[T], default: T) -> T:
        """Read the value of a key, or the default when it is absent or wrong."""
        node = self._node.nodes.get(key)
        if node is None:
            return default
        try:
            return read(node)
        except MisreadError as misread:
            for problem in misread.problems:
                self.problems.add(problem.line, self.told(key, problem.message))
            return default

    def need(self, key: str, read: Read[T], default: T) -> T:
        """Read a key that must be there; the default only stands in after a problem."""
        if key not in self:
            self.problems.add(self.line, f"{self.where} needs the key {key!r}")
        return self.get(key, read, default)

    def wrong(self, key: str, message: str) -> None:
        """Note a problem that the value of a key has with something else."""
        self.problems.add(self.line_of(key), self.told(key, message))

    def told(self, key: str, message: str) -> str:
        """A problem of a key, as people read it."""
        return f"{key!r} in {self.where}: {message}"

    def unknown(self, known: Collection[str]) -> Iterator[str]:
        """Find the keys that are not among those known."""
        return (key for key in self._node.nodes if key not in known)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Note every key that is not among those known."""
        for key in self.unknown(known):
            near = did_you_mean(key, known)
            self.problems.add(self.line_of(key), f"unknown key {key!r} in {self.where}{near}")


def mapping(node: Node) -> Entries:
    """Read a mapping."""
    if isinstance(node, Entries):
        return node
    raise unexpected(node, "a mapping")


def text(node: Node) -> str:
    """Read text as it was written, quoted or not: `run: true` is the command `true`."""
    if isinstance(node, Scalar) and not node.is_null and node.text.strip():
        return node.text
    raise unexpected(node, "text")


def any_text(node: Node) -> str:
    """Read text that may be empty, if it is quoted."""
    if isinstance(node, Scalar) and not node.is_null:
        return node.text
    raise unexpected(node, "text")


def matching(pattern: re.Pattern[str], expected: str) -> Read[str]:
    """Read text of one shape."""

    def read(node: Node) -> str:
        if isinstance(node, Scalar) and not node.is_null and pattern.fullmatch(node.text):
            return node.text
        raise unexpected(node, expected)

    return read


def one_of(words: Mapping[str, T], *, any_case: bool = False) -> Read[T]:
    """Read one of some words, as what it means."""

    def read(node: Node) -> T:
        word = node.text if isinstance(node, Scalar) and not node.is_null else ""
        key = word.strip().lower() if any_case else word
        if key in words:
            return words[key]
        wrong = unexpected(node, f"one of {', '.join(words)}")
        near = did_you_mean(word, words)
        raise MisreadError(
            *(Problem(problem.message + near, problem.line) for problem in wrong.problems)
        )

    return read


def truth(node: Node) -> bool:
    """Read `true` or `false`, not in quotes."""
    if isinstance(node, Scalar) and not node.quoted:
        value = _TRUTHS.get(node.text.lower())
        if value is not None:
            return value
    raise _unquoted(node, "true or false")


def whole(least: int, most: int) -> Read[int]:
    """Read a whole number between two bounds, not in quotes."""

    def read(node: Node) -> int:
        if isinstance(node, Scalar) and not node.quoted and _WHOLE.fullmatch(node.text):
            number = int(node.text)
            if least <= number <= most:
                return number
        raise _unquoted(node, f"a whole number from {least} to {most}")

    return read


def duration(node: Node) -> timedelta:
    """Read a time span above zero, up to a year: `90s`, `1h30m`, `2d`, or seconds."""
    span = _span(node)
    if timedelta(0) < span <= LONGEST:
        return span
    raise unexpected(node, "a duration above zero, up to 365d")


def pause(node: Node) -> timedelta:
    """Read a time span that may be zero."""
    span = _span(node)
    if span <= LONGEST:
        return span
    raise unexpected(node, "a duration up to 365d")


def _span(node: Node) -> timedelta:
    if isinstance(node, Scalar):
        if _SECONDS.fullmatch(node.text) and not node.quoted:
            return timedelta(seconds=float(node.text))
        if match := _DURATION.fullmatch(node.text):
            return timedelta(**{unit: int(count or 0) for unit, count in match.groupdict().items()})
    raise unexpected(node, "a duration such as 90s, 30m, 72h, 2d, 1h30m, or a number of seconds")


def each(node: Node, read: Read[T], expected: str = "a list") -> tuple[T, ...]:
    """Read every item of a list alike; all that are wrong are told together."""
    if not isinstance(node, Items):
        raise unexpected(node, expected)
    values: list[T] = []
    wrong: list[Problem] = []
    for item in node.nodes:
        try:
            values.append(read(item))
        except MisreadError as misread:
            wrong.extend(misread.problems)
    if wrong:
        raise MisreadError(*wrong)
    return tuple(values)


def each_value(node: Node, read: Read[T]) -> dict[str, T]:
    """Read every value of a mapping alike; all that are wrong are told together."""
    values: dict[str, T] = {}
    wrong: list[Problem] = []
    for key, value in mapping(node).nodes.items():
        try:
            values[key] = read(value)
        except MisreadError as misread:
            wrong.extend(
                Problem(f"{key!r}: {problem.message}", problem.line) for problem in misread.problems
            )
    if wrong:
        raise MisreadError(*wrong)
    return values


def is_nothing(node: Node) -> bool:
    """Tell whether a key was written without a value."""
    return isinstance(node, Scalar) and node.is_null
