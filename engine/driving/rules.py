"""The rules of the checkpoints that a turn opens, evaluated before it is written."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from engine.auto.facts import Given, tasks_read
from engine.auto.language import read_expression
from engine.auto.rules import outcomes_of
from engine.dag import Gate
from engine.driving import advance
from engine.driving.advance import Turn
from engine.driving.crew import Surroundings
from engine.errors import InvalidExpression
from engine.model import AutoRule, JsonObject, TaskId, TaskState
from engine.store.writer import Store
from engine.tasks.redaction import secret_sources


async def with_rules(store: Store, around: Surroundings, turn: Turn) -> Turn:
    """The turn, with what the rules of all it opens came to. Raises `StoreError`."""
    ruled = {task_id: rules for task_id in turn.open if (rules := _rules(around, task_id))}
    if not ruled:
        return turn
    outputs = await _outputs(store, around, turn, _tasks(ruled.values()))
    asked = [(rules, _given(around, task_id, outputs)) for task_id, rules in ruled.items()]
    return replace(turn, rules=dict(zip(ruled, await outcomes_of(asked), strict=True)))


def _rules(around: Surroundings, task_id: TaskId) -> tuple[AutoRule, ...]:
    work = around.dag.task(task_id).work
    return work.policy.auto if isinstance(work, Gate) else ()


def _tasks(every: Iterable[tuple[AutoRule, ...]]) -> set[TaskId]:
    """The tasks whose outputs some rule reads."""
    found: set[TaskId] = set()
    for rule in (rule for rules in every for rule in rules):
        try:
            found |= tasks_read(read_expression(rule.when).reads)
        except InvalidExpression:
            continue  # it reads nothing, and is told as failed when it is evaluated
    return found


async def _outputs(
    store: Store, around: Surroundings, turn: Turn, wanted: set[TaskId]
) -> dict[TaskId, JsonObject]:
    """What these tasks left: with this turn, or before."""
    look = partial(advance.outputs_of, run_id=around.run_id, task_ids=wanted)
    before = await store.read(look) if wanted else {}
    fresh = {
        done.task_id: done.output or {}
        for done in turn.finished
        if done.task_id in wanted and done.state is TaskState.SUCCEEDED
    }
    return {**before, **fresh}


def _given(around: Surroundings, task_id: TaskId, outputs: dict[TaskId, JsonObject]) -> Given:
    return Given(
        dag=around.dag.name,
        task=task_id,
        tenant=around.dag.tenant,
        params=around.params,
        outputs=outputs,
        marked=secret_sources(around.dag),
    )
