"""Leases, take-overs and the worker's loop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.dag import OnInterrupt
from engine.driving.runner import drive
from engine.driving.worker import free_dead, work
from engine.errors import LeaseLost, RunNotFound
from engine.model import Choice, RunId, RunState, TaskId, TaskState
from engine.store import leases, tasks
from engine.store.leases import Lease
from engine.store.processes import live_worker
from engine.store.tasks import Start
from engine.store.writer import Tx
from engine.tasks.logs import BoundedLog
from engine.tasks.process import GatedProcess, spawn
from tests.engine.running import HOST, Bench, gate, task

NOBODY = f"{HOST}:1:12.00"  # pid 1 did not start then: such a holder is dead
TERM = timedelta(seconds=10)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


@asynccontextmanager
async def working(bench: Bench) -> AsyncIterator[asyncio.Event]:
    """A worker in this process; it drains at the end, or when the event is set."""
    stop = asyncio.Event()
    worker = asyncio.create_task(work(bench.store, bench.settings, stop))
    try:
        yield stop
    finally:
        stop.set()
        await worker


async def until(bench: Bench, run_id: RunId, state: RunState) -> None:
    """Wait for the run to be in this state."""
    while (await bench.run_of(run_id)).state is not state:
        await asyncio.sleep(0.01)


async def appears(path: Path) -> str:
    """Wait for a file with something in it."""
    while not path.exists() or not path.read_text():
        await asyncio.sleep(0.01)
    return path.read_text()


async def taken(bench: Bench, run_id: RunId, holder: str, term: timedelta = TERM) -> Lease:
    """The lease, taken by somebody."""
    lease = await bench.store.write(
        partial(leases.acquire, run_id=run_id, holder=holder, term=term)
    )
    assert lease is not None
    return lease


async def left_running(bench: Bench, run_id: RunId, process: GatedProcess | None = None) -> None:
    """A dead holder left the task `a` running."""
    await taken(bench, run_id, NOBODY)

    def write(tx: Tx) -> None:
        pgid, started = (process.pgid, process.started) if process else (None, None)
        tasks.start(tx, run_id, [Start(TaskId("a"), 1, pgid, started)])

    await bench.store.write(write)


class TestLeases:
    async def test_stale_holder_changes_nothing(self, bench: Bench) -> None:
        """Who lost the lease ends its tasks and leaves the record to the new holder."""
        run_id = await bench.submit(bench.dag(task("a", "echo $$ > pid; sleep 60")))
        old = await taken(bench, run_id, "old", timedelta(seconds=0))
        driving = asyncio.create_task(drive(bench.store, old, bench.settings))
        pid = int(await appears(bench.folder / "pid"))
        await bench.store.write(partial(leases.free_leases_of, holder="old"))
        new = await taken(bench, run_id, "new")
        with pytest.raises(LeaseLost):
            await driving
        assert not Path(f"/proc/{pid}").exists()
        record = (await bench.tasks(run_id))["a"]
        assert (record.state, record.attempt, record.error) == (TaskState.RUNNING, 1, None)
        assert new.epoch == old.epoch + 1

    async def test_lease_is_kept_while_tasks_run(self, bench: Bench) -> None:
        """A task may take longer than the term of the lease."""
        bench.change(lease_term=timedelta(seconds=0.5), heartbeat=timedelta(seconds=0.05))
        run_id = await bench.submit(bench.dag(task("a", "echo x > begun; sleep 0.8")))
        driving = asyncio.create_task(bench.drive(run_id))
        await appears(bench.folder / "begun")
        await asyncio.sleep(0.6)
        assert (
            await bench.store.write(
                partial(leases.acquire, run_id=run_id, holder="other", term=TERM)
            )
            is None
        )
        assert await driving is RunState.SUCCEEDED

    async def test_leases_of_the_dead_are_freed_at_once(self, bench: Bench) -> None:
        """A run whose holder is no more is driven before its lease runs out."""
        run_id = await bench.submit(bench.dag(task("a", "true")))
        await taken(bench, run_id, NOBODY, timedelta(hours=1))
        assert await bench.drive(run_id) is RunState.SUCCEEDED

    async def test_leases_of_the_living_and_of_other_hosts_stay(self, bench: Bench) -> None:
        """Only a process that was looked for here, and not found, is dead."""
        for holder in (bench.settings.holder, "elsewhere:1:12.00", "unreadable"):
            run_id = await bench.submit(bench.dag(task("a", "true")))
            await taken(bench, run_id, holder)
        await free_dead(bench.store, HOST)
        assert len(await bench.store.read(partial(leases.holders, host=HOST))) == 3

    async def test_unknown_run_cannot_be_driven(self, bench: Bench) -> None:
        """Driving what is not there says so."""
        with pytest.raises(RunNotFound):
            await bench.drive(RunId("run_none"))


class TestTakeOver:
    async def test_interrupted_task_fails_by_default(self, bench: Bench) -> None:
        """A task that may not be repeated is not."""
        run_id = await bench.submit(bench.dag(task("a", "echo x >> ran")))
        await left_running(bench, run_id)
        assert await bench.drive(run_id) is RunState.FAILED
        record = (await bench.tasks(run_id))["a"]
        assert record.error == "interrupted: the worker died while it ran"
        assert not (bench.folder / "ran").exists()

    async def test_interrupted_task_runs_again_where_declared(self, bench: Bench) -> None:
        """`on_interrupt: retry` starts another attempt."""
        dag = bench.dag(task("a", "echo x >> ran", on_interrupt=OnInterrupt.RETRY))
        run_id = await bench.submit(dag)
        await left_running(bench, run_id)
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert (await bench.tasks(run_id))["a"].attempt == 2

    async def test_orphan_is_ended_before_the_task_runs_again(self, bench: Bench) -> None:
        """What the dead worker started is ended first, so that no two attempts meet."""
        log = BoundedLog(bench.folder / "orphan.log")
        orphan = await spawn(("sleep", "60"), cwd="/", env={}, log=log)
        orphan.go()
        alone = f"! test -e /proc/{orphan.pgid}/exe"
        dag = bench.dag(task("a", alone, on_interrupt=OnInterrupt.RETRY))
        run_id = await bench.submit(dag)
        await left_running(bench, run_id, orphan)
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert await orphan.wait(1) == -signal.SIGTERM
        await orphan.end()
        log.finish()

    async def test_stopped_drive_is_taken_up_again(self, bench: Bench) -> None:
        """Cancelling a drive ends its tasks and lets go of the run."""
        dag = bench.dag(
            task("first", "echo x >> first"),
            task(
                "a",
                "echo $$ > pid.$SIGNOFF_ATTEMPT; test $SIGNOFF_ATTEMPT = 2 || sleep 60",
                "first",
                on_interrupt=OnInterrupt.RETRY,
            ),
        )
        run_id = await bench.submit(dag)
        driving = asyncio.create_task(bench.drive(run_id))
        pid = int(await appears(bench.folder / "pid.1"))
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        assert not Path(f"/proc/{pid}").exists()
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert (bench.folder / "first").read_text() == "x\n"


class TestWorker:
    async def test_new_runs_are_driven_at_once(self, bench: Bench) -> None:
        """A run that is submitted while the worker waits starts without a sweep."""
        bench.change(sweep=timedelta(seconds=50))
        async with working(bench):
            first = await bench.submit(bench.dag(task("a", "true")))
            await until(bench, first, RunState.SUCCEEDED)
            second = await bench.submit(bench.dag(task("a", "true")))
            await until(bench, second, RunState.SUCCEEDED)

    async def test_decision_resumes_the_run(self, bench: Bench) -> None:
        """A paused run has no driver; its decision brings one back."""
        bench.change(sweep=timedelta(seconds=50))
        async with working(bench):
            run_id = await bench.submit(bench.dag(gate("ok"), task("a", "true", "ok")))
            await until(bench, run_id, RunState.PAUSED)
            assert await bench.store.read(partial(leases.holders, host=HOST)) == []
            await bench.decide(run_id, Choice.APPROVE)
            await until(bench, run_id, RunState.SUCCEEDED)

    async def test_decisions_at_any_moment_are_not_lost(self, bench: Bench) -> None:
        """However decision and pause fall together, the run ends."""
        async with working(bench):
            ids = [
                await bench.submit(bench.dag(gate("ok"), task("t", f"sleep 0.0{n}")))
                for n in range(8)
            ]
            for run_id in ids:
                while not await bench.pending(run_id):
                    await asyncio.sleep(0.001)
                await bench.decide(run_id, Choice.APPROVE)
            for run_id in ids:
                await until(bench, run_id, RunState.SUCCEEDED)

    async def test_no_more_runs_at_once_than_allowed(self, bench: Bench) -> None:
        """`max_runs` bounds a worker, and the others follow."""
        bench.change(max_runs=1)
        alone = "mkdir alone && sleep 0.05 && rmdir alone"
        ids = [await bench.submit(bench.dag(task("a", alone))) for _ in range(3)]
        async with working(bench):
            for run_id in ids:
                await until(bench, run_id, RunState.SUCCEEDED)

    async def test_worker_is_found_while_it_works(self, bench: Bench) -> None:
        """`signoff run` asks whether somebody will drive its run."""
        asking = partial(live_worker, host=HOST)
        assert not await bench.store.read(asking)
        async with working(bench):
            while not await bench.store.read(asking):
                await asyncio.sleep(0.01)
            assert not await bench.store.read(partial(live_worker, host="elsewhere"))
        assert not await bench.store.read(asking)

    async def test_draining_lets_running_tasks_finish_and_starts_nothing(
        self, bench: Bench
    ) -> None:
        """What runs gets its grace; what has not begun waits for the next worker."""
        run_id = await bench.submit(
            bench.dag(
                task("a", "echo x > begun; until test -e go; do sleep 0.01; done"),
                task("b", "echo x >> ran", "a"),
            )
        )
        async with working(bench) as stop:
            await appears(bench.folder / "begun")
            stop.set()
            await asyncio.sleep(0.05)
            (bench.folder / "go").touch()
        assert await bench.states(run_id) == {"a": "succeeded", "b": "pending"}
        assert await bench.drive(run_id) is RunState.SUCCEEDED

    async def test_draining_ends_what_does_not_finish(self, bench: Bench) -> None:
        """After the grace a task is ended, and counts as interrupted."""
        bench.change(drain=timedelta(seconds=0.1))
        run_id = await bench.submit(bench.dag(task("a", "echo $$ > pid; sleep 60")))
        async with working(bench) as stop:
            pid = int(await appears(bench.folder / "pid"))
            stop.set()
        assert not Path(f"/proc/{pid}").exists()
        assert (await bench.run_of(run_id)).state is RunState.RUNNING
        assert await bench.drive(run_id) is RunState.FAILED

    async def test_one_broken_drive_does_not_stop_the_worker(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A run that cannot be driven is logged and left until its lease is over."""
        broken = await bench.submit(bench.dag(task("a", "true")))

        def spoil(tx: Tx) -> None:
            tx.connection.exec_driver_sql("UPDATE dag SET definition = '{}'")

        await bench.store.write(spoil)
        async with working(bench):
            sound = await bench.submit(bench.dag(task("other", "true")))
            await until(bench, sound, RunState.SUCCEEDED)
        assert f"driving run {broken} failed" in caplog.text
        assert len([r for r in caplog.records if "failed" in r.message]) == 1

    async def test_run_in_other_hands_is_waited_for(self, bench: Bench) -> None:
        """Driving a run that a worker has returns what became of it."""
        run_id = await bench.submit(bench.dag(task("a", "sleep 0.2")))
        async with working(bench):
            await until(bench, run_id, RunState.RUNNING)
            assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert (await bench.tasks(run_id))["a"].attempt == 1
