"""What the tasks of an exported Prefect flow have in common."""

import random
from collections.abc import Collection, Mapping
from typing import Any

from prefect.context import TaskRunContext
from prefect.logging import get_run_logger

from engine.export.carried.attempts import CALL, PYTHON, as_variables, at_work, attempt

# ---- Tasks of Prefect


def command(
    argv: list[str],
    inputs: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str = "",
    timeout_s: float | None = None,
    secrets: Collection[str] = (),
) -> dict[str, Any]:
    """Run a program. `secrets` names the inputs and variables that its log must not show."""
    variables = {**as_variables(inputs), **(env or {})}
    return attempt(
        argv,
        inputs,
        variables={**variables, **about_itself()},
        cwd=cwd,
        timeout_s=timeout_s,
        hidden=values_of(secrets, {**inputs, **variables}),
        say=get_run_logger().info,
    )


def function(
    ref: str,
    inputs: Mapping[str, Any],
    *,
    params: Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
    secrets: Collection[str] = (),
) -> dict[str, Any]:
    """Call `package.module:function` of the DAG's folder; it may be `async`."""
    return attempt(
        [PYTHON, "-c", CALL, ref],
        {"inputs": dict(inputs), "params": dict(params or {})},
        variables={**as_variables(inputs), **about_itself()},
        cwd="",
        timeout_s=timeout_s,
        hidden=values_of(secrets, inputs),
        say=get_run_logger().info,
    )


def values_of(names: Collection[str], known: Mapping[str, Any]) -> list[str]:
    """The texts and numbers that are called so, as they may be printed."""
    return [str(known[name]) for name in names if isinstance(known.get(name), str | int | float)]


def about_itself() -> dict[str, str]:
    """What a task is told about itself."""
    context = TaskRunContext.get()
    return {
        "SIGNOFF_RUN_ID": str(context.task_run.flow_run_id),
        "SIGNOFF_TASK_ID": context.task.name,
        "SIGNOFF_ATTEMPT": str(context.task_run.run_count),
    }


HOUR_S = 3600.0
DOUBLINGS = 20


def back_off(first_s: float, retries: int) -> list[float]:
    """The waits before each retry: doubled up to an hour, plus up to a half by chance."""
    waits: list[float] = []
    for number in range(min(retries, DOUBLINGS + 1)):  # Prefect repeats the last one
        wait = first_s * (1 + random.random() / 2)  # noqa: S311 (parts a herd, hides nothing)
        waits.append(min(wait * 2**number, max(wait, HOUR_S)))
    return waits


def once_a_run(context: TaskRunContext, _parameters: dict[str, Any]) -> str:
    """The key of a task's result: a flow that goes on after a suspension finds it there."""
    return f"{context.task_run.flow_run_id}-{context.task.name}"


def may_try_again(_task: Any, _task_run: Any, _state: Any) -> bool:
    """Whether a failed task is tried again, if it has a retry left."""
    return not at_work.is_ending


# What every task has in common.
KEPT: dict[str, Any] = {
    "persist_result": True,
    "cache_key_fn": once_a_run,
    "retry_condition_fn": may_try_again,
}
