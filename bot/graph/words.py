"""What a drawing says of a task, in a line."""

import re
from collections.abc import Mapping
from typing import assert_never

from bot.literal import cut, one_line
from bot.times import duration
from engine import Gate, PythonCall, Shell, Task, TaskId, TaskState

States = Mapping[TaskId, TaskState]
"""Where the tasks of a run stand; empty for a DAG that does not run."""

MARKS = {
    TaskState.SUCCEEDED: "✓",
    TaskState.APPROVED: "✓",
    TaskState.FAILED: "✗",
    TaskState.REJECTED: "✗",
    TaskState.EXPIRED: "✗",
    TaskState.WAITING: "…",
    TaskState.RUNNING: "▶",
}
"""The symbol of a state; `·` stands for every other."""

_LONGEST = 60
_PREPARES = re.compile(r"""\s*(set [-+]|#|\w+=("[^"]*"|'[^']*'|\S*)\s*$)""")
_GOES_ON = frozenset({TaskState.SUCCEEDED, TaskState.APPROVED})


def kind(task: Task) -> str:
    """`command`, `callable` or `checkpoint`."""
    match task.work:
        case Shell():
            return "command"
        case PythonCall():
            return "callable"
        case Gate():
            return "checkpoint"
        case _:
            assert_never(task.work)


def what(task: Task) -> str:
    """What the task does, on one line: its command, its function, or who may decide it."""
    match task.work:
        case Shell(command=str() as command):
            return cut(one_line(_first(command)), _LONGEST)
        case Shell(command=command):
            return cut(one_line(" ".join(command)), _LONGEST)
        case PythonCall(ref=ref):
            return cut(one_line(ref), _LONGEST)
        case Gate() as gate:
            return terms(gate)
        case _:
            assert_never(task.work)


def _first(command: str) -> str:
    """The first line that does something, with an ellipsis where others stand beside it."""
    lines = [line for line in command.splitlines() if line.strip()]
    doing = [line for line in lines if not _PREPARES.match(line)] or lines or [""]
    return f"{doing[0]} …" if len(doing) > 1 else doing[0]


def terms(gate: Gate) -> str:
    """Who may decide, how many it takes, for how long: `Operator, quorum 2, within 3 d`."""
    policy = gate.policy
    parts = [policy.required_role.label]
    if policy.approvers:
        parts.append(f"only {len(policy.approvers)} named")
    if policy.quorum > 1:
        parts.append(f"quorum {policy.quorum}")
    return ", ".join([*parts, f"within {duration(policy.expires_in)}"])


def asks(gate: Gate) -> str:
    """The question, on one line."""
    return cut(one_line(gate.prompt), _LONGEST)


def condition(task: Task, parent: TaskId) -> str:
    """On which outcome of the parent the task starts: `rejected or expired`; empty as usual."""
    wanted = task.when.get(parent, _GOES_ON)
    return "" if wanted == _GOES_ON else " or ".join(sorted(wanted))


def conditions(task: Task) -> str:
    """`when approve is rejected`; empty where the task starts as usual."""
    named = [
        f"{one_line(parent)} is {on}" for parent in task.when if (on := condition(task, parent))
    ]
    return f"when {', '.join(named)}" if named else ""
