"""Runs that failed, mended and driven on: trying again and asking again, with real tasks."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine import standstill
from engine.asking import AskedAgain, ask_again
from engine.decisions import expire_now
from engine.model import Checkpoint, Choice, RunCause, RunId, RunState, TaskState
from engine.steering import cancel, retry
from engine.store.runs import Run
from tests.engine.running import ANA, Bench, gate, task

S = TaskState
BROKEN = "echo x >> broken.txt; test -e mended"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def mend(bench: Bench) -> None:
    (bench.folder / "mended").touch()


async def tried_again(bench: Bench, run_id: RunId) -> RunState:
    """Try the run again, and drive it as far as it goes."""
    run = await bench.store.write(partial(retry, run_id=run_id, caller=ANA))
    assert isinstance(run, Run), run
    return await bench.drive(run_id)


async def asked_again(bench: Bench, checkpoint: Checkpoint) -> None:
    asked = await bench.store.write(partial(ask_again, checkpoint_id=checkpoint.id, caller=ANA))
    assert isinstance(asked, AskedAgain), asked


async def with_two_bad_branches(bench: Bench) -> tuple[RunId, Checkpoint]:
    """A run in which one branch failed and a question of another one expired."""
    run_id, state = await bench.run(
        task("broken", BROKEN),
        task("report", "true", "broken"),
        gate("release"),
        task("ship", "echo x >> ship.txt", "release"),
    )
    assert state is RunState.PAUSED
    (asked,) = await bench.pending(run_id)
    await bench.store.write(partial(expire_now, checkpoint_id=asked.id, caller=ANA))
    assert await bench.drive(run_id) is RunState.FAILED
    assert (await bench.run_of(run_id)).cause is RunCause.TASK_FAILED
    return run_id, asked


def ran(bench: Bench, name: str) -> int:
    """How often a task left its mark."""
    path = bench.folder / name
    return len(path.read_text().splitlines()) if path.exists() else 0


async def test_two_bad_branches_are_mended_one_after_the_other(bench: Bench) -> None:
    """Asked again first: the approved branch runs, and the run fails until it is tried again."""
    run_id, asked = await with_two_bad_branches(bench)
    await asked_again(bench, asked)
    assert await bench.drive(run_id) is RunState.PAUSED
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.FAILED
    assert (ran(bench, "ship.txt"), ran(bench, "broken.txt")) == (1, 1)
    mend(bench)
    assert await tried_again(bench, run_id) is RunState.SUCCEEDED
    assert (ran(bench, "ship.txt"), ran(bench, "broken.txt")) == (1, 2)


async def test_two_bad_branches_are_mended_the_other_way_round(bench: Bench) -> None:
    """Tried again first: then only the expired question keeps it from success."""
    run_id, asked = await with_two_bad_branches(bench)
    mend(bench)
    assert await tried_again(bench, run_id) is RunState.FAILED
    assert (await bench.run_of(run_id)).cause is RunCause.EXPIRED
    await asked_again(bench, asked)
    assert await bench.drive(run_id) is RunState.PAUSED
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    assert (ran(bench, "ship.txt"), ran(bench, "broken.txt")) == (1, 2)


async def test_a_question_behind_the_failure_is_asked_after_the_retry(bench: Bench) -> None:
    """It was skipped before anybody was asked; now it is asked for the first time."""
    run_id, _ = await bench.run(
        task("broken", BROKEN), gate("release", "broken"), task("ship", "true", "release")
    )
    assert await bench.states(run_id) == {
        "broken": S.FAILED,
        "release": S.SKIPPED,
        "ship": S.SKIPPED,
    }
    mend(bench)
    assert await tried_again(bench, run_id) is RunState.PAUSED
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.SUCCEEDED


async def test_a_run_called_off_while_a_task_runs_ends_as_cancelled(bench: Bench) -> None:
    """Whatever becomes of the task, what was behind it never starts."""
    dag = bench.dag(
        task("slow", "touch begun; until test -e enough; do sleep 0.05; done"),
        task("after", "touch after.txt", "slow"),
        gate("release", "slow"),
    )
    run_id = await bench.submit(dag)
    driving = asyncio.create_task(bench.drive(run_id))
    while not (bench.folder / "begun").exists():
        await asyncio.sleep(0.01)
    run = await bench.store.write(partial(cancel, run_id=run_id, caller=ANA))
    assert isinstance(run, Run)
    assert run.state is RunState.RUNNING
    (bench.folder / "enough").touch()
    assert await driving is RunState.CANCELLED
    states = await bench.states(run_id)
    assert (states["after"], states["release"]) == (S.CANCELLED, S.CANCELLED)
    assert not (bench.folder / "after.txt").exists()


async def test_a_driver_waits_out_a_standstill(bench: Bench) -> None:
    """A run asked for meanwhile is driven once everything may go on."""
    run_id = await bench.submit(bench.dag(task("a", "true")))
    await bench.store.write(partial(standstill.begin, caller=ANA))
    driving = asyncio.create_task(bench.drive(run_id))
    other = await bench.submit(bench.dag(task("b", "true")))
    await bench.store.write(partial(cancel, run_id=other, caller=ANA))
    assert (await bench.run_of(run_id)).state is RunState.QUEUED
    await bench.store.write(partial(standstill.end, caller=ANA))
    assert await driving is RunState.SUCCEEDED
