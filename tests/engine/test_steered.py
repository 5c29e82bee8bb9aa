"""Runs that are called off, timed or held still while a driver is at work on them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import psutil
import pytest

from engine.dag import OnInterrupt, PythonCall
from engine.driving.runner import drive
from engine.driving.worker import work
from engine.driving.workplace import Workplace
from engine.model import (
    Cause,
    CheckpointState,
    Choice,
    RunCause,
    RunId,
    RunState,
    TaskId,
    TaskState,
)
from engine.standstill import begin, end
from engine.steering import cancel, retry
from engine.store import checkpoints, leases, outbox, tasks
from engine.store.runs import Run
from engine.store.tasks import Start
from engine.store.writer import Tx
from tests.engine.running import ANA, HOST, Bench, gate, task

S = TaskState
TERM = timedelta(minutes=1)
NOBODY = f"{HOST}:1:12.00"  # pid 1 did not start then: such a holder is dead
SLEEPS = (
    "import time, os\ndef f():\n    open('pid', 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


async def appears(path: Path) -> str:
    """Wait for a file with something in it."""
    while not path.exists() or not path.read_text():
        await asyncio.sleep(0.01)
    return path.read_text()


def is_there(pid: str) -> bool:
    """Whether this process still runs."""
    stat = Path(f"/proc/{pid.strip()}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def called_off(bench: Bench, run_id: RunId) -> None:
    """Ana calls the run off."""
    done = await bench.store.write(partial(cancel, run_id=run_id, caller=ANA, reason="wrong one"))
    assert isinstance(done, Run)


async def left_running(bench: Bench, run_id: RunId) -> None:
    """A dead holder left the task `a` running."""

    def write(tx: Tx) -> None:
        assert leases.acquire(tx, run_id, NOBODY, TERM) is not None
        tasks.start(tx, run_id, [Start(TaskId("a"), 1, None, None)])

    await bench.store.write(write)


async def held(bench: Bench, run_id: RunId) -> bool:
    """Whether somebody drives the run."""
    return not await bench.store.read(partial(_is_free, run_id=run_id))


def _is_free(tx: Tx, run_id: RunId) -> bool:
    query = "SELECT lease_holder IS NULL FROM run WHERE id = ?"
    return bool(tx.connection.exec_driver_sql(query, (run_id,)).scalar_one())


@asynccontextmanager
async def working(bench: Bench) -> AsyncIterator[None]:
    """A worker in this process."""
    stop = asyncio.Event()
    worker = asyncio.create_task(work(bench.store, bench.settings, stop))
    try:
        yield
    finally:
        stop.set()
        await worker


class TestCalledOff:
    @pytest.mark.parametrize(
        "at_work",
        ["echo $$ > pid; sleep 60", PythonCall(ref="jobs:f")],
        ids=["command", "function"],
    )
    async def test_what_runs_is_ended(self, bench: Bench, at_work: str | PythonCall) -> None:
        """The process is gone, the tasks and the run are cancelled, nothing else has started."""
        (bench.folder / "jobs.py").write_text(SLEEPS)
        run_id = await bench.submit(
            bench.dag(task("a", at_work, retries=5), task("b", "touch ran", "a"), gate("ok"))
        )
        driving = asyncio.create_task(bench.drive(run_id))
        pid = await appears(bench.folder / "pid")
        await called_off(bench, run_id)
        assert await driving is RunState.CANCELLED
        assert not is_there(pid)
        assert await bench.states(run_id) == {"a": S.CANCELLED, "b": S.CANCELLED, "ok": S.CANCELLED}
        assert (await bench.tasks(run_id))["a"].error == "ended because its run was called off"
        assert not (bench.folder / "ran").exists()
        told = await bench.store.write(partial(outbox.claim, holder="t", term=TERM, limit=9))
        assert outbox.DeliveryKind.RUN_ENDED in {delivery.kind for delivery in told}

    async def test_a_task_that_waits_for_its_retry_is_not_tried_again(self, bench: Bench) -> None:
        """A run called off between two attempts ends at once, and its driver lets go."""
        later = timedelta(hours=1)
        run_id = await bench.submit(bench.dag(task("a", "false", retries=1, retry_delay=later)))
        driving = asyncio.create_task(bench.drive(run_id))
        while (await bench.tasks(run_id))["a"].not_before is None:
            await asyncio.sleep(0.01)
        await called_off(bench, run_id)
        assert await driving is RunState.CANCELLED
        assert (await bench.tasks(run_id))["a"].attempt == 1

    async def test_what_a_dead_driver_left_is_not_repeated(self, bench: Bench) -> None:
        """Even with `on_interrupt: retry`: whoever takes the run up only brings it to its end."""
        dag = bench.dag(task("a", "echo x >> ran", on_interrupt=OnInterrupt.RETRY))
        run_id = await bench.submit(dag)
        await left_running(bench, run_id)
        await called_off(bench, run_id)
        assert await bench.drive(run_id) is RunState.CANCELLED
        assert not (bench.folder / "ran").exists()


class TestStandstill:
    async def test_what_runs_finishes_and_nothing_starts(self, bench: Bench) -> None:
        """The driver lets go of the run, and the worker goes on with it afterwards."""
        async with working(bench):
            run_id = await bench.submit(
                bench.dag(
                    task("a", "echo x > begun; until test -e go; do sleep 0.01; done"),
                    task("b", "touch ran", "a"),
                )
            )
            await appears(bench.folder / "begun")
            await bench.store.write(partial(begin, caller=ANA, reason="site down"))
            (bench.folder / "go").touch()
            while (await bench.states(run_id))["a"] is not S.SUCCEEDED or await held(bench, run_id):
                await asyncio.sleep(0.01)
            assert await bench.states(run_id) == {"a": S.SUCCEEDED, "b": S.PENDING}
            assert (await bench.run_of(run_id)).state is RunState.RUNNING
            await bench.store.write(partial(end, caller=ANA))
            while not (await bench.run_of(run_id)).has_ended:
                await asyncio.sleep(0.01)
        assert (bench.folder / "ran").exists()

    async def test_a_decision_counts_and_takes_effect_afterwards(self, bench: Bench) -> None:
        """Nobody's answer is lost, and no run resumes."""
        async with working(bench):
            run_id, _ = await bench.run(gate("ok"), task("b", "touch ran", "ok"))
            await bench.store.write(partial(begin, caller=ANA))
            await bench.decide(run_id, Choice.APPROVE)
            other = await bench.submit(bench.dag(task("c", "touch ran")))
            await asyncio.sleep(0.1)
            assert (await bench.run_of(other)).state is RunState.QUEUED
            assert not (bench.folder / "ran").exists()
            await bench.store.write(partial(end, caller=ANA))
            for each in (run_id, other):
                while not (await bench.run_of(each)).has_ended:
                    await asyncio.sleep(0.01)
        assert (bench.folder / "ran").exists()


