"""APScheduler ticks, a watchdog minds it. The rows are the truth; a job only looks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from engine.clock import Clock

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]

_MISSED_TICKS = 5
_LEAST_PATIENCE_S = 2.0
_JOB_TIMEOUT_S = 30.0
_REST_S = 5.0


class _AfterEach(BaseTrigger):  # type: ignore[misc]  # ships no types
    """A tick from now, however many were missed.

    APScheduler's own interval walks through every one of them: after a jump from the epoch
    to today that takes hours.
    """

    def __init__(self, tick: timedelta) -> None:
        self._tick = tick

    def get_next_fire_time(self, _last: datetime | None, now: datetime) -> datetime:
        return now + self._tick


class Heartbeat:
    """Runs jobs at every tick, beside each other, each at most once at a time.

    A job that is slow misses ticks of its own and of no other: deadlines do not wait
    for a surface that hangs. The scheduler follows the wall clock: after it jumps back an
    hour, its job is silent for an hour. So a watchdog on the monotonic clock arms
    it anew.
    """

    def __init__(self, clock: Clock, tick: timedelta) -> None:
        self._clock = clock
        self._tick = tick
        self._jobs: dict[str, Job] = {}
        self._last_beat = clock.monotonic()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def every_tick(self, name: str, job: Job) -> None:
        """Add a job. It must be idempotent: ticks may be late, doubled or skipped."""
        self._jobs[name] = job

    @property
    def seconds_since_beat(self) -> float:
        """How long ago the last tick was, by the monotonic clock."""
        return self._clock.monotonic() - self._last_beat

    async def run(self, stop: asyncio.Event) -> None:
        """Beat at once, then every tick until `stop` is set."""
        self._scheduler.start()
        try:
            self._arm()
            while not stop.is_set():
                await self._sleep(stop)
                if self.seconds_since_beat > self._patience_s:
                    log.warning(
                        "no tick for %.1f s (did the clock jump?): arming the scheduler anew",
                        self.seconds_since_beat,
                    )
                    self._arm()
        finally:
            await self._come_to_rest()
            self._scheduler.shutdown(wait=False)

    @property
    def _patience_s(self) -> float:
        return max(_MISSED_TICKS * self._tick.total_seconds(), _LEAST_PATIENCE_S)

    def _arm(self) -> None:
        self._last_beat = self._clock.monotonic()
        self._scheduler.add_job(
            self._beat,
            _AfterEach(self._tick),
            id="beat",
            replace_existing=True,
            next_run_time=datetime.now(UTC),
        )

    async def _come_to_rest(self) -> None:
        """Let the jobs that are under way finish: a cancelled one would look like a failure."""
        self._scheduler.pause()
        await asyncio.sleep(0)  # a beat that was handed over just now begins
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=_REST_S)
        left = list(self._under_way.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _beat(self) -> None:
        self._last_beat = self._clock.monotonic()
        for name, job in self._jobs.items():
            if name not in self._under_way:
                task = asyncio.create_task(self._run_job(name, job))
                self._under_way[name] = task
                task.add_done_callback(partial(self._forget, name))

    async def _run_job(self, name: str, job: Job) -> None:
        try:
            async with asyncio.timeout(_JOB_TIMEOUT_S):
                await job()
        except Exception:
            # One sweep that fails must not stop the others, nor the next tick.
            log.exception("the %s sweep failed; the next tick tries again", name)

    def _forget(self, name: str, _done: asyncio.Task[None]) -> None:
        del self._under_way[name]

    async def _sleep(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._tick.total_seconds()):
                await stop.wait()
        except TimeoutError:
            return
