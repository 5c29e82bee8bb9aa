"""Runs as a terminal shows them."""

import json
from collections.abc import Iterator, Sequence

from bot import wording
from bot.cli.json_views import task_json
from bot.cli.output import Moments, details, jsonable, say, table
from bot.cli.sight import Sight
from bot.graph import MARKS
from engine import (
    Checkpoint,
    CheckpointState,
    Run,
    RunState,
    RunView,
    TaskId,
    TaskRecord,
    TaskState,
)

_TAIL_LINES = 20
_UNTOLD = frozenset({TaskState.PENDING})


class Progress:
    """Tells what changed since the last look."""

    def __init__(self, *, told_pauses: bool) -> None:
        self._told: dict[TaskId, tuple[TaskState, int]] = {}
        self._told_pauses = told_pauses

    def report(self, seen: Sight) -> None:
        """Say what is new."""
        view = seen.view
        for task in view.tasks.values():
            stands = (task.state, task.attempt)
            if self._told.get(task.id) != stands and task.state not in _UNTOLD:
                self._told[task.id] = stands
                self._tell(view, task)

    def _tell(self, view: RunView, task: TaskRecord) -> None:
        attempt = f" (attempt {task.attempt})" if task.attempt > 1 else ""
        say(f"{MARKS.get(task.state, '·')} {task.id} {task.state.value}{attempt}")
        if task.state is TaskState.FAILED:
            tell_failure(task)
        if task.state is TaskState.WAITING and self._told_pauses:
            for checkpoint in open_checkpoints(view):
                if checkpoint.task_id == task.id:
                    say(f"  {checkpoint.id}  {checkpoint.prompt}")
                    _how_to_decide(checkpoint)


def tell_failure(task: TaskRecord) -> None:
    """Why a task failed, and its last words."""
    if task.error:
        details([("error", task.error)])
    tail = (task.log_tail or "").strip()
    if tail:
        details([("log", "\n".join(tail.splitlines()[-_TAIL_LINES:]))])


def tell_failures(view: RunView) -> None:
    """The tasks that failed, each with why."""
    for task in view.tasks.values():
        if task.state is TaskState.FAILED:
            say(f"{task.id} failed:")
            tell_failure(task)


def open_checkpoints(view: RunView) -> list[Checkpoint]:
    """What the run asks people now."""
    return [c for c in view.checkpoints if c.state is CheckpointState.PENDING]


def show_end(view: RunView) -> None:
    """How a run ended."""
    say(wording.run_outcome(view.run))
    if view.called_off is not None:
        say(wording.calling_off(view.called_off))


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


def show_standing(view: RunView, *, has_worker: bool) -> None:
    """How far a run has come that stands still."""
    say(f"{view.run.id} is {view.run.state.value}.")
    if not has_worker:
        say(f"After `signoff unpause` go on with:  signoff resume {view.run.id}")


def approve_command(checkpoint: Checkpoint) -> str:
    """What to type to approve it."""
    inputs = "".join(f" --kv {field.name}=…" for field in checkpoint.policy.inputs)
    return f"signoff checkpoints approve {checkpoint.id}{inputs}"


def _how_to_decide(checkpoint: Checkpoint) -> None:
    say(f"  {approve_command(checkpoint)}")
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
    tell_failures(view)
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
    if view.called_off is not None:
        yield (
            "ended by",
            f"{wording.calling_off(view.called_off)}, {moments.both(view.called_off.at)}",
        )
    if run.scheduled_for is not None:
        yield "tick", moments.both(run.scheduled_for)
    if run.ended_at is not None:
        yield "ended", moments.both(run.ended_at)
    for line in wording.params(run.params):
        yield "parameter", line
    yield "dag digest", run.dag_digest


def _task_row(task: TaskRecord) -> tuple[str, ...]:
    took = ""
    if task.started_at is not None and task.ended_at is not None:
        took = f"{(task.ended_at - task.started_at).total_seconds():.1f} s"
    output = task_json(task)["output"]
    shown = "" if output is None else json.dumps(output, default=jsonable, ensure_ascii=False)
    return (task.id, task.state.value, str(task.attempt), took, shown)
