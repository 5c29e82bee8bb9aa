"""What the policy is given and what it answers: votes and answers in, a ruling with its trace out.

A ruling carries its trace: every rule that was applied, with what it needed and
what it found. A refusal is a ruling whose trace has failed findings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from engine.identity import Candidate, Lending, PersonId
from engine.json_values import spelt
from engine.model import CheckpointState, Choice, JsonObject


class Rule(StrEnum):
    """The rules, by the names that traces and audit rows use."""

    LOOK_UP = "look_up"  # the surface could not say who this is
    OPEN = "open"
    ASKABLE = "askable"  # whether the same question can be asked again
    CANCELLABLE = "cancellable"  # whether a run can be called off
    RETRYABLE = "retryable"  # whether the failed tasks of a run can be tried again
    STANDSTILL = "standstill"  # whether there is a standstill to begin, or to end
    DIGEST = "digest"
    STANDING = "standing"
    ENABLED = "enabled"  # whether an Admin has stopped this person
    ROLE = "role"
    APPROVERS = "approvers"
    DELEGATION = "delegation"  # whether somebody on the approver list lends their place
    ASSIGNED = "assigned"  # whom the engine that holds the run lets answer
    SELF_APPROVAL = "self_approval"
    KNOWN_PERSON = "known_person"
    REASON = "reason"
    INPUTS = "inputs"
    ALONE = "alone"  # whether it may be decided together with others
    QUORUM = "quorum"
    BREAK_GLASS = "break_glass"  # whether any rule stands in the way that breaking glass overrides
    REVIEW = "review"  # whether there is a review to sign
    REVIEWER = "reviewer"  # another person than those whom a review is about
    PEOPLE = "people"  # whether persons and accounts stand as a change of them needs


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule applied: what it needed, what it found."""

    rule: Rule
    passed: bool
    needed: str
    found: str
    person: PersonId | None = None  # whose earlier vote this is about; None: the answer itself

    def as_json(self) -> dict[str, Any]:
        """The finding as it is recorded. `from_json` reads it back."""
        about = {} if self.person is None else {"person": self.person}
        return {
            "rule": self.rule,
            "passed": self.passed,
            "needed": self.needed,
            "found": self.found,
            **about,
        }

    @classmethod
    def from_json(cls, stored: JsonObject) -> Self:
        """The finding that `as_json` recorded."""
        return cls(**{**stored, "rule": Rule(stored["rule"])})


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and why. Nothing was recorded but the attempt."""

    trace: tuple[Finding, ...]
    field_errors: Mapping[str, str] = field(default_factory=dict)  # input name -> sentence

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """The findings that failed."""
        return tuple(finding for finding in self.trace if not finding.passed)

    def names(self, rule: Rule) -> bool:
        """Whether this rule is among the reasons."""
        return any(finding.rule is rule for finding in self.reasons)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Counted, and still waiting for more persons."""

    trace: tuple[Finding, ...]
    inputs: Mapping[str, Any]
    have: int
    needed: int
    lender: Lending | None = None  # whose place was lent, when a delegate answered


@dataclass(frozen=True, slots=True)
class Settled:
    """Counted, and enough: the checkpoint ends in this state."""

    trace: tuple[Finding, ...]
    inputs: Mapping[str, Any]
    state: CheckpointState
    counted: tuple[PersonId, ...]
    lender: Lending | None = None  # as in `Accepted`


Ruling = Refused | Accepted | Settled


@dataclass(frozen=True, slots=True)
class Overruled:
    """An Admin broke the glass: the checkpoint ends in this state, whatever `overridden` asks."""

    trace: tuple[Finding, ...]
    inputs: Mapping[str, Any]
    state: CheckpointState
    lender: None = None  # nobody breaks the glass in the place of another

    @property
    def overridden(self) -> tuple[Finding, ...]:
        """The rules that stood in the way: each would have refused, or waited for more people."""
        return tuple(finding for finding in self.trace if not finding.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a candidate says, and the digest of the request they were looking at."""

    choice: Choice
    reason: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict)
    request_digest: str


def agree(one: JsonObject, other: JsonObject) -> bool:
    """Whether two persons filled in the same, as JSON has it: 1 is 1.0, and true is neither."""
    return spelt(one) == spelt(other)


def lapsed(trace: Iterable[Finding]) -> frozenset[PersonId]:
    """Whose earlier votes did not count, by the trace of a later decision."""
    return frozenset(finding.person for finding in trace if finding.person is not None)


@dataclass(frozen=True, slots=True)
class Vote:
    """An earlier answer that still stands, by a person looked up again just now.

    `voter` is None when the look-up could not be repeated: such a vote does not count.
    """

    person_id: PersonId
    choice: Choice
    voter: Candidate | None
    inputs: JsonObject = field(default_factory=dict)  # what was filled in, as it was understood
    for_person: PersonId | None = None  # who lent their place, when it is a delegate's vote

    @property
    def persons(self) -> frozenset[PersonId]:
        """Whose voices it uses up: a delegate's vote is both the delegate's and the lender's."""
        own = frozenset({self.person_id})
        return own if self.for_person is None else own | {self.for_person}