class TestPlaces:
    async def test_a_worker_runs_only_so_many_tasks_at_once(self, bench: Bench) -> None:
        """Over all its runs; the others follow as places become free."""
        bench.change(max_tasks=2)
        alone = "mkdir place.$$ && ls -d place.* | wc -l >> seen; sleep 0.05; rmdir place.$$"
        many = [task(f"t{number}", alone) for number in range(3)]
        async with working(bench):
            ids = [await bench.submit(bench.dag(*many)) for _ in range(3)]
            for run_id in ids:
                while not (await bench.run_of(run_id)).has_ended:
                    await asyncio.sleep(0.01)
        seen = [int(count) for count in (bench.folder / "seen").read_text().split()]
        assert (len(seen), max(seen)) == (9, 2)

    async def test_a_dag_says_how_many_of_its_tasks_run_at_once(self, bench: Bench) -> None:
        """`max_parallel` of the DAG goes before that of the worker."""
        alone = "mkdir alone && sleep 0.02 && rmdir alone"
        dag = bench.dag(*(task(f"t{number}", alone) for number in range(4)))
        assert await bench.drive(await bench.submit(replace(dag, max_parallel=1))) == "succeeded"

    @pytest.mark.parametrize("delay_ms", [0, 1, 3, 5, 8, 12, 20, 40])
    async def test_a_drive_that_is_broken_off_leaves_nothing_behind(
        self, bench: Bench, delay_ms: int
    ) -> None:
        """At whatever moment: every place is free again, and no process of the run is there."""
        (bench.folder / "jobs.py").write_text(SLEEPS)
        works: list[str | PythonCall] = ["sleep 60", PythonCall(ref="jobs:f")] * 2
        dag = bench.dag(*(task(f"t{number}", work) for number, work in enumerate(works)))
        run_id = await bench.submit(dag)
        take = partial(leases.acquire, run_id=run_id, holder="here", term=TERM)
        lease = await bench.store.write(take)
        assert lease is not None
        place = Workplace(4)
        driving = asyncio.create_task(drive(bench.store, lease, bench.settings, workplace=place))
        await asyncio.sleep(delay_ms / 1000)
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        assert place.take(9, lambda: None) == 4
        assert not [child for child in psutil.Process().children() if _is_of_a_task(child)]


