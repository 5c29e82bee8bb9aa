"""Gates of other engines, the runs they belong to, and how those engines are: the rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.dag import Dag, Task
from engine.gates import BackendKind, GateRef
from engine.identity import PersonId
from engine.model import (
    Cause,
    CheckpointId,
    CheckpointState,
    Effect,
    JsonObject,
    RunCause,
    RunId,
    RunState,
    TaskId,
    TaskState,
)
from engine.store import runs
from engine.store.writer import Tx
from engine.tables import (
    BackendRow,
    BackendRunRow,
    CheckpointRow,
    GateRow,
    RunRow,
    TaskRow,
    table_of,
)

_gate = table_of(GateRow)
_run_there = table_of(BackendRunRow)
_backend = table_of(BackendRow)
_checkpoint = table_of(CheckpointRow)
_run = table_of(RunRow)
_task = table_of(TaskRow)

_KEYS_AT_ONCE = 500
_LOOK_EVERY = timedelta(seconds=5)  # at a run that goes on: it may go on for hours
_NO_MORE_THERE = (Cause.ANSWERED_ELSEWHERE, Cause.GATE_GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """The gate a checkpoint answers, and what we did about it."""

    checkpoint_id: CheckpointId
    backend: str
    ref: GateRef
    seen_at: datetime
    sent_at: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that lives on a backend, with the one task of it that we know."""

    id: RunId
    dag: Dag
    host: str
    requester: PersonId
    requested_as: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class GoingOn:
    """A run that goes on elsewhere, and its latest gate to find it by."""

    run_id: RunId
    ref: GateRef


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """How a backend was when it was last looked at. Times are aware and in UTC."""

    name: str
    engine: BackendKind
    looked_at: datetime | None  # None: never yet
    took_s: float
    waiting: int
    error: str | None
    error_since: datetime | None


def insert(tx: Tx, checkpoint_id: str, backend: str, ref: GateRef) -> None:
    """A checkpoint asks people for this gate, which waits now."""
    tx.run(
        _gate.insert().values(
            checkpoint_id=checkpoint_id,
            backend=backend,
            key=ref.key,
            ref=ref.as_json(),
            seen_at=tx.now,
        )
    )


def load(tx: Tx, checkpoint_id: str) -> GateRecord | None:
    """The gate of a checkpoint; None for a run of our own."""
    row = tx.run(sa.select(_gate).where(_gate.c.checkpoint_id == checkpoint_id)).one_or_none()
    return None if row is None else _record(row)


def asked(tx: Tx, backend: str, keys: Collection[str], read_at: datetime) -> set[str]:
    """Which of these gates have been asked about already.

    One that had gone, or whose answer was lost, counts as new when the engine still had it
    waiting at `read_at`, after we thought so: nothing that waits may be forgotten.
    """
    found: set[str] = set()
    every = list(keys)
    for start in range(0, len(every), _KEYS_AT_ONCE):
        query = (
            sa.select(_gate.c.key)
            .join(_checkpoint, _checkpoint.c.id == _gate.c.checkpoint_id)
            .where(
                _gate.c.backend == backend,
                _gate.c.key.in_(every[start : start + _KEYS_AT_ONCE]),
                sa.not_(_given_up_before(read_at)),
            )
        )
        found.update(tx.run(query).scalars())
    return found


def _given_up_before(read_at: datetime) -> sa.ColumnElement[bool]:
    """An end that was not ours, or had no effect there: the gate was thought to be over."""
    not_ours = sa.and_(_checkpoint.c.cause.is_not(None), _checkpoint.c.cause.in_(_NO_MORE_THERE))
    lost = _checkpoint.c.effect == Effect.LOST_ELSEWHERE
    return sa.and_(
        _checkpoint.c.effect_at.is_not(None),
        _checkpoint.c.effect_at < read_at,
        sa.or_(not_ours, lost),
    )


def pending(tx: Tx, backend: str) -> list[GateRecord]:
    """The gates of a backend whose checkpoints still wait for people."""
    query = (
        sa.select(_gate)
        .join(_checkpoint, _checkpoint.c.id == _gate.c.checkpoint_id)
        .where(_gate.c.backend == backend, _checkpoint.c.state == CheckpointState.PENDING)
        .order_by(_gate.c.seen_at, _gate.c.checkpoint_id)
    )
    return [_record(row) for row in tx.run(query)]


def note_sending(tx: Tx, checkpoint_id: str) -> None:
    """We are about to answer: whatever is found from now on may be our own answer."""
    gate = _gate.c.checkpoint_id == checkpoint_id
    tx.run(_gate.update().where(gate).values(sent_at=tx.now))


def note(tx: Tx, checkpoint_id: str, said: str | None) -> bool:
    """Keep how a gate stands there, for people. False when that is no news."""
    changed = tx.run(
        _gate.update()
        .where(_gate.c.checkpoint_id == checkpoint_id, _gate.c.note.is_distinct_from(said))
        .values(note=said)
    )
    return changed.rowcount == 1


def run_at(tx: Tx, backend: str, ref: GateRef) -> RunId | None:
    """Our record of the run a gate belongs to; None when it is not known yet."""
    query = sa.select(_run_there.c.run_id).where(
        _run_there.c.backend == backend,
        _run_there.c.dag == ref.dag,
        _run_there.c.ref == ref.run,
    )
    return tx.run(query).scalar_one_or_none()


