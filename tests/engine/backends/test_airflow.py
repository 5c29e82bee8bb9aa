"""The adapter of Airflow keeps the promises of a backend, and knows Airflow's traps."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from engine.errors import BackendDenied, BackendUnreachable
from engine.gates import (
    Answered,
    BackendKind,
    Declined,
    Reply,
    Taken,
    TooLate,
    Waits,
)
from engine.ports import Backend
from tests.engine.backends.airflow_fake import AUTHOR, VIEWER, FakeAirflow
from tests.engine.backends.airflow_stage import OK, RECORD, YES, FakeStage, adapter, staged
from tests.engine.backends.airflow_state import param
from tests.engine.backends.contract import BackendContract
from tests.engine.backends.faults import Trouble
from tests.engine.build import FakeClock


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Airflow, and the adapter that talks to it as Ana."""
    async with staged(clock) as stage:
        yield stage


class TestTheContract(BackendContract):
    """Every promise of the port."""


async def test_it_is_a_backend(stage: FakeStage) -> None:
    """Of a name, and of a kind."""
    port: Backend = stage.backend
    assert (port.name, port.kind) == ("prod", BackendKind.AIRFLOW)


class TestAnswering:
    """What is sent, and what Airflow says to it."""

    async def test_who_decided_is_kept_where_there_is_no_form(self, stage: FakeStage) -> None:
        """Airflow keeps the input of a gate without a form in the task's result."""
        gate = await stage.open()
        await stage.backend.answer(gate.ref, YES)
        assert await stage.result(gate.ref) == RECORD
        assert stage.gate(gate.ref).note is None

    async def test_a_note_says_who_decided_where_there_is_a_form(self, stage: FakeStage) -> None:
        """A key that is not in the form would fail the task."""
        gate = await stage.open(form=True)
        await stage.backend.answer(gate.ref, OK)
        assert await stage.result(gate.ref) == {"rows": 10, "note": None}
        note = "Answered OK by Ana\nReason: looks good\nCheckpoint: cp_1"
        assert stage.gate(gate.ref).note == note

    async def test_a_note_of_somebody_else_stays(self, stage: FakeStage) -> None:
        """People write there, too."""
        gate = await stage.open(form=True)
        stage.gate(gate.ref).note = "see ticket 5"
        assert await stage.backend.answer(gate.ref, OK) == Taken()
        assert stage.gate(gate.ref).note == "see ticket 5"

    async def test_a_note_that_is_refused_is_logged(
        self, stage: FakeStage, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The answer was taken all the same."""
        gate = await stage.open(form=True)
        stage.server.refuses_notes = True
        assert await stage.backend.answer(gate.ref, OK) == Taken()
        assert "no note was left at ask: answered 403 Forbidden" in caplog.text

    async def test_a_note_that_is_lost_is_logged(
        self, stage: FakeStage, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The answer was taken all the same."""
        gate = await stage.open(form=True)
        stage.server.faults.add(Trouble.ERROR, method="PATCH", ending="/ask/-1")
        assert await stage.backend.answer(gate.ref, OK) == Taken()
        assert "no note was left at ask: prod: answered 500" in caplog.text

    async def test_a_long_reason_is_cut_in_the_note_only(self, stage: FakeStage) -> None:
        """Airflow takes notes of up to 1,000 characters."""
        reply = Reply(options=("OK",), by="Ana", reason="é" * 3_000)
        gate = await stage.open(form=True)
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        note = stage.gate(gate.ref).note
        assert note is not None
        assert (len(note), note[-1]) == (1_000, "…")

    async def test_a_form_without_a_value_it_needs_is_declined(self, stage: FakeStage) -> None:
        """Airflow would take it, and then fail the task."""
        fake = stage.server.open(params={"why": param(None, type="string")})
        gate = await stage.seen(fake)
        told = await stage.backend.answer(gate.ref, YES)
        assert told == Declined("The form there wants a value for 'why'.")
        assert fake.response is None

    async def test_who_is_not_assigned_is_told_whom_to_ask(self, stage: FakeStage) -> None:
        """Airflow lets nobody else answer, not even an Admin."""
        gate = await stage.seen(stage.server.open(assigned=("U0BEN",)))
        assert gate.assigned == ("U0BEN",)
        with pytest.raises(
            BackendDenied, match=r"'ask' of 'release'.* add 'U0ANA' to its assigned"
        ):
            await stage.backend.answer(gate.ref, YES)

    @pytest.mark.parametrize(
        ("reply", "lacking"), [(YES, "may not answer gates"), (Reply(options=()), "may not mark")]
    )
    async def test_who_only_looks_is_told_which_right_is_missing(
        self, reply: Reply, lacking: str, stage: FakeStage
    ) -> None:
        """A Viewer of Airflow sees the gates and cannot answer them."""
        gate, backend = await stage.open(), adapter(stage.server, VIEWER)
        assert await backend.look(gate.ref, reply) == Waits()
        with pytest.raises(BackendDenied, match=f"^prod: the account {lacking}.* role User"):
            await backend.answer(gate.ref, reply)
        await backend.close()

    async def test_an_answer_whose_reply_is_lost_is_found_as_ours(self, stage: FakeStage) -> None:
        """It is looked at before it is said again."""
        gate = await stage.open()
        stage.server.faults.add(Trouble.DROP_AFTER, method="PATCH")
        with pytest.raises(BackendUnreachable):
            await stage.backend.answer(gate.ref, YES)
        found = await stage.backend.look(gate.ref, YES)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, None)

    async def test_who_comes_between_looking_and_answering_is_first(self, clock: FakeClock) -> None:
        """Airflow takes one answer."""

        class Hasty(FakeAirflow):
            """Somebody answers as soon as anybody looks."""

            async def tell_gate(self, request: web.Request, user: str) -> web.Response:
                told = await super().tell_gate(request, user)
                for gate in self.gates.values():
                    gate.answer(["Reject"], {}, AUTHOR)
                return told

        async with staged(clock, Hasty()) as stage:
            gate = await stage.open()
            assert await stage.backend.answer(gate.ref, YES) == TooLate()
            found = await stage.backend.look(gate.ref, YES)
            assert isinstance(found, Answered)
            assert (found.is_ours, found.said) == (False, "Reject")

    async def test_a_gate_that_waits_no_more_is_sent_nothing(self, stage: FakeStage) -> None:
        """Airflow takes answers to failed tasks, and to whatever the task asks by now."""
        failed, cleared = await stage.open(), await stage.open()
        stage.gate(failed.ref).state = "failed"
        await stage.ask_again(cleared.ref)
        for gate in (failed, cleared):
            assert await stage.backend.answer(gate.ref, YES) == TooLate()
        assert not [line for line in stage.server.requests if line.startswith("PATCH")]

    async def test_withdrawing_says_why_on_the_task(self, stage: FakeStage) -> None:
        """The note comes with the end, in one request."""
        gate = await stage.open()
        reply = Reply(options=(), by="Signoff", reason="nobody decided", checkpoint_id="cp_1")
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        fake = stage.gate(gate.ref)
        assert fake.state == "failed"
        assert fake.note == "Withdrawn by Signoff\nReason: nobody decided\nCheckpoint: cp_1"