class TestRunTimeout:
    async def test_a_run_out_of_time_ends_with_all_that_belongs_to_it(self, bench: Bench) -> None:
        """What runs is ended and has failed, what has not started and is asked is called off."""
        dag = bench.dag(
            task("a", "echo $$ > pid; sleep 60", retries=3),
            task("b", "touch ran", "a"),
            gate("ok"),
        )
        run_id = await bench.submit(replace(dag, timeout=timedelta(seconds=3)))  # to start, too
        assert await bench.drive(run_id) is RunState.FAILED
        run = await bench.run_of(run_id)
        assert (run.cause, run.because) == (RunCause.TIMED_OUT, None)
        assert not is_there((bench.folder / "pid").read_text())
        records = await bench.tasks(run_id)
        assert records["a"].error == "ended because its run ran out of time"
        assert records["a"].state is S.FAILED
        assert records["ok"].state is S.CANCELLED
        assert records["b"].state in {S.CANCELLED, S.SKIPPED}
        [asked] = await bench.store.read(partial(checkpoints.listed, limit=9, run_id=run_id))
        assert (asked.state, asked.cause) == (CheckpointState.CANCELLED, Cause.RUN_ENDED)

    async def test_time_that_people_take_does_not_count(self, bench: Bench) -> None:
        """A pause is as long as it is; only the work before and after it is timed."""
        dag = bench.dag(task("a", "true"), gate("ok", "a"), task("b", "true", "ok"))
        run_id = await bench.submit(replace(dag, timeout=timedelta(seconds=30)))
        assert await bench.drive(run_id) is RunState.PAUSED
        before = (await bench.run_of(run_id)).worked_s
        await bench.store.write(partial(_backdate, run_id=run_id))
        await bench.decide(run_id, Choice.APPROVE)
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert 0 < before < (await bench.run_of(run_id)).worked_s < 30

    async def test_time_before_a_pause_counts_behind_it(self, bench: Bench) -> None:
        """A run that has used its time up to now has none left when it goes on."""
        dag = bench.dag(gate("ok"), task("b", "touch ran; sleep 60", "ok"))
        run_id = await bench.submit(replace(dag, timeout=timedelta(seconds=20)))
        await bench.drive(run_id)
        await bench.store.write(partial(_has_worked, run_id=run_id, seconds=19.5))
        await bench.decide(run_id, Choice.APPROVE)
        assert await bench.drive(run_id) is RunState.FAILED
        assert (await bench.run_of(run_id)).cause is RunCause.TIMED_OUT

    async def test_trying_again_gives_it_its_time_again(self, bench: Bench) -> None:
        """The tasks that were ended run anew, and those that were called off follow."""
        slow_once = "test -e again || { touch again; sleep 60; }"
        dag = bench.dag(task("a", slow_once), task("b", "touch ran", "a"))
        run_id = await bench.submit(replace(dag, timeout=timedelta(seconds=0.7)))
        assert await bench.drive(run_id) is RunState.FAILED
        assert isinstance(await bench.store.write(partial(retry, run_id=run_id, caller=ANA)), Run)
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert (bench.folder / "ran").exists()


def _is_of_a_task(child: psutil.Process) -> bool:
    """Whether a child is a command of ours, before or behind its gate, or a task host."""
    try:
        said = " ".join(child.cmdline())
    except psutil.Error:
        return False
    return "sleep" in said or "host.py" in said


def _backdate(tx: Tx, run_id: RunId) -> None:
    """The run was started a day ago."""
    at = (tx.now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    statement = "UPDATE run SET started_at = ?, created_at = ? WHERE id = ?"
    tx.connection.exec_driver_sql(statement, (at, at, run_id))


def _has_worked(tx: Tx, run_id: RunId, seconds: float) -> None:
    tx.connection.exec_driver_sql("UPDATE run SET worked_s = ? WHERE id = ?", (seconds, run_id))