def insert_run(tx: Tx, run: NewRun, backend: str, ref: GateRef) -> str:
    """Write down a run that lives on a backend and waits; returns the digest of its DAG so far."""
    pinned = runs.insert(
        tx,
        run.id,
        run.dag,
        host=run.host,
        requester=run.requester,
        requested_as=run.requested_as,
        params=run.params,
    )
    here = _run.c.id == run.id
    tx.run(_run.update().where(here).values(state=RunState.PAUSED, started_at=tx.now))
    tx.run(
        _task.update()
        .where(_task.c.run_id == run.id)
        .values(state=TaskState.WAITING, started_at=tx.now)
    )
    tx.run(
        _run_there.insert().values(
            run_id=run.id,
            backend=backend,
            dag=ref.dag,
            ref=ref.run,
            gate=ref.as_json(),
            looked_at=tx.now,
        )
    )
    return pinned


def ask_in(tx: Tx, run_id: RunId, task: Task, ref: GateRef) -> None:
    """A task of a known run waits for people; the DAG is pinned as it is known now."""
    run = runs.load(tx, run_id)
    if run is None:
        raise AssertionError(f"{run_id} is not there")
    known = runs.definition(tx, run.dag_digest)
    every = {one.id: one for one in known.tasks} | {task.id: task}
    pinned = runs.pin(tx, replace(known, tasks=tuple(every.values())))
    tx.run(
        _run.update()
        .where(_run.c.id == run_id)
        .values(dag_digest=pinned, state=RunState.PAUSED, ended_at=None, cause=None, because=None)
    )
    gate = _run_there.c.run_id == run_id
    tx.run(_run_there.update().where(gate).values(gate=ref.as_json()))
    if task.id in {one.id for one in known.tasks}:
        _wait_again(tx, run_id, task.id)
    else:
        _add_waiting(tx, run_id, task.id, position=len(every) - 1)


def _wait_again(tx: Tx, run_id: RunId, task_id: TaskId) -> None:
    fresh = {"ended_at": None, "output": None, "error": None, "started_at": tx.now}
    tx.run(
        _task.update()
        .where(_task.c.run_id == run_id, _task.c.task_id == task_id)
        .values(state=TaskState.WAITING, **fresh)
    )


def _add_waiting(tx: Tx, run_id: RunId, task_id: TaskId, position: int) -> None:
    tx.run(
        _task.insert().values(
            run_id=run_id,
            task_id=task_id,
            position=position,
            state=TaskState.WAITING,
            attempt=0,
            attempts_before=0,
            started_at=tx.now,
        )
    )


def going_on(tx: Tx, backend: str, limit: int) -> list[GoingOn]:
    """Runs whose gates have all ended and that have not, as far as we know.

    Those that were looked at longest ago come first, and only those of some time ago.
    """
    query = (
        sa.select(_run_there.c.run_id, _run_there.c.gate)
        .join(_run, _run.c.id == _run_there.c.run_id)
        .where(
            _run_there.c.backend == backend,
            _run_there.c.looked_at <= tx.now - _LOOK_EVERY,
            _run.c.state == RunState.RUNNING,
        )
        .order_by(_run_there.c.looked_at, _run_there.c.run_id)
        .limit(limit)
    )
    return [GoingOn(RunId(row.run_id), GateRef.from_json(row.gate)) for row in tx.run(query)]


def looked_at_run(tx: Tx, run_id: RunId) -> None:
    """A run was looked at just now."""
    tx.run(_run_there.update().where(_run_there.c.run_id == run_id).values(looked_at=tx.now))


def end_run(
    tx: Tx, run_id: RunId, state: RunState, cause: RunCause | None, because: str | None
) -> bool:
    """Note that a run has ended there. False when that is no news, or it asks people again."""
    ended = tx.run(
        _run.update()
        .where(_run.c.id == run_id, _run.c.state == RunState.RUNNING)
        .values(state=state, cause=cause, because=because, ended_at=tx.now)
    )
    return ended.rowcount == 1


def note_read(tx: Tx, name: str, kind: BackendKind, *, took_s: float, waiting: int) -> None:
    """The gates of a backend were read, all of them."""
    values = {"looked_at": tx.now, "took_s": took_s, "waiting": waiting}
    _note_backend(tx, name, kind, {**values, "error": None, "error_since": None})


def note_unread(tx: Tx, name: str, kind: BackendKind, error: str) -> None:
    """The gates of a backend could not be read, and why."""
    since = sa.func.coalesce(
        _backend.c.error_since, sa.literal(tx.now, _backend.c.error_since.type)
    )
    _note_backend(tx, name, kind, {"error": error, "error_since": since})


def _note_backend(tx: Tx, name: str, kind: BackendKind, values: dict[str, Any]) -> None:
    changed = tx.run(_backend.update().where(_backend.c.name == name).values(engine=kind, **values))
    if changed.rowcount:
        return
    first = {**values, "error_since": tx.now} if values["error"] else values
    tx.run(_backend.insert().values(**{"name": name, "engine": kind, **_UNSEEN, **first}))


_UNSEEN = {"looked_at": None, "took_s": 0.0, "waiting": 0}


def statuses(tx: Tx) -> list[BackendStatus]:
    """How every backend was that was ever looked at, by name."""
    rows: Sequence[sa.Row[Any]] = tx.run(sa.select(_backend).order_by(_backend.c.name)).all()
    return [
        BackendStatus(
            name=row.name,
            engine=BackendKind(row.engine),
            looked_at=row.looked_at,
            took_s=row.took_s,
            waiting=row.waiting,
            error=row.error,
            error_since=row.error_since,
        )
        for row in rows
    ]


def _record(row: sa.Row[Any]) -> GateRecord:
    return GateRecord(
        checkpoint_id=CheckpointId(row.checkpoint_id),
        backend=row.backend,
        ref=GateRef.from_json(row.ref),
        seen_at=row.seen_at,
        sent_at=row.sent_at,
        note=row.note,
    )
