"""A DAG as a Mermaid flowchart, which GitHub and many wikis draw."""

import re

from bot.graph.shape import parents_of
from bot.graph.words import States, asks, condition, what
from bot.literal import one_line
from engine import Dag, Gate, Task, TaskState

# Mermaid reads much into punctuation; what is not listed here is written as its number.
_NOT_PLAIN = re.compile(r"[^\w ,.:(){}/+?!=⏸…-]")

_LOOKS = {
    "checkpoint": "fill:#fff4cf,stroke:#b7791f,color:#1f2328",
    "good": "fill:#dcf5e3,stroke:#1a7f37,color:#1f2328",
    "bad": "fill:#ffe3e0,stroke:#cf222e,color:#1f2328",
    "active": "fill:#dbeafe,stroke:#0969da,color:#1f2328",
}
_LOOK_OF = {
    TaskState.SUCCEEDED: "good",
    TaskState.APPROVED: "good",
    TaskState.FAILED: "bad",
    TaskState.REJECTED: "bad",
    TaskState.EXPIRED: "bad",
    TaskState.RUNNING: "active",
    TaskState.WAITING: "active",
}


def as_mermaid(dag: Dag, states: States | None = None) -> str:
    """The flowchart, top down, without an end of line after it."""
    # Task ids are not used as Mermaid's: `end`, for one, would break the chart.
    names = {task.id: f"t{number}" for number, task in enumerate(dag.tasks, start=1)}
    lines = ["flowchart TD"]
    used: dict[str, None] = {}
    for task in dag.tasks:
        look = _look(task, states or {})
        used |= {look: None} if look else {}
        suffix = f":::{look}" if look else ""
        lines.append(f"    {names[task.id]}{_node(task, states or {})}{suffix}")
    for task in dag.tasks:
        for parent in parents_of(task):
            on = condition(task, parent)
            label = f'|"{_escaped(on)}"|' if on else ""
            lines.append(f"    {names[parent]} -->{label} {names[task.id]}")
    lines += [f"    classDef {look} {_LOOKS[look]}" for look in used]
    return "\n".join(lines)


def _node(task: Task, states: States) -> str:
    said = [one_line(task.id), what(task)]
    if isinstance(task.work, Gate):
        said = [f"⏸ {one_line(task.id)}", asks(task.work), what(task)]
    if task.id in states:
        said.append(states[task.id].value)
    label = "<br/>".join(_escaped(line) for line in said if line)
    return f'{{{{"{label}"}}}}' if isinstance(task.work, Gate) else f'["{label}"]'


def _look(task: Task, states: States) -> str:
    if task.id in states:
        return _LOOK_OF.get(states[task.id], "")
    return "checkpoint" if isinstance(task.work, Gate) else ""


def _escaped(text: str) -> str:
    return _NOT_PLAIN.sub(lambda found: f"#{ord(found[0])};", text)
