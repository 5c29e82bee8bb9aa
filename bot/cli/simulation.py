"""What the rules of a DAG file would come to, for parameters and outputs that somebody makes up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from bot.cli.exits import Exit
from bot.cli.output import say, table, warn
from engine import (
    Came,
    Dag,
    Gate,
    Given,
    Judgement,
    Task,
    TaskId,
    judge_rules,
    outcomes_of,
    secret_sources,
)

Outputs = dict[TaskId, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What the rules of a checkpoint would come to."""

    task: Task
    judged: Judgement


async def simulated(dag: Dag, params: Mapping[str, Any], outputs: Outputs) -> list[Simulated]:
    """What the rules of each checkpoint that has some would come to."""
    marked = secret_sources(dag)
    found = []
    for task, gate in dag.gates:
        if not gate.policy.auto:
            continue
        given = Given(
            dag=dag.name,
            task=task.id,
            tenant=dag.tenant,
            params=params,
            outputs=outputs,
            marked=marked,
        )
        [came] = await outcomes_of([(gate.policy.auto, given)])
        found.append(Simulated(task, judge_rules(gate.policy, came)))
    return found


def has_failed(found: Sequence[Simulated]) -> bool:
    """Whether a rule could not be told."""
    return any(rule.came is Came.FAILED for one in found for rule in one.judged.outcomes)


def outputs_in(dag: Dag, file: Path | None) -> Outputs:
    """What a file says that tasks left; wrong usage ends the command."""
    if file is None:
        return {}
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _unusable(f"{file} is no JSON: {error}") from error
    if not isinstance(read, dict) or not all(isinstance(left, dict) for left in read.values()):
        raise _unusable(f'{file}: expected what each task left, {{"plan": {{"deletes": 0}}}}')
    if unknown := sorted(set(read) - {task.id for task in dag.tasks}):
        raise _unusable(f"{file}: {unknown[0]!r} is no task of {dag.name}")
    return {TaskId(task_id): left for task_id, left in read.items()}


def _unusable(why: str) -> typer.Exit:
    warn(f"error: --outputs {why}")
    return typer.Exit(Exit.USAGE)


def show(found: Sequence[Simulated]) -> None:
    """A row for each rule, and what follows from them."""
    rows = [
        (one.task.id, str(rule.rule), rule.came.value, rule.when, rule.why)
        for one in found
        for rule in one.judged.outcomes
    ]
    headers = ("checkpoint", "rule", "came", "when", "why")
    table(headers, rows, empty="No checkpoint of this DAG has rules without people.")
    for one in found:
        say(f"\n{one.task.id}: {_follows(one)}")


def _follows(one: Simulated) -> str:
    judged, asked = one.judged, _policy_of(one.task)
    if judged.approved_by is not None:
        return f"approved without people, by {judged.approved_by.name}"
    needs = f"{judged.policy.required_role.label}, {judged.policy.quorum} to approve"
    raised = judged.policy != asked
    return f"people are asked: {needs}{', more than without rules' if raised else ''}"


def _policy_of(task: Task) -> object:
    return task.work.policy if isinstance(task.work, Gate) else None


def simulated_json(one: Simulated) -> dict[str, Any]:
    """The same for `--json`."""
    by = one.judged.approved_by
    return {
        "task_id": one.task.id,
        "approved_by": None if by is None else by.name,
        "required_role": one.judged.policy.required_role.label,
        "quorum": one.judged.policy.quorum,
        "rules": [outcome.as_json() for outcome in one.judged.outcomes],
    }
