"""What comes of an export: a file, or the reasons why there is none."""

from dataclasses import dataclass

from engine.errors import Problem


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of the other engine's file, and what it does not carry over as it was."""

    text: str
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class NotExported:
    """What the other engine could not do, or not as it was meant. Nothing is written."""

    problems: tuple[Problem, ...]
