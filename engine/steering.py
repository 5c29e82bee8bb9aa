"""Steering runs: calling one off, and trying a failed one again. One transaction each."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine import lifecycle
from engine.attempts import note_unknown
from engine.ending import note_run_end, show_run, withdraw_all
from engine.events import RunCalledOff, RunRetried, SteeringRefused
from engine.identity import Caller, Candidate
from engine.model import RunCause, RunId, RunState, TaskId, TaskState
from engine.people import LocalMode, resolve
from engine.policy import Finding, Refused, Rule, keepable, minding, operating
from engine.revival import revived
from engine.store import runs, steering, tasks, trail
from engine.store.runs import Run
from engine.store.writer import Tx

_RETRYABLE = frozenset({RunCause.TASK_FAILED, RunCause.TIMED_OUT})


@dataclass(frozen=True, slots=True)
class NoRun:
    """No run has this id. Nothing changed but the trail."""

    run_id: str


def cancel(
    tx: Tx, run_id: str, caller: Caller, reason: str = "", local: LocalMode | None = None
) -> Run | Refused | NoRun:
    """Call a run off, for whoever started it and for Operators: the run as it is then.

    Nobody is asked any more, and nothing of it starts. Where nothing runs it has ended with
    this transaction; otherwise `called_off_at` tells its driver to end what does.
    """
    run = runs.load(tx, run_id)
    if run is None:
        return _no_run(tx, caller, run_id)
    candidate = resolve(tx, caller, run.tenant, local)
    authority = minding(candidate, run.tenant, run.requester)
    trace = (_cancellable(run), *authority, keepable(reason))
    if not all(finding.passed for finding in trace):
        return refuse(tx, "cancel", candidate, trace, run.id)
    steering.call_off(tx, run.id)
    trail.append(
        tx,
        RunCalledOff(run_id=run.id, person=candidate.person_id),
        trail.about(candidate.person_id, caller, reason=reason),
    )
    output = {"decision": "cancelled", "decided_by": caller.name, "reason": reason}
    withdraw_all(tx, run.id, output)
    tasks.cancel_pending(tx, run.id)
    if not _anything_runs(tx, run.id):
        steering.end_called_off(tx, run.id)
        note_run_end(tx, run.id, lifecycle.Verdict(RunState.CANCELLED))
    runs.touch(tx, run.id)
    return _reloaded(tx, run.id)


def retry(
    tx: Tx, run_id: str, caller: Caller, local: LocalMode | None = None
) -> Run | Refused | NoRun:
    """Try what failed in a run again, for Operators: the run as it is then.

    Failed tasks have all their automatic tries before them again, and what was skipped
    behind them waits for them again. Nothing that succeeded runs again. A run that ran out
    of time has all its time again.
    """
    run = runs.load(tx, run_id)
    if run is None:
        return _no_run(tx, caller, run_id)
    candidate = resolve(tx, caller, run.tenant, local)
    trace = (_retryable(run), *operating(candidate, run.tenant))
    if not all(finding.passed for finding in trace):
        return refuse(tx, "retry", candidate, trace, run.id)
    again = _revive(tx, run)
    if run.cause is RunCause.TIMED_OUT:
        steering.give_fresh_time(tx, run.id)
    runs.reopen(tx, run.id)
    runs.touch(tx, run.id)
    show_run(tx, run.id)
    trail.append(
        tx,
        RunRetried(run_id=run.id, person=candidate.person_id, tasks=again),
        trail.about(candidate.person_id, caller),
    )
    return _reloaded(tx, run.id)


def refuse(
    tx: Tx,
    action: str,
    candidate: Candidate,
    trace: Sequence[Finding],
    run_id: RunId | None = None,
) -> Refused:
    """Say no and write it down, unless an equal one was written within the last minute."""
    refused = Refused(tuple(trace))
    rules = tuple(finding.rule for finding in refused.reasons)
    same = f"{run_id}:{action}:{','.join(rules)}"
    unwritten = trail.suppressed(tx, candidate.person_id, same)
    if unwritten is None:
        return refused
    trail.append(
        tx,
        SteeringRefused(
            run_id=run_id,
            action=action,
            person=candidate.person_id,
            surface=candidate.caller.surface,
            rules=rules,
            suppressed_before=unwritten,
        ),
        trail.about(
            candidate.person_id,
            candidate.caller,
            trace=[finding.as_json() for finding in refused.trace],
        ),
    )
    return refused


def _cancellable(run: Run) -> Finding:
    found = f"it has {run.state}" if run.has_ended else f"it is {run.state}"
    if run.state is RunState.CANCELLED:
        found = "it was cancelled"
    elif run.called_off_at is not None:
        found = "it was called off already"
    if run.backend is not None:
        found = lives_elsewhere(run.backend)
    passed = not run.has_ended and run.called_off_at is None and run.backend is None
    return Finding(Rule.CANCELLABLE, passed, "queued, running or paused", found)


def _retryable(run: Run) -> Finding:
    failed = run.state is RunState.FAILED and run.cause in _RETRYABLE
    passed = failed and run.backend is None
    needed = "failed, because a task failed or its time was over"
    return Finding(Rule.RETRYABLE, passed, needed, _stands(run))


def lives_elsewhere(backend: str) -> str:
    """Why a run cannot be steered from here, as the rest of a sentence."""
    return f"it lives on {backend}, and is steered there"


def _stands(run: Run) -> str:
    match run.state:
        case _ if run.backend is not None:
            return lives_elsewhere(run.backend)
        case RunState.CANCELLED:
            return "it was cancelled"
        case RunState.FAILED if run.cause not in _RETRYABLE:
            return f"no task failed: {run.because} was {run.cause}"
        case RunState.FAILED | RunState.SUCCEEDED:
            return f"it has {run.state}"
        case _:
            return f"it is {run.state}"


def _no_run(tx: Tx, caller: Caller, run_id: str) -> NoRun:
    note_unknown(tx, caller, f"run {run_id}")
    return NoRun(run_id)


def _anything_runs(tx: Tx, run_id: RunId) -> bool:
    return any(view.state is TaskState.RUNNING for view in tasks.views(tx, run_id).values())


def _revive(tx: Tx, run: Run) -> tuple[TaskId, ...]:
    records = tasks.records(tx, run.id)
    dag = runs.definition(tx, run.dag_digest)
    again = revived(dag, {task_id: record.state for task_id, record in records.items()})
    for task_id in again:
        _move(
            tx,
            run.id,
            task_id,
            records[task_id].state,
            TaskState.PENDING,
            attempts_before=records[task_id].attempt,
            not_before=None,
            started_at=None,
            ended_at=None,
            output=None,
            error=None,
            log_tail=None,
        )
    return again


def _move(
    tx: Tx, run_id: RunId, task_id: TaskId, was: TaskState, state: TaskState, **values: object
) -> None:
    if not tasks.set_state(tx, run_id, task_id, was, state, **values):
        raise AssertionError(f"{task_id} of {run_id} changed in its own transaction")


def _reloaded(tx: Tx, run_id: RunId) -> Run:
    run = runs.load(tx, run_id)
    if run is None:
        raise AssertionError(f"{run_id} is gone in its own transaction")
    return run
