"""A run is called off while people are asked: its card, its thread and its form say so."""

from functools import partial
from pathlib import Path

import pytest

from engine import (
    Caller,
    CheckpointState,
    Identity,
    IdentityKind,
    Run,
    RunId,
    RunState,
    Surface,
    TaskId,
    TaskState,
    Tx,
    begin_standstill,
    cancel_run,
    end_standstill,
)
from engine.store import tasks
from tests.journeys.seen import read
from tests.journeys.world import HOST, running

pytestmark = pytest.mark.journey

OLA = Caller(identity=Identity(IdentityKind.OS, HOST, "ola"), surface=Surface.CLI, name="Ola Nord")


async def test_the_card_and_its_thread_say_who_called_the_run_off(tmp_path: Path) -> None:
    """The card is redrawn as cancelled with name and reason, and a click on it is too late."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.paused(run_id)
        await world.open_form("U0BOB", card, "approve")
        call_off = partial(cancel_run, run_id=run_id, caller=OLA, reason="wrong branch")
        run = await world.store.write(call_off)
        assert isinstance(run, Run)
        assert run.state is RunState.CANCELLED
        settled = await world.card(state="Cancelled")
        assert settled["ts"] == card["ts"]
        assert "by Ola Nord" in read(settled)
        assert "wrong branch" in read(settled)
        told = await world.person("U0VIC").wait_for_message(lambda m: "Called off" in m["text"])
        assert told["thread_ts"] == card["ts"]
        await world.person("U0BOB").submit({"reason": "ok"})
        assert "called its run off" in str(await world.person("U0BOB").wait_for_modal(_refuses))
        view = await world.checkpoint(settled)
        assert (view.checkpoint.state, view.voices) == (CheckpointState.CANCELLED, ())
        assert world.shipped == 0


async def test_what_was_approved_goes_on_after_a_standstill(tmp_path: Path) -> None:
    """The click counts and the card says so; the worker takes the run up when it may."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.paused(run_id)
        await world.store.write(partial(begin_standstill, caller=OLA, reason="site down"))
        bob = world.person("U0BOB")
        await bob.slash("/checkpoints list")
        listed = await bob.wait_for_message(lambda m: "Waiting for a decision" in m["text"])
        assert "Signoff stands still since" in listed["text"]
        await world.approve("U0BOB", card)
        await world.card(state="Approved")
        # A run that the worker does end meanwhile: it has looked for what there is to drive.
        over = await world.start()
        await world.store.write(partial(_left_running_and_called_off, run_id=over))
        assert (await world.ended(over)).run.state is RunState.CANCELLED
        approved = await world.until(run_id, lambda found: found.run.state is RunState.RUNNING)
        assert approved.tasks[TaskId("ship")].state is TaskState.PENDING
        assert world.shipped == 0
        await world.store.write(partial(end_standstill, caller=OLA))
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert world.shipped == 1


def _left_running_and_called_off(tx: Tx, run_id: RunId) -> None:
    tasks.set_state(tx, run_id, "build", TaskState.PENDING, TaskState.RUNNING, attempt=1)
    assert isinstance(cancel_run(tx, run_id, OLA), Run)


def _refuses(view: object) -> bool:
    return "Cancelled" in str(view)
