"""The turns of a driver on the record: what they write, and what they refuse to."""

from functools import partial
from typing import Any

import pytest

from engine.driving import advance
from engine.driving.advance import Turn, Turned
from engine.lifecycle import Verdict
from engine.model import RunCause, RunId, RunState, TaskId, TaskState
from engine.store import journal, leases, runs, tasks
from engine.store.leases import Lease
from engine.store.tasks import Finish, Start
from engine.store.writer import Store, Tx
from engine.task_events import TaskEvent
from tests.engine.build import NOW, TERM, deploy_dag, new_run, shell
from tests.engine.build import FakeClock as Clock

S = TaskState
BUILD, RELEASE, SHIP = TaskId("build"), TaskId("release"), TaskId("ship")


@pytest.fixture
async def lease(store: Store) -> Lease:
    """The lease on a new run of `deploy_dag`."""
    run_id = await store.write(new_run)
    taken = await store.write(partial(leases.acquire, run_id=run_id, holder="w", term=TERM))
    assert taken is not None
    return taken


async def take(store: Store, lease: Lease, revision: int = 0, **moves: Any) -> Turned:
    """One turn."""
    turn = Turn(revision=revision, **moves)
    dag = deploy_dag()
    write = partial(advance.take, lease=lease, dag=dag, turn=turn, surface="slack")
    return await store.write(write)


async def states(store: Store, run_id: RunId) -> dict[str, str]:
    """Where the tasks stand."""
    return {v.id: v.state for v in (await store.read(partial(tasks.views, run_id=run_id))).values()}


def done(task_id: TaskId, state: TaskState = S.SUCCEEDED, **more: Any) -> Finish:
    """The end of a first attempt."""
    return Finish(task_id=task_id, attempt=1, state=state, **more)


async def test_a_turn_writes_an_end_and_what_follows_from_it(store: Store, lease: Lease) -> None:
    """Process, times, output and words of a task are on record, and the question is asked."""
    await take(store, lease, start=[Start(BUILD, 1, 4711, 12.5)])
    record = (await store.read(partial(tasks.records, run_id=lease.run_id)))[BUILD]
    assert (record.state, record.attempt, record.started_at) == (S.RUNNING, 1, NOW)
    assert (record.pgid, record.process_started) == (4711, 12.5)
    output = {"tag": "v1", "n": [1, {"a": None}], "text": "ß"}
    ended = done(BUILD, output=output, log_tail="built\n")
    await take(store, lease, finished=[ended], open=[RELEASE])
    record = (await store.read(partial(tasks.records, run_id=lease.run_id)))[BUILD]
    assert (record.state, record.ended_at, record.pgid) == (S.SUCCEEDED, NOW, None)
    assert (record.output, record.log_tail, record.error) == (output, "built\n", None)
    assert await states(store, lease.run_id) == {
        "build": "succeeded",
        "release": "waiting",
        "ship": "pending",
    }


async def test_many_tasks_move_at_once(store: Store, clock: Clock) -> None:
    """Starts, ends, retries and skips of a hundred tasks are one transaction each."""
    names = [f"t{number}" for number in range(100)]
    dag = deploy_dag()
    wide = type(dag)(name="wide", tenant=dag.tenant, tasks=tuple(shell(name) for name in names))
    run_id = await store.write(partial(new_run, dag=wide))
    lease = await store.write(partial(leases.acquire, run_id=run_id, holder="w", term=TERM))
    assert lease is not None
    started = [Start(TaskId(name), 1, 100 + at, 1.0) for at, name in enumerate(names[:60])]
    skipped = [TaskId(name) for name in names[60:]]
    await take(store, lease, start=started, skip=skipped)
    clock.advance(TERM / 10)
    ended = [done(TaskId(name), output={"name": name}) for name in names[:30]]
    again = [done(TaskId(n), S.PENDING, error="no", again=clock.now()) for n in names[30:60]]
    await take(store, lease, finished=[*ended, *again])
    records = await store.read(partial(tasks.records, run_id=run_id))
    assert [record.state for record in records.values()] == (
        [S.SUCCEEDED] * 30 + [S.PENDING] * 30 + [S.SKIPPED] * 40
    )
    assert records[TaskId("t3")].output == {"name": "t3"}
    assert records[TaskId("t40")].not_before == clock.now()
    happened = await store.read(partial(journal.of_run, run_id=run_id))
    assert [one.event for one in happened] == (
        [TaskEvent.STARTED] * 60 + [TaskEvent.SUCCEEDED] * 30 + [TaskEvent.RETRIED] * 30
    )
    assert [one.at for one in happened] == [NOW] * 60 + [clock.now()] * 60


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param({"start": [Start(SHIP, 1, 1, 1.0), Start(BUILD, 2, 1, 1.0)]}, id="start"),
        pytest.param({"finished": [done(SHIP)]}, id="finish"),
        pytest.param({"skip": [BUILD]}, id="skip"),
        pytest.param({"open": [RELEASE, RELEASE]}, id="open"),
    ],
)
async def test_a_move_of_a_task_that_stands_elsewhere_is_a_bug(
    store: Store, lease: Lease, moves: dict[str, Any]
) -> None:
    """It raises, and nothing of the turn is written."""
    await take(store, lease, start=[Start(BUILD, 1, 1, 1.0)])
    before = await store.read(partial(tasks.records, run_id=lease.run_id))
    with pytest.raises(AssertionError):
        await take(store, lease, **moves)
    assert await store.read(partial(tasks.records, run_id=lease.run_id)) == before


async def test_a_run_that_was_changed_meanwhile_is_learnt_anew(store: Store, lease: Lease) -> None:
    """What had finished is written; the rest waits for a second thought."""
    await take(store, lease, start=[Start(BUILD, 1, 1, 1.0)])
    await store.write(partial(runs.touch, run_id=lease.run_id))
    turned = await take(store, lease, finished=[done(BUILD)], open=[RELEASE])
    assert turned.standing is not None
    assert turned.standing.revision == 1
    assert turned.standing.tasks[BUILD].state is S.SUCCEEDED
    assert turned.standing.tasks[RELEASE].state is S.PENDING


async def test_a_run_ends_with_its_verdict_and_lets_go_of_its_lease(
    store: Store, lease: Lease, clock: Clock
) -> None:
    """The time it was at work is added up."""
    clock.advance(TERM / 2)
    verdict = Verdict(RunState.FAILED, RunCause.TIMED_OUT)
    turned = await take(store, lease, verdict=verdict, closes=True)
    assert turned.state is RunState.FAILED
    run = await store.read(partial(_run, run_id=lease.run_id))
    assert (run.cause, run.worked_s, run.working_since) == (RunCause.TIMED_OUT, 15.0, None)
    assert set((await states(store, lease.run_id)).values()) == {"cancelled"}
    assert not await store.read(partial(leases.wants_driver, run_id=lease.run_id))


def _run(tx: Tx, run_id: RunId) -> runs.Run:
    run = runs.load(tx, run_id)
    assert run is not None
    return run
