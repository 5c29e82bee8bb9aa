"""Driving one run: under a lease, until it ends, pauses, or somebody else drives it."""

import asyncio
import logging
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine import advance
from engine.dag import Dag
from engine.errors import LeaseLost, StoreError
from engine.model import RunState, TaskId
from engine.store import runs
from engine.store.changes import Changes
from engine.store.runs import Lease
from engine.store.tasks import TaskRecord
from engine.store.writer import Store, Tx
from engine.tasks import Attempt, end_orphan, run_attempt

T = TypeVar("T")

_log = logging.getLogger(__name__)

_RETRY_WRITE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Who drives, where it leaves what, and how patient it is."""

    host: str
    holder: str  # `engine.liveness.holder_name(host)`: of this process, and of no other ever
    logs_dir: Path
    scratch_dir: Path
    surface: str = "slack"
    max_parallel: int = 8  # tasks of one run
    max_runs: int = 16  # of one worker
    lease_term: timedelta = timedelta(seconds=10)
    heartbeat: timedelta = timedelta(seconds=3)
    sweep: timedelta = timedelta(seconds=5)  # the safety net, should no change be noticed
    drain: timedelta = timedelta(seconds=5)  # for running tasks to finish when asked to stop


class Bell:
    """Wakes one loop. It rings for commits by anybody, and whenever something calls `ring`."""

    def __init__(self, changes: Changes, poll_s: float) -> None:
        self._changes = changes
        self._poll_s = poll_s
        self._rung = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    def ring(self, *_: object) -> None:
        """Wake the loop now, or at its next wait."""
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when it has rung since the last wait, or the time is over."""
        if self._listening.done():
            self._listening.result()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        self._rung.clear()

    async def close(self) -> None:
        """Stop listening."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._changes.close()

    async def _listen(self) -> None:
        try:
            while True:
                if await self._changes.wait(self._poll_s):
                    self.ring()
        finally:
            self.ring()


async def drive(
    store: Store, lease: Lease, settings: RunnerSettings, stop: asyncio.Event | None = None
) -> RunState:
    """Drive a run until it ends or pauses; returns the state it was left in.

    Once `stop` is set nothing new starts, running tasks get `settings.drain` to finish,
    and the run is let go of: then it returns `RUNNING`. Raises `LeaseLost` when somebody
    else drives the run; its tasks here are ended and nothing is changed any more.
    """
    driver = _Driver(store, lease, settings, stop or asyncio.Event())
    try:
        return await driver.run()
    except asyncio.CancelledError:
        await driver.close()
        await driver.release()
        raise
    finally:
        await driver.close()


class _Driver:
    """One drive. All decisions are made by `_loop`; the other coroutines only ring its bell."""

    def __init__(
        self, store: Store, lease: Lease, settings: RunnerSettings, stop: asyncio.Event
    ) -> None:
        self._store = store
        self._lease = lease
        self._settings = settings
        self._stop = stop
        self._bell = Bell(store.changes(), settings.heartbeat.total_seconds())
        self._renewed = store.clock.monotonic()
        self._beating = asyncio.create_task(self._beat())
        self._stopping = asyncio.create_task(self._await_stop())
        self._beating.add_done_callback(self._bell.ring)
        self._jobs: dict[TaskId, asyncio.Task[None]] = {}
        self._launched: set[tuple[TaskId, int]] = set()
        self._drained_at: float | None = None

    async def run(self) -> RunState:
        """Drive to the end, a pause, or a stop."""
        dag = await self._store.read(partial(advance.definition, run_id=self._lease.run_id))
        await self._take_over(dag)
        state = await self._loop(dag)
        if state not in {RunState.RUNNING, RunState.PAUSED}:
            folder = self._settings.scratch_dir / self._lease.run_id
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return state

    async def release(self) -> None:
        """Let somebody else drive on. What was still running is interrupted."""
        with suppress(LeaseLost, StoreError):
            await self._store.write(partial(runs.release, lease=self._lease))

    async def close(self) -> None:
        """End every task that still runs here, then stop listening."""
        ending = [*self._jobs.values(), self._beating, self._stopping]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._bell.close()

    async def _take_over(self, dag: Dag) -> None:
        left = await self._store.read(partial(advance.interrupted, run_id=self._lease.run_id))
        if not left:
            return
        gone = await asyncio.gather(*(self._end_orphan(record) for record in left))
        unended = frozenset(
            record.id for record, ended in zip(left, gone, strict=True) if not ended
        )
        settle = partial(advance.take_over, lease=self._lease, dag=dag, left=left, unended=unended)
        await self._write(settle)

    async def _end_orphan(self, record: TaskRecord) -> bool:
        if record.pgid is None or record.process_started is None:
            return True
        return await end_orphan(record.pgid, record.process_started, self._lease.run_id)

    async def _loop(self, dag: Dag) -> RunState:
        while True:
            self._reap()
            position = await self._advance(dag)
            if position.state is not RunState.RUNNING:
                return position.state
            self._launch(dag, position)
            if self._stop.is_set() and self._is_drained():
                await self.close()
                await self.release()
                return RunState.RUNNING
            await self._bell.wait(self._patience(position.wake_at))

    def _reap(self) -> None:
        """Forget what has finished, and fail when something failed that must not."""
        if self._beating.done():
            self._beating.result()
        for task_id, job in list(self._jobs.items()):
            if job.done():
                del self._jobs[task_id]
                job.result()

    async def _advance(self, dag: Dag) -> advance.Position:
        # On PostgreSQL every write wakes every listener, us too: look before writing.
        room = 0 if self._stop.is_set() else self._settings.max_parallel
        position = await self._store.read(
            partial(advance.look, run_id=self._lease.run_id, dag=dag, max_parallel=room)
        )
        if not position.wants_step:
            return position
        return await self._write(
            partial(
                advance.step,
                lease=self._lease,
                dag=dag,
                surface=self._settings.surface,
                max_parallel=room,
            )
        )

    def _launch(self, dag: Dag, position: advance.Position) -> None:
        for task_id, number in position.running.items():
            if (task_id, number) not in self._launched:
                self._launched.add((task_id, number))
                job = asyncio.create_task(self._execute(dag, task_id, number))
                job.add_done_callback(self._bell.ring)
                self._jobs[task_id] = job

    async def _execute(self, dag: Dag, task_id: TaskId, number: int) -> None:
        task = dag.task(task_id)
        run_id = self._lease.run_id
        inputs = await self._store.read(partial(advance.inputs_of, run_id=run_id, task=task))
        attempt = Attempt(
            run_id=run_id,
            task=task,
            number=number,
            inputs=inputs,
            directory=dag.directory,
            python=dag.python,
            logs_dir=self._settings.logs_dir,
            scratch_dir=self._settings.scratch_dir,
        )
        outcome = await run_attempt(attempt, partial(self._note, task_id))
        await self._write(
            partial(
                advance.finish,
                lease=self._lease,
                task=task,
                number=number,
                outcome=outcome,
                jitter=random.random(),  # noqa: S311 (parts a herd, hides nothing)
            )
        )

    async def _note(self, task_id: TaskId, pgid: int, started: float) -> None:
        await self._write(
            partial(
                advance.note_process,
                lease=self._lease,
                task_id=task_id,
                pgid=pgid,
                started=started,
            )
        )

    async def _write(self, work: Callable[[Tx], T]) -> T:
        """Write, again and again while the database is in trouble and the lease may be ours."""
        while True:
            try:
                return await self._store.write(work)
            except StoreError as trouble:
                if self._is_lease_over():
                    raise
                _log.warning("run %s: %s; trying again", self._lease.run_id, trouble)
            await asyncio.sleep(_RETRY_WRITE_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat.total_seconds())
            asked = self._store.clock.monotonic()
            await self._write(
                partial(runs.renew, lease=self._lease, term=self._settings.lease_term)
            )
            self._renewed = asked

    def _is_lease_over(self) -> bool:
        held = self._store.clock.monotonic() - self._renewed
        return held >= self._settings.lease_term.total_seconds()

    async def _await_stop(self) -> None:
        await self._stop.wait()
        self._drained_at = self._store.clock.monotonic() + self._settings.drain.total_seconds()
        self._bell.ring()

    def _is_drained(self) -> bool:
        over = self._drained_at is not None and self._store.clock.monotonic() >= self._drained_at
        return over or not self._jobs

    def _patience(self, wake_at: datetime | None) -> float:
        """Seconds to wait at most: no change has to be noticed for a retry or a stop."""
        patience = self._settings.sweep.total_seconds()
        if self._drained_at is not None:
            patience = min(patience, self._drained_at - self._store.clock.monotonic())
        if wake_at is not None:
            patience = min(patience, (wake_at - self._store.clock.now()).total_seconds())
        return max(0.0, patience)
