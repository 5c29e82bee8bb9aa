"""What every backend promises, whatever engine it is: run on each one's fake, and on the engine.

A test class of an engine inherits `BackendContract` and has a fixture `stage`.
"""

from datetime import timedelta
from typing import Protocol

from engine.gates import (
    Answered,
    Declined,
    GateRef,
    Gone,
    Reply,
    RunThere,
    Taken,
    TooLate,
    WaitingGate,
    Waits,
)
from engine.model import JsonObject, RunState
from engine.ports import Backend


class Stage(Protocol):
    """An engine that a test can play with."""

    backend: Backend
    starter: str | None  # the account that starts every run here, where the engine tells it
    somebody: str  # who `answer_elsewhere`
    yes: tuple[str, ...]  # what lets a gate go on
    no: tuple[str, ...]  # what says no to it; empty where a no withdraws
    values: JsonObject  # what can be filled into the form, some of its fields only
    received: JsonObject  # what comes of that behind the gate
    misfit: JsonObject  # what does not fit the form

    async def open(self, *, form: bool = False) -> WaitingGate:
        """A gate that waits, with the form or without one, and may be answered at once."""
        ...

    async def answer_elsewhere(self, ref: GateRef) -> None:
        """Somebody else says yes."""
        ...

    async def ask_again(self, ref: GateRef) -> None:
        """The engine forgets what was asked, and asks once more; come back when it does."""
        ...

    async def end(self, ref: GateRef) -> None:
        """Somebody ends the run as failed while it waits."""
        ...

    async def delete(self, ref: GateRef) -> None:
        """Somebody deletes the run."""
        ...

    async def settle(self, ref: GateRef) -> None:
        """Come back when the run has ended."""
        ...

    async def went_on(self, ref: GateRef) -> bool:
        """Whether what stands behind the gate was run."""
        ...

    async def result(self, ref: GateRef) -> JsonObject:
        """The form, as what stands behind the gate gets it."""
        ...


