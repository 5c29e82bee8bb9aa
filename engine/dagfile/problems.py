"""Every problem of one file, gathered so that it can be told at once."""

import difflib
from collections.abc import Collection

from engine.errors import Problem

MAX_PROBLEMS = 100
_MAX_WORDS = 2_000


class TooManyProblemsError(Exception):
    """A file this wrong is not read to its end."""


class Problems:
    """The problems found so far."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, line: int | None, message: str) -> None:
        """Note a problem. Raises `TooManyProblemsError` once there are a hundred."""
        self._found.append(Problem(message, line))
        if len(self._found) == MAX_PROBLEMS:
            raise TooManyProblemsError

    def in_order(self) -> tuple[Problem, ...]:
        """All of them, top of the file first."""
        return tuple(sorted(self._found, key=lambda problem: problem.line or 0))


def did_you_mean(word: str, words: Collection[str]) -> str:
    """`; did you mean 'quorum'?`, or nothing when no word comes near."""
    if len(words) > _MAX_WORDS:  # comparing is slow, and a file can hold many mistakes
        return ""
    near = difflib.get_close_matches(word, words, n=1) or [
        known for known in words if known.lower() == word.lower()
    ]
    return f"; did you mean {near[0]!r}?" if near else ""
