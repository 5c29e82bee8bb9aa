"""The adapter of Prefect keeps the promises of a backend, and knows Prefect's traps."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from engine.backends.prefect import Prefect
from engine.errors import BackendUnreachable
from engine.gates import Answered, Declined, Gone, RunThere, Taken, TooLate, Waits
from engine.model import RunState
from tests.engine.backends.contract import BackendContract
from tests.engine.backends.faults import Trouble
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.backends.prefect_stage import (
    FORM,
    NO,
    VERDICT,
    WITHDRAWAL,
    YES,
    FakeStage,
    only,
    said,
    staged,
)
from tests.engine.build import FakeClock


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Prefect, and the adapter that talks to it."""
    async with staged(clock) as stage:
        yield stage


class TestTheContract(BackendContract):
    """Every promise of the port."""


async def test_a_field_that_is_the_answer_is_not_asked_for(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """`approved` becomes the options, and the reason of the decision goes into `reason`."""
    yes, no = fake.start(), fake.start()
    for run in (yes, no):
        fake.pause(run, schema=VERDICT)
    clock.advance(timedelta(seconds=3))
    first, second = await prefect.waiting()
    assert first.options == ("Approve", "Reject")
    assert [one.name for one in first.fields] == ["percent"]
    assert await prefect.answer(first.ref, YES) == Taken()
    assert await prefect.answer(second.ref, NO) == Taken()
    stored = {run: fake.kept(run, "response")[0]["value"] for run in (yes, no)}
    assert '"approved": true' in stored[yes]
    assert '"approved": false' in stored[no]
    assert '"reason": "too risky"' in stored[no]
    found = await prefect.look(second.ref, NO)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.said) == (True, "Reject (percent: 10)")


async def test_an_answer_to_a_form_that_is_no_schema_is_declined(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect itself says why."""
    fake.pause(fake.start(), schema="nonsense")
    gate = await only(prefect, clock)
    told = await prefect.answer(gate.ref, YES)
    assert told == Declined("Prefect does not take it: Run input schema is not valid JSON.")


async def test_an_answer_that_did_not_arrive_can_be_given_again(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """The mark of the first attempt is no hindrance."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.server.faults.add(Trouble.DROP_BEFORE, part="/resume")
    with pytest.raises(BackendUnreachable):
        await prefect.answer(gate.ref, YES)
    assert await prefect.look(gate.ref, YES) == Waits()
    assert await prefect.answer(gate.ref, YES) == Taken()


async def test_an_answer_never_reaches_the_next_pause_of_the_run(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect resumes whatever its run waits at; we ask first."""
    run = fake.start()
    fake.pause(run, "first")
    gate = await only(prefect, clock)
    fake.resume(run)
    fake.take_up(run)
    fake.pause(run, "second")
    assert await prefect.answer(gate.ref, YES) == TooLate()
    assert await prefect.answer(gate.ref, WITHDRAWAL) == TooLate()
    assert fake.runs[run]["state"]["type"] == "PAUSED"


async def test_what_prefect_does_not_take_is_declined_with_its_reason(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """It says so with a status of 200."""
    run = fake.start()
    fake.pause(run, schema=FORM)
    gate = await only(prefect, clock)
    told = await prefect.answer(gate.ref, said({"percent": 101}))
    assert told == Declined(
        "Prefect does not take it: Validation failed: 101 does not fit 'percent'"
    )
    assert await prefect.look(gate.ref, YES) == Waits()


async def test_an_answer_after_the_time_is_too_late(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect rejects it and fails the run: that is not about what was said."""
    fake.pause(fake.start(), timeout=timedelta(seconds=30))
    gate = await only(prefect, clock)
    clock.advance(timedelta(seconds=40))
    assert await prefect.answer(gate.ref, YES) == TooLate()
    assert await prefect.look(gate.ref, YES) == Gone("its time was up there")


async def test_a_race_that_is_lost_on_the_server_is_too_late(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody resumed the run between our look and our answer: ABORT, with a status of 200."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    keep = prefect._api.keep

    async def lose(*what: Any) -> None:
        await keep(*what)
        fake.resume(run)

    monkeypatch.setattr(prefect._api, "keep", lose)
    assert await prefect.answer(gate.ref, YES) == TooLate()


async def test_what_prefect_would_expand_is_never_sent(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """However deep it hides."""
    fake.pause(fake.start(), schema=FORM)
    gate = await only(prefect, clock)
    template = {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}
    for value in (template, {"a": [1, {"b": template}]}, [[template]], {"__x": 1}):
        told = await prefect.answer(gate.ref, said({"more": value}))
        assert isinstance(told, Declined), value
        assert "__" in told.why
    assert not any(one.endswith(("/resume", "/input")) for one in fake.server.requests)
    assert await prefect.answer(gate.ref, said({"more": {"a__b": "{{ 7 * 7 }}"}})) == Taken()


@pytest.mark.parametrize(("suspended", "kind"), [(True, "CANCELLED"), (False, "CANCELLING")])
async def test_withdrawing_cancels_the_run(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, suspended: bool, kind: str
) -> None:
    """A process that waits is left to its runner to stop; who and why is on the run."""
    run = fake.start()
    fake.pause(run, suspended=suspended)
    gate = await only(prefect, clock)
    assert await prefect.answer(gate.ref, WITHDRAWAL) == Taken()
    state = fake.runs[run]["state"]
    assert (state["type"], state["message"]) == (kind, "Rejected by Ana: too risky (Signoff cp_1)")
    ended = Gone("the run was cancelled", withdrawn=True)
    assert await prefect.look(gate.ref, WITHDRAWAL) == ended
    assert await prefect.answer(gate.ref, WITHDRAWAL) == TooLate()
    assert await prefect.run(gate.ref) == RunThere(RunState.CANCELLED)


async def test_a_run_that_was_deleted_is_gone(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect answers 500 when such a run is resumed, so it is not."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.delete(run)
    assert await prefect.look(gate.ref, YES) == Gone("the run was deleted")
    assert await prefect.answer(gate.ref, YES) == TooLate()
    assert await prefect.answer(gate.ref, WITHDRAWAL) == TooLate()
    assert await prefect.run(gate.ref) is None
