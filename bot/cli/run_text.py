"""Runs as a terminal shows them."""

import json
from collections.abc import Iterator, Sequence

from bot import wording
from bot.cli.json_views import task_json
from bot.cli.output import Moments, details, emit, jsonable, say, table
from engine import (
    Checkpoint,
    CheckpointState,
    Dag,
    Gate,
    PythonCall,
    Run,
    RunState,
    RunView,
    Shell,
    Task,
    TaskId,
    TaskRecord,
    TaskState,
    dag_digest,
)

_TAIL_LINES = 20
_MARKS = {
    TaskState.SUCCEEDED: "✓",
    TaskState.APPROVED: "✓",
    TaskState.FAILED: "✗",
    TaskState.REJECTED: "✗",
    TaskState.EXPIRED: "✗",
    TaskState.WAITING: "…",
    TaskState.RUNNING: "▶",
}
_UNTOLD = frozenset({TaskState.PENDING})


class Progress:
    """Tells what changed since the last look."""

    def __init__(self, *, told_pauses: bool) -> None:
        self._told: dict[TaskId, tuple[TaskState, int]] = {}
        self._told_pauses = told_pauses

    def report(self, view: RunView) -> None:
        """Say what is new."""
        for task in view.tasks.values():
            stands = (task.state, task.attempt)
            if self._told.get(task.id) != stands and task.state not in _UNTOLD:
                self._told[task.id] = stands
                self._tell(view, task)

    def _tell(self, view: RunView, task: TaskRecord) -> None:
        attempt = f" (attempt {task.attempt})" if task.attempt > 1 else ""
        say(f"{_MARKS.get(task.state, '·')} {task.id} {task.state.value}{attempt}")
        if task.state is TaskState.FAILED:
            _tell_failure(task)
        if task.state is TaskState.WAITING and self._told_pauses:
            for checkpoint in open_checkpoints(view):
                if checkpoint.task_id == task.id:
                    say(f"  {checkpoint.id}  {checkpoint.prompt}")
                    _how_to_decide(checkpoint)


def _tell_failure(task: TaskRecord) -> None:
    if task.error:
        details([("error", task.error)])
    tail = (task.log_tail or "").strip()
    if tail:
        details([("log", "\n".join(tail.splitlines()[-_TAIL_LINES:]))])


def open_checkpoints(view: RunView) -> list[Checkpoint]:
    """What the run asks people now."""
    return [c for c in view.checkpoints if c.state is CheckpointState.PENDING]


def show_end(view: RunView) -> None:
    """How a run ended."""
    say(wording.run_outcome(view.run))


def show_pause(view: RunView, moments: Moments, *, has_worker: bool) -> None:
    """Whom a run waits for, and how to answer."""
    say(f"{view.run.id} is paused: it waits for people.")
    for checkpoint in open_checkpoints(view):
        role = checkpoint.policy.required_role.label
        say(f"{checkpoint.id}  {checkpoint.prompt}")
        say(f"  needs {role}; expires {moments.both(checkpoint.expires_at)}")
        _how_to_decide(checkpoint)
    if not has_worker:
        say(f"Then go on with:  signoff resume {view.run.id}")


def _how_to_decide(checkpoint: Checkpoint) -> None:
    required = "".join(f" --kv {field.name}=…" for field in checkpoint.policy.inputs)
    say(f"  signoff checkpoints approve {checkpoint.id}{required}")
    say(f'  signoff checkpoints reject {checkpoint.id} --reason "…"')


def runs_table(found: Sequence[Run], moments: Moments) -> None:
    """Runs as rows."""
    table(
        ("run", "state", "tenant", "dag", "by", "host", "asked", "ended"),
        [
            (
                run.id,
                run.state.value,
                run.tenant,
                run.dag_name,
                run.requested_as,
                run.host,
                moments.relative(run.created_at),
                "-" if run.ended_at is None else moments.relative(run.ended_at),
            )
            for run in found
        ],
        empty="No runs.",
    )


def show_run(view: RunView, moments: Moments) -> None:
    """A run in full."""
    say(wording.run_outcome(view.run))
    details(_about(view, moments))
    table(
        ("task", "state", "attempt", "took", "output"),
        [_task_row(task) for task in view.tasks.values()],
        empty="No tasks.",
    )
    for task in view.tasks.values():
        if task.state is TaskState.FAILED:
            say(f"{task.id} failed:")
            _tell_failure(task)
    for checkpoint in view.checkpoints:
        say(f"{checkpoint.id}  {checkpoint.state.value}  {checkpoint.prompt}")
    if view.run.state is RunState.PAUSED:
        for checkpoint in open_checkpoints(view):
            _how_to_decide(checkpoint)


def _about(view: RunView, moments: Moments) -> Iterator[tuple[str, str]]:
    run = view.run
    yield "id", run.id
    yield "tenant", run.tenant
    yield "host", run.host
    who = wording.name_of(view.requester)
    yield "asked by", f"{who} ({run.requested_as}), {moments.both(run.created_at)}"
    if run.ended_at is not None:
        yield "ended", moments.both(run.ended_at)
    yield "dag digest", run.dag_digest


def _task_row(task: TaskRecord) -> tuple[str, ...]:
    took = ""
    if task.started_at is not None and task.ended_at is not None:
        took = f"{(task.ended_at - task.started_at).total_seconds():.1f} s"
    output = task_json(task)["output"]
    shown = "" if output is None else json.dumps(output, default=jsonable, ensure_ascii=False)
    return (task.id, task.state.value, str(task.attempt), took, shown)


def show_plan(dag: Dag, *, as_json: bool) -> None:
    """What would run, in an order it could run in."""
    ordered = in_order(dag)
    if as_json:
        emit(
            {
                "dag": dag.name,
                "tenant": dag.tenant,
                "dag_digest": dag_digest(dag),
                "tasks": [
                    {"id": t.id, "kind": _kind(t), "depends_on": list(t.depends_on)}
                    for t in ordered
                ],
            }
        )
        return
    say(f"{dag.name} (tenant {dag.tenant}) would run:")
    table(
        ("task", "kind", "after", "what"),
        [(t.id, _kind(t), ", ".join(t.depends_on), _what(t)) for t in ordered],
        empty="Nothing.",
    )


def in_order(dag: Dag) -> list[Task]:
    """Parents before children, otherwise as written."""
    left, done, ordered = list(dag.tasks), set[TaskId](), list[Task]()
    while left:  # the loader refused cycles, so something is always ready
        ready = [task for task in left if done.issuperset(task.depends_on)]
        ordered += ready
        done |= {task.id for task in ready}
        left = [task for task in left if task.id not in done]
    return ordered


def _kind(task: Task) -> str:
    match task.work:
        case Shell():
            return "command"
        case PythonCall():
            return "callable"
        case Gate():
            return "checkpoint"


def _what(task: Task) -> str:
    match task.work:
        case Shell(command=str() as command):
            return command.strip()
        case Shell(command=command):
            return " ".join(command)
        case PythonCall(ref=ref):
            return ref
        case Gate(prompt=prompt, policy=policy):
            return f"{prompt} ({policy.required_role.label})"
