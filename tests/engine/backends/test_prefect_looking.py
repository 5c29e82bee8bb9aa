"""What became of a gate on Prefect 3."""

from datetime import timedelta

import pytest

from engine.backends.prefect import Prefect
from engine.errors import BackendUnreachable
from engine.gates import Answered, Gone, RunThere, Taken, TooLate, Waits
from engine.model import RunState
from tests.engine.backends.faults import Trouble
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.backends.prefect_stage import FORM, SILENT, VERDICT, YES, only, said
from tests.engine.build import FakeClock


async def test_a_suspended_run_has_gone_on_once_a_new_process_runs(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Until then nobody is told that it went on."""
    run = fake.start()
    fake.pause(run, schema=FORM)
    gate = await only(prefect, clock)
    assert await prefect.look(gate.ref, None) == Waits()
    assert await prefect.answer(gate.ref, said({"percent": 5})) == Taken()
    found = await prefect.look(gate.ref, said({"percent": 5}))
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (True, None)
    assert found.said == "Approve (percent: 5, ring: canary, more: {})"
    assert found.found == "resumed, but no worker there has taken it up"
    fake.enter(run, "PENDING")
    found = await prefect.look(gate.ref, None)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (False, None)
    fake.enter(run, "RUNNING")
    found = await prefect.look(gate.ref, said({"percent": 5}))
    assert isinstance(found, Answered)
    assert (found.went_on, found.found) == (True, "")


@pytest.mark.parametrize(
    ("ends", "went_on", "where"),
    [
        (("PENDING", "CRASHED"), False, "resumed, but its process crashed"),
        (("CANCELLED",), False, "resumed, and then cancelled"),
        (("PENDING", "RUNNING", "FAILED"), True, ""),
        (("PENDING", "RUNNING", "CRASHED"), True, ""),
    ],
)
async def test_a_suspended_run_that_ends_before_it_runs_has_not_gone_on(
    fake: FakePrefect,
    prefect: Prefect,
    clock: FakeClock,
    ends: tuple[str, ...],
    went_on: bool,
    where: str,
) -> None:
    """One that ends after it ran has."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.resume(run)
    for end in ends:
        fake.enter(run, end)
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.went_on, found.found) == (went_on, where)


async def test_a_paused_run_whose_process_is_dead_is_told_apart(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect accepts the answer and says `Running`, and nothing ever happens."""
    run = fake.start()
    fake.begin_task(run)
    fake.pause(run, suspended=False)
    gate = await only(prefect, clock)
    assert await prefect.answer(gate.ref, YES) == Taken()
    assert fake.runs[run]["state"]["type"] == "RUNNING"
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on, found.found) == (True, None, SILENT)
    fake.log(run, "Downloading flow code from storage at '.'")
    fake.enter(run, "CRASHED")
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.went_on, found.found) == (False, "resumed, but its process crashed")


@pytest.mark.parametrize("sign", ["task", "log", "state"])
async def test_any_sign_of_life_shows_that_a_paused_run_goes_on(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, sign: str
) -> None:
    """A task that began, the flow's own word, or another state."""
    run = fake.start()
    fake.pause(run, suspended=False)
    gate = await only(prefect, clock)
    fake.resume(run)
    if sign == "task":
        fake.begin_task(run)
    elif sign == "log":
        fake.log(run, "Resuming flow run execution!")
    else:
        fake.pause(run, "second", suspended=False)
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (False, True)


async def test_somebody_elses_answer_is_told_from_ours(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Even where it is the same as ours, or where there is no form: we leave a mark."""
    same, other, bare = fake.start(), fake.start(), fake.start()
    fake.pause(same, schema=VERDICT)
    fake.pause(other, schema=VERDICT)
    fake.pause(bare)
    clock.advance(timedelta(seconds=3))
    gates = {gate.ref.run: gate.ref for gate in await prefect.waiting()}
    fake.resume(same, {"approved": True, "reason": "fine", "percent": 10})
    fake.resume(other, {"approved": False})
    fake.resume(bare)
    words = {same: "Approve (percent: 10)", other: "Reject", bare: "Approve"}
    for run, word in words.items():
        assert await prefect.answer(gates[run], YES) == TooLate()
        found = await prefect.look(gates[run], YES)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.said, found.at) == (False, word, clock.now())


@pytest.mark.parametrize("schema", [None, VERDICT])
async def test_a_lost_reply_is_found_to_be_ours(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, schema: object
) -> None:
    """With a form and without one."""
    run = fake.start()
    fake.pause(run, schema=schema)
    gate = await only(prefect, clock)
    fake.server.faults.add(Trouble.DROP_AFTER, part="/resume")
    with pytest.raises(BackendUnreachable):
        await prefect.answer(gate.ref, YES)
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert found.is_ours
    assert await prefect.answer(gate.ref, YES) == TooLate()


async def test_a_pause_that_is_asked_again_is_another_gate(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """A run that is run again forgets the answer that it had; our mark is still there."""
    run = fake.start()
    fake.pause(run, schema=VERDICT)
    gate = await only(prefect, clock)
    await prefect.answer(gate.ref, YES)
    fake.take_up(run)
    fake.enter(run, "FAILED")
    fake.take_up(run)
    fake.pause(run, schema=VERDICT)
    again = await only(prefect, clock)
    assert again.ref.key != gate.ref.key
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (True, True)
    assert await prefect.look(again.ref, YES) == Waits()


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("FAILED", "the run was marked as failed"),
        ("CRASHED", "its process died"),
        ("COMPLETED", "the run was marked as completed"),
        ("SCHEDULED", "the run was started again"),
    ],
)
async def test_a_pause_can_end_without_an_answer(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, end: str, why: str
) -> None:
    """Each way has its words."""
    run = fake.start()
    fake.pause(run, suspended=False)
    gate = await only(prefect, clock)
    fake.enter(run, end)
    assert await prefect.look(gate.ref, YES) == Gone(why)
    assert await prefect.answer(gate.ref, YES) == TooLate()


async def test_a_pause_whose_time_is_up_is_gone(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """The server fails its run."""
    fake.pause(fake.start(), timeout=timedelta(seconds=30))
    gate = await only(prefect, clock)
    clock.advance(timedelta(seconds=31))
    fake.expire()
    assert await prefect.look(gate.ref, None) == Gone("its time was up there")
    assert await prefect.waiting() == []


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("SCHEDULED", RunState.QUEUED),
        ("PENDING", RunState.QUEUED),
        ("RUNNING", RunState.RUNNING),
        ("COMPLETED", RunState.SUCCEEDED),
        ("FAILED", RunState.FAILED),
        ("CRASHED", RunState.FAILED),
        ("CANCELLING", RunState.CANCELLED),
        ("ODD", RunState.RUNNING),
    ],
)
async def test_how_a_run_stands(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, kind: str, state: RunState
) -> None:
    """In our words; a bad end names the task that failed."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    assert await prefect.run(gate.ref) == RunThere(RunState.PAUSED)
    fake.begin_task(run, "ship-1", "FAILED")
    fake.enter(run, kind)
    because = "ship-1" if state is RunState.FAILED else None
    assert await prefect.run(gate.ref) == RunThere(state, because)
