"""How a checkpoint ends: once, and everything that follows from it in one transaction."""

from dataclasses import replace

from engine import lifecycle, waiting
from engine.events import CheckpointEnded, RunEnded, RunResumed
from engine.identity import Candidate
from engine.lifecycle import Verdict
from engine.model import Cause, Checkpoint, CheckpointState, Effect, JsonObject, RunId, TaskState
from engine.noting import tell_outcome, tell_outcome_of_run
from engine.store import checkpoints, outbox, postings, runs, tasks, trail
from engine.store.writer import Store, Tx

_EXPIRE_BATCH = 200
_ALL = 100_000  # no run has more checkpoints


async def sweep_expiry(store: Store) -> int:
    """End everything overdue; returns how many. Safe to run at any time, by anybody."""
    ended = 0
    while await store.read(checkpoints.any_due):
        ended += len(await store.write(expire_due))
    return ended


def expire_due(tx: Tx) -> list[Checkpoint]:
    """End what nobody decided in time; the sweep. At most a batch, the oldest first."""
    overdue = checkpoints.due(tx, tx.now, _EXPIRE_BATCH)
    judged = [expired_if_due(tx, checkpoint) for checkpoint in overdue]
    return [checkpoint for checkpoint in judged if not checkpoint.is_open]


def expired_if_due(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as it is now: extended or ended, if its deadline has passed."""
    # Any touch judges first, so a late sweep cannot let a late click win.
    if lifecycle.is_due(checkpoint, tx.now) and lifecycle.is_extendable(checkpoint):
        checkpoint = waiting.extend(tx, checkpoint)
    return _expire(tx, checkpoint) if lifecycle.is_due(checkpoint, tx.now) else checkpoint


def _expire(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    output = {"decision": "expired", "decided_by": None, "reason": ""}
    return end_checkpoint(tx, checkpoint, CheckpointState.EXPIRED, Cause.DEADLINE, output)


def end_checkpoint(
    tx: Tx,
    checkpoint: Checkpoint,
    state: CheckpointState,
    cause: Cause,
    output: JsonObject,
    by: Candidate | None = None,
) -> Checkpoint:
    """The one end: checkpoint, task, run, audit and deliveries together."""
    ended = _end(tx, checkpoint, state, cause, output, by)
    if ended.effect is Effect.APPLIED:
        go_on(tx, ended)
    if state is CheckpointState.EXPIRED:
        outbox.ask(tx, outbox.DeliveryKind.EXPIRED, ended.id, f"expired:{ended.id}")
    tell_outcome(tx, ended, None if by is None else by.person_id)
    return ended


def go_on(tx: Tx, ended: Checkpoint) -> None:
    """The end of a checkpoint has taken effect: its run goes on.

    One that lives elsewhere stays paused while people are asked at another gate of it: what
    else it does meanwhile is not ours to know.
    """
    if ended.elsewhere is not None and checkpoints.pending_in(tx, ended.run_id):
        return
    if runs.wake(tx, ended.run_id):
        trail.append(tx, RunResumed(run_id=ended.run_id, checkpoint_id=ended.id))


def withdraw_all(tx: Tx, run_id: RunId, output: JsonObject) -> None:
    """End every question of a run because it ends: nobody is asked any more, nothing goes on."""
    for asked in checkpoints.listed(tx, limit=_ALL, run_id=run_id, state=CheckpointState.PENDING):
        # What was overdue has expired, whoever notices it first.
        open_still = expired_if_due(tx, asked)
        if open_still.is_open:
            _end(tx, open_still, CheckpointState.CANCELLED, Cause.RUN_ENDED, output, by=None)


def note_run_end(tx: Tx, run_id: RunId, verdict: Verdict) -> None:
    """What follows from the end of a run: its audit row, a word to its threads and requester."""
    trail.append(
        tx,
        RunEnded(run_id=run_id, state=verdict.state, cause=verdict.cause, because=verdict.because),
    )
    for checkpoint in checkpoints.listed(tx, limit=_ALL, run_id=run_id):
        key = f"run_ended:{checkpoint.id}"
        outbox.ask(tx, outbox.DeliveryKind.RUN_ENDED, checkpoint.id, key)
    tell_outcome_of_run(tx, run_id)
    show_run(tx, run_id)


def show_run(tx: Tx, run_id: RunId) -> None:
    """How far a run has come is news for the cards of its checkpoints that have ended."""
    for checkpoint in checkpoints.listed(tx, limit=_ALL, run_id=run_id):
        if checkpoint.elsewhere is not None or checkpoint.is_open:
            continue
        told = replace(checkpoint, version=checkpoint.version + 1)
        checkpoints.save_version(tx, told)
        postings.want_true(tx, told.id, told.version)


def _end(
    tx: Tx,
    checkpoint: Checkpoint,
    state: CheckpointState,
    cause: Cause,
    output: JsonObject,
    by: Candidate | None,
) -> Checkpoint:
    at = checkpoint.expires_at if cause is Cause.DEADLINE else tx.now
    ended = replace(lifecycle.end(checkpoint, state, cause, at), effect=_effect(checkpoint, cause))
    if not checkpoints.save_end(tx, ended):
        raise lifecycle.AlreadyEnded(f"{checkpoint.id} ended under our hands")
    if not tasks.set_state(
        tx,
        ended.run_id,
        ended.task_id,
        TaskState.WAITING,
        lifecycle.TASK_END[state],
        output=dict(output),
        ended_at=at,
    ):
        raise AssertionError(f"task {ended.task_id} of {ended.run_id} was not waiting")
    runs.touch(tx, ended.run_id)
    outbox.void(tx, ended.id, outbox.WHILE_WAITING)
    if ended.effect is Effect.PENDING:
        outbox.ask(tx, outbox.DeliveryKind.ANSWER, ended.id, f"answer:{ended.id}")
    is_expiry = state is CheckpointState.EXPIRED
    postings.want_true(tx, ended.id, ended.version)
    trail.append(
        tx,
        CheckpointEnded(
            run_id=ended.run_id,
            checkpoint_id=ended.id,
            task=ended.task_id,
            state=state,
            cause=cause,
            ended_at=at,
            on_expire=lifecycle.action_on_expiry(ended.policy) if is_expiry else None,
            forced_by=None if by is None else by.person_id,
        ),
        None if by is None else trail.about(by.person_id, by.caller),
    )
    return ended


def _effect(checkpoint: Checkpoint, cause: Cause) -> Effect:
    """An embedded run is in this same database: its end takes effect with the commit.

    Another engine has to be told, unless it is from there that we know.
    """
    if checkpoint.elsewhere is None or cause in (Cause.ANSWERED_ELSEWHERE, Cause.GATE_GONE):
        return Effect.APPLIED
    return Effect.PENDING
