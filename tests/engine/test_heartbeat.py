"""The heartbeat ticks, whatever its jobs do and however the wall clock jumps."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import apscheduler.executors.base
import apscheduler.schedulers.base
import pytest

from engine import heartbeat
from engine.heartbeat import Heartbeat
from tests.engine.build import FakeClock

TICK = timedelta(milliseconds=10)


@pytest.fixture
def heart(clock: FakeClock) -> Heartbeat:
    """A heart that beats quickly."""
    return Heartbeat(clock, TICK)


@asynccontextmanager
async def beating(heart: Heartbeat) -> AsyncIterator[asyncio.Event]:
    """Let it beat, and stop it at the end."""
    stop = asyncio.Event()
    running = asyncio.create_task(heart.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(2):
            await running


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


class Counter:
    """A job that counts how often it was run, and may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self._error = error

    async def __call__(self) -> None:
        self.times += 1
        if self._error is not None:
            raise self._error


async def test_a_job_runs_at_once_and_at_every_tick(heart: Heartbeat) -> None:
    """Whatever was due while the process was down is looked at without waiting for a tick."""
    job = Counter()
    heart.every_tick("sweep", job)
    async with beating(heart):
        await soon(lambda: job.times >= 3)


async def test_the_first_beat_does_not_wait_for_a_tick(clock: FakeClock) -> None:
    """With an hour between ticks the first is still at once."""
    heart, job = Heartbeat(clock, timedelta(hours=1)), Counter()
    heart.every_tick("sweep", job)
    async with beating(heart):
        await soon(lambda: job.times == 1)


