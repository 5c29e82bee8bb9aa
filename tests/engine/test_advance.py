"""The transactions of a driver, when somebody else has taken the run over."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.dag import Dag
from engine.driving import advance
from engine.errors import LeaseLost
from engine.lifecycle import Verdict
from engine.model import RunId, RunState, TaskId, TaskState
from engine.store import leases, runs, tasks, trail
from engine.store.leases import Lease
from engine.store.tasks import Finish, Start
from engine.store.writer import Tx
from tests.engine.running import Bench, task

Write = Callable[[Tx, Lease, Dag], Any]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


A, B = TaskId("a"), TaskId("b")
DONE = Finish(task_id=A, attempt=1, state=TaskState.SUCCEEDED, output={"v": 1})
OVER = Finish(task_id=A, attempt=1, state=TaskState.FAILED, error="no")


def _take(tx: Tx, lease: Lease, dag: Dag, **moves: Any) -> None:
    advance.take(tx, lease, dag, advance.Turn(revision=0, **moves), "slack")


def _take_over(tx: Tx, lease: Lease, dag: Dag) -> None:
    left = advance.interrupted(tx, lease.run_id)
    advance.take_over(tx, lease, dag, left, unended=frozenset())


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(partial(_take, start=[Start(B, 1, 4, 2.0)]), id="start"),
        pytest.param(partial(_take, finished=[DONE]), id="success"),
        pytest.param(partial(_take, finished=[OVER]), id="failure"),
        pytest.param(partial(_take, skip=[B]), id="skip"),
        pytest.param(partial(_take, verdict=Verdict(RunState.SUCCEEDED)), id="end"),
        pytest.param(_take_over, id="take over"),
        pytest.param(lambda tx, lease, _: leases.renew(tx, lease, timedelta(hours=1)), id="renew"),
        pytest.param(lambda tx, lease, _: leases.release(tx, lease), id="release"),
        pytest.param(lambda tx, lease, _: leases.pause(tx, lease), id="pause"),
    ],
)
async def test_stale_lease_changes_nothing(bench: Bench, write: Write) -> None:
    """Whatever a driver writes is refused once another holds a later epoch."""
    dag = bench.dag(task("a", "true"), task("b", "true"))
    run_id = await bench.submit(dag)
    old, _ = [await bench.store.write(partial(_taken, run_id=run_id, who=who)) for who in "ab"]
    before = await bench.store.read(partial(_everything, run_id=run_id))
    with pytest.raises(LeaseLost):
        await bench.store.write(lambda tx: write(tx, old, dag))
    assert await bench.store.read(partial(_everything, run_id=run_id)) == before


def _taken(tx: Tx, run_id: RunId, who: str) -> Lease:
    """A lease that runs out at once; its first holder left task `a` running."""
    lease = leases.acquire(tx, run_id, who, timedelta(0))
    assert lease is not None
    tasks.set_state(tx, run_id, "a", TaskState.PENDING, TaskState.RUNNING, attempt=1)
    return lease


def _everything(tx: Tx, run_id: RunId) -> tuple[object, ...]:
    return runs.load(tx, run_id), tasks.records(tx, run_id), trail.head(tx)
