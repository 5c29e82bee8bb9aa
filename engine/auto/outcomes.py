"""What the rules of a checkpoint came to. Part of its request, so of what its digest covers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Came(StrEnum):
    """What an expression came to."""

    TRUE = "true"
    FALSE = "false"
    FAILED = "failed"  # it could not be told: people are asked


@dataclass(frozen=True, slots=True)
class FactRead:
    """A value that an expression read, as text, cut short; without secrets."""

    name: str  # `outputs.plan.deletes`
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """A rule as it was evaluated, once, when its checkpoint opened."""

    rule: int  # its place in the policy, from 1
    when: str  # the expression
    came: Came
    why: str = ""  # why it failed, or why a true one does not approve: the end of a sentence
    read: tuple[FactRead, ...] = ()

    @property
    def name(self) -> str:
        """`rule 1`."""
        return f"rule {self.rule}"

    def as_json(self) -> dict[str, Any]:
        """The stored form. `from_json` reads it back."""
        return {
            "rule": self.rule,
            "when": self.when,
            "came": self.came,
            "why": self.why,
            "read": {fact.name: fact.value for fact in self.read},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The value that `as_json` stored."""
        read = tuple(FactRead(name, value) for name, value in sorted(stored["read"].items()))
        return cls(**{**stored, "came": Came(stored["came"]), "read": read})