async def test_a_failing_job_stops_neither_the_others_nor_the_next_tick(
    heart: Heartbeat, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged by name, and tried again."""
    bad, good = Counter(RuntimeError("no such table")), Counter()
    heart.every_tick("bad", bad)
    heart.every_tick("good", good)
    async with beating(heart):
        await soon(lambda: bad.times >= 2 and good.times >= 2)
    assert "the bad sweep failed" in caplog.text
    assert "no such table" in caplog.text


async def test_a_job_that_hangs_is_cut_off(
    heart: Heartbeat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After its time-out the others get their turn."""
    monkeypatch.setattr("engine.heartbeat._JOB_TIMEOUT_S", 0.02)
    after = Counter()

    async def hang() -> None:
        await asyncio.sleep(60)

    heart.every_tick("hanging", hang)
    heart.every_tick("after", after)
    async with beating(heart):
        await soon(lambda: after.times >= 2)
    assert "the hanging sweep failed" in caplog.text


async def test_a_slow_job_does_not_hold_up_the_others(
    heart: Heartbeat, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A surface that hangs delays no deadline, and is not taken for a clock that jumped."""
    expiry, let_go = Counter(), asyncio.Event()
    heart.every_tick("hanging", let_go.wait)
    heart.every_tick("expiry", expiry)
    async with beating(heart):
        await soon(lambda: expiry.times >= 2)
        clock.advance(timedelta(seconds=1))
        more = expiry.times + 2
        await soon(lambda: expiry.times >= more)
        assert heart.seconds_since_beat == 0
        let_go.set()
    assert "arming the scheduler anew" not in caplog.text


async def test_a_slow_job_never_runs_beside_itself(
    heart: Heartbeat, caplog: pytest.LogCaptureFixture
) -> None:
    """A tick that comes while the last is still at work is left out."""
    caplog.set_level(logging.ERROR)
    under_way, most, times = 0, 0, 0

    async def slow() -> None:
        nonlocal under_way, most, times
        under_way, times = under_way + 1, times + 1
        most = max(most, under_way)
        await asyncio.sleep(0.03)
        under_way -= 1

    heart.every_tick("slow", slow)
    async with beating(heart):
        await soon(lambda: times >= 3)
    assert most == 1


async def test_a_jump_of_the_wall_clock_does_not_silence_it(
    heart: Heartbeat, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After a jump back the scheduler waits for an hour; the watchdog arms it anew."""
    job = Counter()
    heart.every_tick("sweep", job)
    async with beating(heart):
        await soon(lambda: job.times >= 1)
        heart._scheduler.modify_job("beat", next_run_time=datetime.now(UTC) + timedelta(hours=1))
        await asyncio.sleep(0.05)
        silent_since = job.times
        await asyncio.sleep(0.1)
        assert job.times == silent_since
        clock.advance(timedelta(seconds=10))
        await soon(lambda: job.times > silent_since)
    assert "no tick for 10.0 s" in caplog.text


def jump(patch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Turn the wall clock that the scheduler reads."""

    class Jumped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            there = datetime.now(tz) + by
            return cls.fromtimestamp(there.timestamp(), tz)

    for module in (apscheduler.schedulers.base, apscheduler.executors.base, heartbeat):
        patch.setattr(module, "datetime", Jumped)


async def test_it_ticks_on_after_the_clock_went_back(
    heart: Heartbeat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock really goes back an hour under the scheduler, and sweeps go on."""
    job = Counter()
    heart.every_tick("sweep", job)
    async with beating(heart):
        await soon(lambda: job.times >= 1)
        jump(monkeypatch, timedelta(hours=-1))
        clock.advance(timedelta(seconds=10))
        silent_since = job.times
        await soon(lambda: job.times > silent_since + 3)
        assert heart._scheduler.get_job("beat").next_run_time < an_hour_ago(minutes=59)


def an_hour_ago(minutes: int) -> datetime:
    """A time before now, by the clock that did not jump."""
    return datetime.now(UTC) - timedelta(minutes=minutes)


@pytest.mark.parametrize("hours", [1, 24 * 365 * 60], ids=["an hour", "from 1970"])
async def test_it_ticks_on_after_the_clock_went_forward(
    heart: Heartbeat, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Ticks that were jumped over are not made up for, nor even counted."""
    job = Counter()
    heart.every_tick("sweep", job)
    async with beating(heart):
        await soon(lambda: job.times >= 1)
        ahead = datetime.now(UTC) + timedelta(hours=hours)
        assert len(heart._scheduler.get_job("beat")._get_run_times(ahead)) == 1
        jump(monkeypatch, timedelta(hours=hours))
        times = job.times
        await soon(lambda: job.times > times + 3)


async def test_a_lost_job_is_brought_back(heart: Heartbeat, clock: FakeClock) -> None:
    """Also when the scheduler has forgotten the job altogether."""
    job = Counter()
    heart.every_tick("sweep", job)
    async with beating(heart):
        await soon(lambda: job.times >= 1)
        heart._scheduler.remove_job("beat")
        await asyncio.sleep(0.05)
        silent_since = job.times
        clock.advance(timedelta(seconds=10))
        await soon(lambda: job.times > silent_since)


async def test_it_says_how_long_ago_it_beat(heart: Heartbeat, clock: FakeClock) -> None:
    """Health is the age of the last beat by the monotonic clock, whatever the wall clock says."""
    async with beating(heart) as stop:
        await asyncio.sleep(0.03)
        stop.set()
    clock.set(clock.now() - timedelta(hours=1))
    assert heart.seconds_since_beat == 0
    clock.advance(timedelta(seconds=7))
    assert heart.seconds_since_beat == 7


async def test_stopping_does_not_wait_for_a_tick(clock: FakeClock) -> None:
    """A long tick does not delay the end of the process."""
    heart = Heartbeat(clock, timedelta(hours=1))
    async with asyncio.timeout(2), beating(heart):
        await asyncio.sleep(0.02)


async def test_a_job_may_be_added_while_others_run(heart: Heartbeat) -> None:
    """A part of the bot that comes up in the middle of a beat joins from the next one on."""
    late = Counter()

    async def adds_another() -> None:
        heart.every_tick("late", late)
        await asyncio.sleep(0)

    heart.every_tick("first", adds_another)
    heart.every_tick("second", Counter())
    async with beating(heart):
        await soon(lambda: late.times >= 1)
