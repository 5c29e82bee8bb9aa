"""Asking again: an expired or rejected checkpoint becomes a new one, and its run goes on."""

from dataclasses import dataclass, replace

from engine.attempts import Missing, missing, note_refusal
from engine.decisions import Decided
from engine.ending import expired_if_due
from engine.events import CheckpointAskedAgain
from engine.identity import Caller
from engine.model import Checkpoint, CheckpointState, RunCause, RunState, TaskId, TaskState
from engine.people import LocalMode, resolve
from engine.policy import Finding, Refused, Rule, asking
from engine.store import checkpoints, postings, runs, tasks, trail
from engine.store.writer import Tx

_ASKABLE = frozenset({CheckpointState.EXPIRED, CheckpointState.REJECTED})
_UNTOUCHED = frozenset({TaskState.PENDING, TaskState.SKIPPED})


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """The run opens a new checkpoint in place of this one as soon as it is driven."""

    checkpoint: Checkpoint


def ask_again(
    tx: Tx, checkpoint_id: str, caller: Caller, local: LocalMode | None = None
) -> AskedAgain | Decided | Missing:
    """Ask the same question anew, for whoever started the run and for Operators.

    The ended checkpoint stays as it is on record. What was skipped behind it waits
    again; nothing that has run runs again, so it is refused once a task behind the
    checkpoint has run (its reject path, say). Where another branch has failed, the run
    asks all the same, and stays failed in the end unless that is tried again too.
    """
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return missing(tx, caller, checkpoint_id)
    checkpoint = expired_if_due(tx, checkpoint)
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    trace = (askable(tx, checkpoint), *asking(checkpoint, candidate))
    if not all(finding.passed for finding in trace):
        refused = Refused(trace)
        note_refusal(tx, checkpoint, candidate, "ask_again", refused)
        return Decided(checkpoint, refused)
    _reopen(tx, checkpoint)
    trail.append(
        tx,
        CheckpointAskedAgain(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            person=candidate.person_id,
        ),
        trail.about(candidate.person_id, caller),
    )
    return AskedAgain(_redrawn(tx, checkpoint))


def askable(tx: Tx, checkpoint: Checkpoint) -> Finding:
    """Whether the question of this checkpoint can be asked anew, whoever wants it."""
    found = _obstacle(tx, checkpoint)
    needed = "expired or rejected, and nothing behind it has run"
    return Finding(Rule.ASKABLE, found is None, needed, found or "it can be")


def _obstacle(tx: Tx, checkpoint: Checkpoint) -> str | None:
    if checkpoint.state not in _ASKABLE:
        return f"it is {checkpoint.state}"
    run = _run(tx, checkpoint)
    if (found := _obstacle_of(run)) is not None:
        return found
    records = tasks.records(tx, run.id)
    newest = checkpoints.newest(tx, run.id, checkpoint.task_id)
    if newest != checkpoint.id or records[checkpoint.task_id].state in _UNTOUCHED:
        return "it was asked again already"
    behind = _behind(tx, run, checkpoint.task_id)
    if ran := [task_id for task_id in behind if records[task_id].state not in _UNTOUCHED]:
        return f"{ran[0]} behind it has run"
    return None


def _obstacle_of(run: runs.Run) -> str | None:
    if run.backend is not None:
        return f"its run lives on {run.backend}: clear the task there, and it is asked again"
    if run.called_off_at is not None:
        return "its run was called off"
    if run.cause is RunCause.TIMED_OUT:
        return "its run ran out of time"
    if run.state is RunState.SUCCEEDED:
        return "its run has succeeded"
    return None


def _run(tx: Tx, checkpoint: Checkpoint) -> runs.Run:
    run = runs.load(tx, checkpoint.run_id)
    if run is None:
        raise AssertionError(f"checkpoint {checkpoint.id} belongs to no run")
    return run


def _behind(tx: Tx, run: runs.Run, task_id: TaskId) -> list[TaskId]:
    """Every task that depends on this one, directly or not, parents first."""
    behind: list[TaskId] = []
    for task in runs.definition(tx, run.dag_digest).in_order():
        if {task_id, *behind}.intersection(task.depends_on):
            behind.append(task.id)
    return behind


def _reopen(tx: Tx, checkpoint: Checkpoint) -> None:
    run = _run(tx, checkpoint)
    records = tasks.records(tx, run.id)
    for task_id in (checkpoint.task_id, *_behind(tx, run, checkpoint.task_id)):
        was = records[task_id].state
        fresh = {"started_at": None, "ended_at": None, "output": None}
        if not tasks.set_state(tx, run.id, task_id, was, TaskState.PENDING, **fresh):
            raise AssertionError(f"{task_id} of {run.id} changed in its own transaction")
    runs.touch(tx, run.id)
    runs.reopen(tx, run.id)


def _redrawn(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    """The old card loses its button; what it says stays."""
    changed = replace(checkpoint, version=checkpoint.version + 1)
    checkpoints.save_version(tx, changed)
    postings.want_true(tx, changed.id, changed.version)
    return changed
