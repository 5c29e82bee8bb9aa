"""Driving one run: under a lease, until it ends, pauses, or somebody else drives it.

A driver knows by heart where the tasks stand, and writes one transaction a turn: what has
finished, and at once what follows from it. Nothing starts that is not written down first.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.dag import Dag
from engine.driving import advance
from engine.driving.advance import Brief, Standing, Turn, Turned
from engine.driving.bell import Bell
from engine.driving.course import Course
from engine.driving.crew import Crew, Surroundings
from engine.driving.rules import with_rules
from engine.driving.workplace import Workplace
from engine.errors import LeaseLost, StoreError
from engine.model import RunState
from engine.store import leases
from engine.store.leases import Lease
from engine.store.tasks import TaskRecord
from engine.store.writer import Store
from engine.tasks import end_orphan, passed_on

T = TypeVar("T")

_log = logging.getLogger(__name__)

_RETRY_WRITE_S = 0.2
_ECHO_S = 0.02  # so long after a turn of ours, news may be of that turn


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Who drives, where it leaves what, and how patient it is."""

    host: str
    holder: str  # `engine.liveness.holder_name(host)`: of this process, and of no other ever
    logs_dir: Path
    scratch_dir: Path
    surface: str = "slack"
    max_parallel: int = 8  # tasks of one run, where its DAG does not say
    max_tasks: int = 16  # of one worker
    max_runs: int = 16  # of one worker
    lease_term: timedelta = timedelta(seconds=10)
    heartbeat: timedelta = timedelta(seconds=3)
    sweep: timedelta = timedelta(seconds=5)  # the safety net, should no change be noticed
    drain: timedelta = timedelta(seconds=5)  # for running tasks to finish when asked to stop


