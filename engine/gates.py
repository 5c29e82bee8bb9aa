"""Gates of runs that live on another engine: what waits there, what is said, what is found.

A backend's adapter speaks in these values, whatever its engine calls things. Times are aware
and in UTC, on our clock: an adapter that is told a time by a server of another mind corrects it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from engine.model import InputField, InputType, JsonObject, RunState

OPTION = "option"
"""The input of a checkpoint that says which of its gate's options is taken; no form may use it."""


class BackendKind(StrEnum):
    """The engines that a backend can be."""

    AIRFLOW = "airflow"
    PREFECT = "prefect"

    @property
    def label(self) -> str:
        """The name as people write it: `Airflow`, `Prefect`."""
        return self.capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRef:
    """Where a gate is found again.

    `key` names this one asking, not the task: what is cleared and asked again has another.
    """

    key: str  # Airflow: the task instance's id; Prefect: the id of the paused state
    dag: str  # Airflow: the DAG's id; Prefect: the flow's name
    run: str  # Airflow: the DAG run's id; Prefect: the flow run's id
    task: str  # Airflow: the task's id; Prefect: the key of the pause
    index: int = -1  # of a mapped task; -1 for one that is not

    @property
    def task_name(self) -> str:
        """The task as a person names it: `approve`, `approve[3]`."""
        return self.task if self.index < 0 else f"{self.task}[{self.index}]"

    def as_json(self) -> dict[str, Any]:
        """The stored form. `from_json` reads it back."""
        return {
            "key": self.key,
            "dag": self.dag,
            "run": self.run,
            "task": self.task,
            "index": self.index,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The value that `as_json` stored."""
        return cls(**stored)


@dataclass(frozen=True, slots=True)
class Starter:
    """Who started a run, as its engine tells it."""

    account: str | None = None  # the user's name there; None where it is not told
    by_schedule: bool = False  # nobody did: the clock, or another run


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingGate:
    """A gate that waits for an answer."""

    ref: GateRef
    prompt: str  # what is asked, as plain text
    options: tuple[str, ...]  # what can be answered, in the engine's order; at least one
    defaults: tuple[str, ...] = ()  # the options the engine itself takes when its time is up
    multiple: bool = False  # whether several options may be chosen at once
    fields: tuple[InputField, ...] = ()  # the form that goes with an answer
    assigned: tuple[str, ...] = ()  # accounts there that alone may answer; empty: no limit
    deadline: datetime | None = None  # when the engine stops waiting; None where it is not told
    url: str = ""  # the page of the gate, for a browser
    starter: Starter = Starter()
    params: JsonObject = field(default_factory=dict)  # what the run was started with


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is said to a gate. Without options it is withdrawn: nothing behind it runs."""

    options: tuple[str, ...]
    values: JsonObject = field(default_factory=dict)  # what was filled in; the rest is as given
    by: str = ""  # who decided, for the engine's own record
    reason: str = ""
    checkpoint_id: str = ""
    is_no: bool = False  # a person's no, or an expiry: the task may well end as failed

    @property
    def withdraws(self) -> bool:
        """Whether it ends the gate instead of answering it."""
        return not self.options


@dataclass(frozen=True, slots=True)
class Waits:
    """Nobody has answered: the gate waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Somebody has answered.

    `is_ours`: it says what our reply says, by our account. `went_on`: whether the engine made
    something of it; None while that is not known.
    """

    is_ours: bool
    went_on: bool | None
    by: str = ""  # the account that answered, where the engine tells it
    said: str = ""  # what was answered, in words: `Approve`, `canary, dry run`
    at: datetime | None = None
    found: str = ""  # where it stands there, in words, when it has not gone on


@dataclass(frozen=True, slots=True)
class Gone:
    """The gate waits no more, and nobody answered it; `why` is the end of a sentence.

    `withdrawn`: it ended the way our withdrawal ends it.
    """

    why: str  # such as: `its task was cleared`, `the run was deleted`
    withdrawn: bool = False


Found = Waits | Answered | Gone


def option_field(approving: Sequence[str], *, multiple: bool) -> InputField | None:
    """The input that asks which option is taken; None where only one approves."""
    if len(approving) <= 1:
        return None
    kind = InputType.CHOICES if multiple else InputType.CHOICE
    return InputField(name=OPTION, type=kind, required=True, options=tuple(approving))


@dataclass(frozen=True, slots=True)
class Taken:
    """The engine took the reply. Whether it has an effect is another look."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The engine does not take this reply; `why` is a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """The gate was not waiting any more: look who was first."""


Told = Taken | Declined | TooLate


@dataclass(frozen=True, slots=True)
class RunThere:
    """How a run stands on its engine."""

    state: RunState
    because: str | None = None  # the task that decided a bad end


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a check of a backend found."""

    version: str
    account: str  # as whom we are known there; empty where nobody is
    may_list: bool
    may_answer: bool | None  # None: cannot be told without answering
    skew: timedelta | None = None  # how far its clock is ahead of ours; None where it tells none
    warnings: tuple[str, ...] = ()  # sentences
