"""A worker is killed without warning; another takes over. Real processes, real signals."""

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.dag import OnInterrupt
from engine.model import Choice, RunId, RunState, TaskState
from tests.engine.running import Bench, gate, task

pytestmark = [pytest.mark.journey, pytest.mark.storm]

ROOT = Path(__file__).parents[2]
RETRY = OnInterrupt.RETRY

# Leases run for an hour: whoever takes over within the test saw that the holder is dead.
WORKER = """
import asyncio, signal, sys
from datetime import timedelta
from pathlib import Path
from engine.store.writer import Store
from engine.driving.worker import work
from tests.engine.running import settings_in

async def main(folder):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    store = Store.open(f"sqlite:///{folder / 'signoff.sqlite'}")
    await work(store, settings_in(folder, lease_term=timedelta(hours=1)), stop)
    store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


@asynccontextmanager
async def worker(bench: Bench) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process; at the end it is asked to stop, and exits with 0 unless killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, str(bench.folder)), cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() in {0, -signal.SIGKILL}


async def kill(process: asyncio.subprocess.Process) -> None:
    """End it as a power cut would."""
    process.kill()
    await process.wait()


async def appears(path: Path) -> str:
    """Wait for a file with something in it."""
    while not path.exists() or not path.read_text():
        await asyncio.sleep(0.01)
    return path.read_text()


async def ended(bench: Bench, run_id: RunId) -> RunState:
    """Wait for the end of the run."""
    while not (run := await bench.run_of(run_id)).has_ended:
        await asyncio.sleep(0.02)
    return run.state


def lines(bench: Bench) -> list[str]:
    """What the tasks noted, in order."""
    noted = bench.folder / "ran"
    return noted.read_text().split() if noted.exists() else []


def is_there(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("on_interrupt", "expected", "noted"),
    [
        (OnInterrupt.RETRY, RunState.SUCCEEDED, ["first", "slow1", "slow2", "last"]),
        (OnInterrupt.FAIL, RunState.FAILED, ["first", "slow1"]),
    ],
)
async def test_task_of_a_killed_worker_is_settled_as_declared(
    bench: Bench, on_interrupt: OnInterrupt, expected: RunState, noted: list[str]
) -> None:
    """The next worker ends the orphan, then retries or fails; what had finished stays so."""
    slow = (
        "echo slow$SIGNOFF_ATTEMPT >> ran; echo $$ > pid.$SIGNOFF_ATTEMPT;"
        "test $SIGNOFF_ATTEMPT = 2 || sleep 300"
    )
    dag = bench.dag(
        task("first", "echo first >> ran"),
        task("slow", slow, "first", on_interrupt=on_interrupt),
        task("last", "echo last >> ran", "slow"),
    )
    run_id = await bench.submit(dag)
    async with worker(bench) as process:
        orphan = int(await appears(bench.folder / "pid.1"))
        await kill(process)
    assert is_there(orphan)
    async with worker(bench):
        assert await ended(bench, run_id) is expected
    assert not is_there(orphan)
    assert lines(bench) == noted


async def test_paused_run_survives_a_killed_worker(bench: Bench) -> None:
    """A decision made while no worker lives takes effect when the next one starts."""
    dag = bench.dag(
        task("before", "echo before >> ran"),
        gate("ok", "before"),
        task("after", "echo after >> ran", "ok"),
    )
    run_id = await bench.submit(dag)
    async with worker(bench) as process:
        while (await bench.run_of(run_id)).state is not RunState.PAUSED:
            await asyncio.sleep(0.01)
        await kill(process)
    await bench.decide(run_id, Choice.APPROVE)
    async with worker(bench):
        assert await ended(bench, run_id) is RunState.SUCCEEDED
    assert lines(bench) == ["before", "after"]


async def test_finished_tasks_never_run_again_however_often_workers_die(bench: Bench) -> None:
    """Whenever a worker is killed, what was recorded as done is not done again."""
    names = [f"t{n}" for n in range(12)]
    chain = [
        task(
            name,
            f"echo {name} >> ran; sleep 0.05",
            *names[max(0, n - 1) : n],
            on_interrupt=RETRY,
        )
        for n, name in enumerate(names)
    ]
    run_id = await bench.submit(bench.dag(*chain))
    finished: dict[str, int] = {}
    for _ in range(4):
        before = len(lines(bench))
        async with worker(bench) as process:
            while len(lines(bench)) == before:
                await asyncio.sleep(0.01)
            await asyncio.sleep(random.random() * 0.1)
            await kill(process)
        noted = Counter(lines(bench))
        states = await bench.states(run_id)
        finished |= {n: noted[n] for n, state in states.items() if state is TaskState.SUCCEEDED}
    async with worker(bench):
        assert await ended(bench, run_id) is RunState.SUCCEEDED
    noted = Counter(lines(bench))
    assert {name: noted[name] for name in finished} == finished
    assert set(noted) == set(names)


async def test_asking_a_worker_to_stop_lets_its_task_finish(bench: Bench) -> None:
    """SIGTERM drains: the running task is recorded, the next worker goes on after it."""
    dag = bench.dag(task("a", "echo a >> ran; sleep 0.3"), task("b", "echo b >> ran", "a"))
    run_id = await bench.submit(dag)
    async with worker(bench) as process:
        await appears(bench.folder / "ran")
        process.terminate()
    assert await bench.states(run_id) == {"a": "succeeded", "b": "pending"}
    async with worker(bench):
        assert await ended(bench, run_id) is RunState.SUCCEEDED
    assert lines(bench) == ["a", "b"]