async def drive(
    store: Store,
    lease: Lease,
    settings: RunnerSettings,
    stop: asyncio.Event | None = None,
    workplace: Workplace | None = None,
) -> RunState:
    """Drive a run until it ends or pauses; returns the state it was left in.

    Once `stop` is set nothing new starts, running tasks get `settings.drain` to finish,
    and the run is let go of: then it returns `RUNNING`. So it does during a standstill, as
    soon as nothing runs. Raises `LeaseLost` when somebody
    else drives the run; its tasks here are ended and nothing is changed any more.
    """
    place = workplace or Workplace(settings.max_tasks)
    driver = _Driver(store, lease, settings, stop or asyncio.Event(), place)
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
        self,
        store: Store,
        lease: Lease,
        settings: RunnerSettings,
        stop: asyncio.Event,
        workplace: Workplace,
    ) -> None:
        self._store = store
        self._lease = lease
        self._settings = settings
        self._stop = stop
        self._workplace = workplace
        self._bell = Bell(store.changes(), settings.heartbeat.total_seconds())
        self._renewed = store.clock.monotonic()
        self._beating = asyncio.create_task(self._beat())
        self._stopping = asyncio.create_task(self._await_stop())
        self._beating.add_done_callback(self._bell.ring)
        self._crew: Crew | None = None
        self._drained_at: float | None = None
        self._turned_at = -_ECHO_S
        self._has_heard = False
        self._ends_at: float | None = None  # when the run is out of time, by the monotonic clock

    async def run(self) -> RunState:
        """Drive to the end, a pause, or a stop."""
        run_id = self._lease.run_id
        read = partial(self._store.read, partial(advance.brief, run_id=run_id))
        brief = await self._insist(read)
        if brief.left:
            await self._take_over(brief)
            brief = await self._insist(read)
        around = Surroundings(
            run_id=run_id,
            dag=brief.dag,
            params=brief.params,
            passed=passed_on(os.environ),
            logs_dir=self._settings.logs_dir,
            scratch_dir=self._settings.scratch_dir,
        )
        self._crew = Crew(self._store, around, self._workplace, self._bell.ring)
        self._ends_at = self._end_of_time(brief)
        most = brief.dag.max_parallel or self._settings.max_parallel
        course = Course(brief.dag, self._crew, most, brief.standing)
        state = await self._loop(around, self._crew, course)
        if state not in {RunState.RUNNING, RunState.PAUSED}:
            folder = self._settings.scratch_dir / run_id
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return state

    async def release(self) -> None:
        """Let somebody else drive on. What was still running is interrupted."""
        with suppress(LeaseLost, StoreError):
            await self._store.write(partial(leases.release, lease=self._lease))

    async def close(self) -> None:
        """End every task that still runs here, then stop listening."""
        ending = [self._beating, self._stopping]
        for task in ending:
            task.cancel()
        if self._crew is not None:
            await self._crew.close()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._bell.close()

    async def _take_over(self, brief: Brief) -> None:
        left = brief.left
        gone = await asyncio.gather(*(self._end_orphan(record) for record in left))
        unended = frozenset(
            record.id for record, ended in zip(left, gone, strict=True) if not ended
        )
        settle = partial(
            advance.take_over, lease=self._lease, dag=brief.dag, left=left, unended=unended
        )
        await self._insist(partial(self._store.write, settle))

    async def _end_orphan(self, record: TaskRecord) -> bool:
        if record.pgid is None or record.process_started is None:
            return True
        return await end_orphan(record.pgid, record.process_started, self._lease.run_id)

    async def _loop(self, around: Surroundings, crew: Crew, course: Course) -> RunState:
        while True:
            self._reap(crew)
            if self._ends_at is not None and self._store.clock.monotonic() >= self._ends_at:
                self._ends_at = None
                course.run_out_of_time()
            turn = course.turn(self._store.clock.now(), may_start=not self._stop.is_set())
            if not turn.is_empty:
                turn = await self._insist(partial(with_rules, self._store, around, turn))
                turned = await self._take(around.dag, turn)
                if turned.state is not RunState.RUNNING:
                    return turned.state
                if turned.standing is None:
                    course.took(turn)
                if turned.decided:
                    await course.adopt(await self._standing())
                elif turned.standing is not None:
                    await course.adopt(turned.standing)
            elif self._may_let_go(course, crew):
                await self.close()
                await self.release()
                return RunState.RUNNING
            elif await self._is_news(course):
                await course.adopt(await self._standing())

    async def _take(self, dag: Dag, turn: Turn) -> Turned:
        """Write a turn. After trouble with the database, look what became of it."""
        write = partial(
            advance.take,
            lease=self._lease,
            dag=dag,
            turn=turn,
            surface=self._settings.surface,
        )
        try:
            turned = await self._store.write(write)
        except StoreError as trouble:
            if self._is_lease_over():
                raise
            _log.warning("run %s: %s; trying again", self._lease.run_id, trouble)
        else:
            self._turned_at = self._store.clock.monotonic()
            return turned
        # It may have been written all the same, and only the answer was lost.
        await asyncio.sleep(_RETRY_WRITE_S)
        return Turned(RunState.RUNNING, await self._standing())

    async def _standing(self) -> Standing:
        read = partial(advance.standing, run_id=self._lease.run_id)
        return await self._insist(partial(self._store.read, read))

    async def _is_news(self, course: Course) -> bool:
        """Wait for something to happen. True when somebody else has changed the run."""
        await self._bell.wait(self._patience(course.wake_at))
        self._has_heard |= self._bell.has_heard_of_commits
        if not self._has_heard or self._is_own_echo():
            return False
        self._has_heard = False
        read = partial(advance.revision, lease=self._lease)
        return await self._insist(partial(self._store.read, read)) != course.revision

    def _is_own_echo(self) -> bool:
        """Whether a commit that was heard of may be our own: if it was not, a turn tells soon."""
        return self._store.clock.monotonic() - self._turned_at < _ECHO_S

    def _reap(self, crew: Crew) -> None:
        """Forget what has finished, and fail when something failed that must not."""
        if self._beating.done():
            self._beating.result()
        crew.reap()

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again and again while the database is in trouble and the lease may be ours."""
        while True:
            try:
                return await attempt()
            except StoreError as trouble:
                if self._is_lease_over():
                    raise
                _log.warning("run %s: %s; trying again", self._lease.run_id, trouble)
            await asyncio.sleep(_RETRY_WRITE_S)

    async def _beat(self) -> None:
        renew = partial(leases.renew, lease=self._lease, term=self._settings.lease_term)
        while True:
            await asyncio.sleep(self._settings.heartbeat.total_seconds())
            asked = self._store.clock.monotonic()
            await self._insist(partial(self._store.write, renew))
            self._renewed = asked

    def _is_lease_over(self) -> bool:
        held = self._store.clock.monotonic() - self._renewed
        return held >= self._settings.lease_term.total_seconds()

    async def _await_stop(self) -> None:
        await self._stop.wait()
        self._drained_at = self._store.clock.monotonic() + self._settings.drain.total_seconds()
        self._bell.ring()

    def _may_let_go(self, course: Course, crew: Crew) -> bool:
        """Whether to leave the run to somebody later: asked to stop, or nothing may start."""
        if course.stands_still and not crew.is_at_work:
            return True
        return self._stop.is_set() and self._is_drained(crew)

    def _is_drained(self, crew: Crew) -> bool:
        over = self._drained_at is not None and self._store.clock.monotonic() >= self._drained_at
        return over or not crew.is_at_work

    def _end_of_time(self, brief: Brief) -> float | None:
        if brief.dag.timeout is None:
            return None
        left = brief.dag.timeout.total_seconds() - brief.worked_s
        return self._store.clock.monotonic() + left

    def _patience(self, wake_at: datetime | None) -> float:
        """Seconds to wait at most: no change has to be noticed for a retry, a stop or the end."""
        waits = [self._settings.sweep.total_seconds()]
        now = self._store.clock.monotonic()
        waits += [at - now for at in (self._drained_at, self._ends_at) if at is not None]
        if self._has_heard:
            waits.append(_ECHO_S)
        if wake_at is not None:
            waits.append((wake_at - self._store.clock.now()).total_seconds())
        return max(0.0, min(waits))
