"""The way of one Prefect flow run through its DAG."""

import datetime  # noqa: ICN001 (in full, as fields name it)
import json
import re
import textwrap
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Annotated, Any

from prefect import allow_failure, suspend_flow_run
from prefect.artifacts import create_table_artifact
from prefect.futures import PrefectFuture
from prefect.input import (
    RunInput,
    create_flow_run_input,
    delete_flow_run_input,
    read_flow_run_input,
)
from prefect.states import Failed, State
from pydantic import ConfigDict, Field

from engine.export.carried.attempts import at_work, end_group

# ---- The way through the DAG

A_DATE = Annotated[datetime.date, Field(json_schema_extra={"pattern": r"^\d{4}-\d{2}-\d{2}$"})]
GOOD = frozenset({"succeeded", "approved"})
NO_VALUE = "(no value)"
PROGRESS = "progress"  # the name under which a suspended run remembers what is not a result


@dataclass(frozen=True)
class Gate:
    """A checkpoint: the flow is suspended until somebody answers, or fails at the deadline."""

    form: type[RunInput]
    prompt: str
    seconds: int
    show: tuple[tuple[str, str, bool], ...] = ()  # label, value, whether it is secret


@dataclass(frozen=True)
class Step:
    """A task or a gate, and for each parent the outcomes that let it run."""

    work: Any  # a task of Prefect, or a gate
    after: Mapping[str, Collection[str]] = field(default_factory=dict)


def filled_in(approve: Collection[str] = (), reject: Collection[str] = ()) -> ConfigDict:
    """What must not be left empty in a form: to approve, and to reject."""

    def rule(approved: bool, names: Collection[str]) -> dict[str, Any]:
        properties = {name: {"not": {"const": None}, "pattern": r"\S"} for name in names}
        return {
            "if": {"properties": {"approved": {"const": approved}}},
            "then": {"required": [*names], "properties": properties},
        }

    return ConfigDict(json_schema_extra={"allOf": [rule(True, approve), rule(False, reject)]})


def number(
    least: float | None = None, most: float | None = None, description: str | None = None
) -> Any:
    """A number within bounds; the schema has them by names that the server checks."""
    bounds = {"minimum": least, "maximum": most}
    told: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    return Field(ge=least, le=most, description=description, json_schema_extra=told)