class BackendContract:
    """The promises, one by one."""

    async def test_a_gate_that_waits_is_listed(self, stage: Stage) -> None:
        """With all that a card needs; it can be found again, and waits."""
        gate = await stage.open()
        assert gate in await stage.backend.waiting()
        assert gate.prompt
        assert set(stage.yes + stage.no) <= set(gate.options)
        assert gate.url.startswith("http")
        assert gate.starter.account == stage.starter
        assert await stage.backend.look(gate.ref, None) == Waits()
        there = await stage.backend.run(gate.ref)
        assert there in (RunThere(RunState.RUNNING), RunThere(RunState.PAUSED))
        assert GateRef.from_json(gate.ref.as_json()) == gate.ref

    async def test_a_yes_lets_the_run_go_on(self, stage: Stage) -> None:
        """It is taken, known as ours, and has its effect; the gate waits no more."""
        gate = await stage.open()
        reply = Reply(options=stage.yes, by="Ana", reason="looks good", checkpoint_id="cp_1")
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        await stage.settle(gate.ref)
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on, found.found) == (True, True, "")
        assert await stage.went_on(gate.ref)
        assert await stage.backend.run(gate.ref) == RunThere(RunState.SUCCEEDED)
        assert gate.ref not in [other.ref for other in await stage.backend.waiting()]

    async def test_nothing_behind_a_no_runs(self, stage: Stage) -> None:
        """It is known as ours, whatever the engine makes of the run."""
        gate = await stage.open()
        reply = Reply(options=stage.no, by="Ana", reason="not today", is_no=True)
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        await stage.settle(gate.ref)
        match await stage.backend.look(gate.ref, reply):
            case Answered(is_ours=is_ours, went_on=went_on):
                assert (is_ours, went_on) == (True, True)
            case found:
                assert isinstance(found, Gone)
                assert found.withdrawn
        assert not await stage.went_on(gate.ref)

    async def test_nothing_behind_a_withdrawn_gate_runs(self, stage: Stage) -> None:
        """Without options the gate is ended, and the run with it."""
        gate = await stage.open()
        reply = Reply(options=(), by="Signoff", reason="nobody decided", is_no=True)
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        await stage.settle(gate.ref)
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Gone)
        assert found.withdrawn
        assert not await stage.went_on(gate.ref)
        run = await stage.backend.run(gate.ref)
        assert run is not None
        assert run.state in (RunState.FAILED, RunState.CANCELLED)
        assert await stage.backend.answer(gate.ref, reply) == TooLate()

    async def test_the_first_answer_counts(self, stage: Stage) -> None:
        """Whoever says it again, or something else, is too late, and ours is still ours."""
        gate = await stage.open()
        first = Reply(options=stage.yes, by="Ana", checkpoint_id="cp_1")
        second = Reply(options=stage.no or stage.yes, by="Ben", checkpoint_id="cp_2")
        assert await stage.backend.answer(gate.ref, first) == Taken()
        assert await stage.backend.answer(gate.ref, first) == TooLate()
        assert await stage.backend.answer(gate.ref, second) == TooLate()
        found = await stage.backend.look(gate.ref, first)
        assert isinstance(found, Answered)
        assert found.is_ours

    async def test_an_answer_from_elsewhere_is_not_ours(self, stage: Stage) -> None:
        """Though it says the same; who gave it is told."""
        gate = await stage.open()
        await stage.answer_elsewhere(gate.ref)
        reply = Reply(options=stage.yes, by="Ana", checkpoint_id="cp_1")
        assert await stage.backend.answer(gate.ref, reply) == TooLate()
        await stage.settle(gate.ref)
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on, found.by) == (False, True, stage.somebody)
        assert found.said
        assert found.at is not None
        other = await stage.backend.look(gate.ref, None)
        assert isinstance(other, Answered)
        assert not other.is_ours

    async def test_a_gate_that_is_asked_again_is_another(self, stage: Stage) -> None:
        """What was said to the first is not said to the second."""
        gate = await stage.open()
        await stage.ask_again(gate.ref)
        reply = Reply(options=stage.yes, by="Ana")
        assert isinstance(await stage.backend.look(gate.ref, reply), Gone)
        assert await stage.backend.answer(gate.ref, reply) == TooLate()
        again = [g for g in await stage.backend.waiting() if g.ref.run == gate.ref.run]
        assert [one.ref.task for one in again] == [gate.ref.task]
        assert again[0].ref.key != gate.ref.key
        assert await stage.backend.look(again[0].ref, None) == Waits()

    async def test_a_deleted_run_is_gone(self, stage: Stage) -> None:
        """It is no error, and the end of a sentence says what happened."""
        gate = await stage.open()
        await stage.delete(gate.ref)
        reply = Reply(options=stage.yes, by="Ana")
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Gone)
        assert found.why
        assert await stage.backend.answer(gate.ref, reply) == TooLate()
        assert await stage.backend.run(gate.ref) is None

    async def test_a_run_that_is_ended_elsewhere_waits_no_more(self, stage: Stage) -> None:
        """Nobody is asked any longer, and an answer comes too late."""
        gate = await stage.open()
        await stage.end(gate.ref)
        assert gate.ref not in [other.ref for other in await stage.backend.waiting()]
        reply = Reply(options=stage.yes, by="Ana")
        assert isinstance(await stage.backend.look(gate.ref, reply), Gone)
        assert await stage.backend.answer(gate.ref, reply) == TooLate()
        assert not await stage.went_on(gate.ref)

    async def test_what_was_filled_in_arrives(self, stage: Stage) -> None:
        """And what was left alone stays as the gate had it."""
        gate = await stage.open(form=True)
        assert set(stage.values) < {field.name for field in gate.fields}
        options = tuple(option for option in gate.options[:1])
        reply = Reply(options=options, values=stage.values, by="Ana", checkpoint_id="cp_1")
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        await stage.settle(gate.ref)
        assert await stage.result(gate.ref) == stage.received
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, True)
        other = Reply(options=options, values={}, by="Ana", checkpoint_id="cp_1")
        assert await stage.backend.look(gate.ref, other) != found

    async def test_what_does_not_fit_the_form_never_goes_on(self, stage: Stage) -> None:
        """Whether the engine refuses it, or takes it and fails."""
        gate = await stage.open(form=True)
        reply = Reply(options=gate.options[:1], values=stage.misfit, by="Ana")
        told = await stage.backend.answer(gate.ref, reply)
        if isinstance(told, Taken):
            await stage.settle(gate.ref)
            found = await stage.backend.look(gate.ref, reply)
            assert isinstance(found, Answered)
            assert (found.is_ours, found.went_on) == (True, False)
            assert found.found
        else:
            assert isinstance(told, Declined)
            assert await stage.backend.look(gate.ref, None) == Waits()
        assert not await stage.went_on(gate.ref)

    async def test_a_field_that_is_not_in_the_form_is_declined(self, stage: Stage) -> None:
        """The gate goes on waiting."""
        gate = await stage.open(form=True)
        reply = Reply(options=gate.options[:1], values={"colour": "red"}, by="Ana")
        told = await stage.backend.answer(gate.ref, reply)
        assert isinstance(told, Declined)
        assert "colour" in told.why
        assert await stage.backend.look(gate.ref, reply) == Waits()

    async def test_an_option_that_is_not_offered_is_declined(self, stage: Stage) -> None:
        """The gate goes on waiting."""
        gate = await stage.open()
        reply = Reply(options=("Perhaps",), by="Ana")
        told = await stage.backend.answer(gate.ref, reply)
        assert isinstance(told, Declined)
        assert told.why
        assert await stage.backend.look(gate.ref, reply) == Waits()

    async def test_a_check_says_what_can_be_done(self, stage: Stage) -> None:
        """And does nothing."""
        before = {gate.ref for gate in await stage.backend.waiting()}
        health = await stage.backend.check()
        assert health.version[0].isdigit()
        assert health.may_list
        assert health.may_answer is not False
        assert health.skew is not None
        assert health.skew < timedelta(hours=24 * 365 * 100)
        assert before == {gate.ref for gate in await stage.backend.waiting()}