class Walk:
    """The way of one flow run through its DAG. `steps` has parents before children."""

    def __init__(
        self, steps: Mapping[str, Step], params: Mapping[str, Any], timeout_s: float | None
    ) -> None:
        self.steps = steps
        self.params = {
            f"params__{name}": as_json(value)
            for name, value in params.items()
            if not is_blank(value)
        }
        self.timeout_s = timeout_s
        self.outputs: dict[str, dict[str, Any]] = {}
        at_work.is_ending = False
        self.futures: dict[str, PrefectFuture] = {}
        self.running: set[str] = set()
        self.done: SimpleQueue[str] = SimpleQueue()
        # A flow that was suspended runs from its top again. Prefect remembers what succeeded.
        progress = read_flow_run_input(PROGRESS) or {"failed": [], "worked_s": 0.0}
        forget_progress()
        self.began = time.monotonic() - progress["worked_s"]
        self.outcomes: dict[str, str] = dict.fromkeys(progress["failed"], "failed")

    def go(self) -> State | dict[str, str]:
        """Run everything that can run; then ask; then go on, until nothing is left."""
        in_time = True
        try:
            while in_time and len(self.outcomes) < len(self.steps):
                gates = self.start()
                if self.running:
                    in_time = self.wait()
                elif gates:
                    self.ask(gates[0])
        finally:
            at_work.is_ending = True
            for process in list(at_work.programs):
                end_group(process)
        return self.verdict() if in_time else Failed(message="the run took longer than its timeout")

    def start(self) -> list[str]:
        """Skip what is not let through, start what is, and tell the gates that are reached."""
        gates: list[str] = []
        for name, step in self.steps.items():
            is_open = name not in self.outcomes and name not in self.running
            if not is_open or not all(parent in self.outcomes for parent in step.after):
                continue
            if not all(self.outcomes[parent] in wanted for parent, wanted in step.after.items()):
                self.outcomes[name] = "skipped"
            elif isinstance(step.work, Gate):
                gates.append(name)
            else:
                self.submit(name, step)
        return gates

    def submit(self, name: str, step: Step) -> None:
        """Start a task with its parents' outputs."""
        parents = [allow_failure(self.futures[p]) for p in step.after if p in self.futures]
        future = step.work.submit(self.inputs(step.after), wait_for=parents)
        self.futures[name] = future
        self.running.add(name)
        future.add_done_callback(lambda _future: self.done.put(name))

    def inputs(self, parents: Collection[str]) -> dict[str, Any]:
        """The parameters, and what these tasks put out, as `task__key`."""
        found = dict(self.params)
        for parent in parents:
            found |= {f"{parent}__{key}": v for key, v in self.outputs.get(parent, {}).items()}
        return found

    def wait(self) -> bool:
        """Wait for the next task to end. False when the time of the whole run is over."""
        left = None
        if self.timeout_s is not None:
            left = max(0.0, self.began + self.timeout_s - time.monotonic())
        try:
            name = self.done.get(timeout=left)
        except Empty:
            return False
        self.running.remove(name)
        future = self.futures[name]
        future.wait()
        if future.state.is_completed():
            self.outcomes[name], self.outputs[name] = "succeeded", future.result()
        else:
            self.outcomes[name] = "failed"
        return True

    def ask(self, name: str) -> None:
        """Suspend the flow here; when it was answered already, go on with the answer."""
        gate = self.steps[name].work
        failed = [task for task, outcome in self.outcomes.items() if outcome == "failed"]
        forget_progress()
        create_flow_run_input(
            PROGRESS, {"failed": failed, "worked_s": time.monotonic() - self.began}
        )
        form = gate.form.with_initial_data(description=self.described(gate))
        answer = suspend_flow_run(wait_for_input=form, timeout=gate.seconds, key=name)
        self.outcomes[name], self.outputs[name] = outcome_of(answer)

    def described(self, gate: Gate) -> str:
        """What people are shown: as a block of code, so that no value is taken for Markdown."""
        values = self.inputs(self.outputs)
        facts = (
            f"{label}: {'[hidden]' if secret else as_text(values.get(source, NO_VALUE))}"
            for label, source, secret in gate.show
        )
        said = "\n".join([render(gate.prompt, values), *facts])
        return textwrap.indent(said, "    ", lambda _line: True)

    def verdict(self) -> State | dict[str, str]:
        """How the run ended: a bad end is forgiven where a task that waited for it succeeded."""
        rows = [{"task": name, "outcome": self.outcomes[name]} for name in self.steps]
        create_table_artifact(rows, key="outcomes", description="How each task of the DAG ended")
        forgiven = {
            parent
            for name, step in self.steps.items()
            if self.outcomes[name] in GOOD
            for parent in step.after
        }
        for bad in ("failed", "rejected"):
            for name in self.steps:
                if self.outcomes[name] == bad and name not in forgiven:
                    return Failed(message=f"{name} {'was ' * (bad == 'rejected')}{bad}")
        return self.outcomes


def forget_progress() -> None:
    """Take back what an earlier part of this run remembered."""
    if read_flow_run_input(PROGRESS) is not None:
        delete_flow_run_input(PROGRESS)


def outcome_of(answer: RunInput) -> tuple[str, dict[str, Any]]:
    """How a gate ended, and what its children are given. Prefect does not say who answered."""
    said = answer.model_dump(mode="json")
    is_approved, reason = said.pop("approved"), said.pop("reason") or ""
    decision = "approved" if is_approved else "rejected"
    filled: dict[str, Any] = {}
    for name, value in said.items() if is_approved else ():
        counts = type(answer).model_fields[name].default if is_blank(value) else value
        if not is_blank(counts):
            filled[name] = as_json(counts)
    return decision, {**filled, "decision": decision, "decided_by": None, "reason": reason}


def is_blank(value: object) -> bool:
    """Whether a field was left empty."""
    return value is None or (isinstance(value, str) and not value.strip())


def as_json(value: Any) -> Any:
    """A value as tasks are given it: a date is a text."""
    return value.isoformat() if isinstance(value, datetime.date) else value


def render(template: str, values: Mapping[str, Any]) -> str:
    """Put values in the place of `{{ task__key }}`, once."""

    def quote(found: re.Match[str]) -> str:
        return as_text(values.get(found[1], NO_VALUE))

    return re.sub(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}", quote, template)


def as_text(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
