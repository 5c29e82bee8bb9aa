"""What the adapter of Airflow finds out: what became of a gate and a run, and a check."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from engine.errors import BackendDenied, BackendUnreachable
from engine.gates import Answered, Gone, Reply, RunThere
from engine.model import RunState
from tests.engine.backends.airflow_fake import ANA, AUTHOR, NOBODY, VIEWER
from tests.engine.backends.airflow_stage import NO, RECORD, YES, FakeStage, adapter, staged
from tests.engine.backends.faults import Trouble
from tests.engine.build import NOW, FakeClock


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Airflow, and the adapter that talks to it as Ana."""
    async with staged(clock) as stage:
        yield stage


class TestLooking:
    """What became of a gate."""

    async def test_what_airflow_chose_is_not_ours(self, stage: FakeStage) -> None:
        """Defaults are taken when the time is up, by no account."""
        fake = stage.server.open(defaults=("Approve",))
        gate = await stage.seen(fake)
        stage.server.time_is_up(fake)
        found = await stage.backend.look(gate.ref, YES)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.said) == (False, "Approve")
        assert found.by == "Airflow itself, when its time was up"

    async def test_time_that_is_up_without_defaults_is_no_answer(self, stage: FakeStage) -> None:
        """Airflow lets the task run once more, to fail; already then it waits no more."""
        gate = await stage.open()
        stage.server.time_is_up(stage.gate(gate.ref))
        assert await stage.backend.look(gate.ref, YES) == Gone("its time was up there")
        stage.server.work()
        found = await stage.backend.look(gate.ref, YES)
        assert found == Gone("its task has failed there", withdrawn=True)

    @pytest.mark.parametrize(
        ("state", "why"),
        [
            ("skipped", "its task was skipped there"),
            ("success", "its task was marked as a success there"),
            ("removed", "its task was removed from the DAG"),
            ("upstream_failed", "its task is upstream_failed there"),
        ],
    )
    async def test_a_task_that_is_ended_by_hand_is_gone(
        self, state: str, why: str, stage: FakeStage
    ) -> None:
        """As whoever ended it did."""
        gate = await stage.open()
        stage.gate(gate.ref).state = state
        assert await stage.backend.look(gate.ref, YES) == Gone(why)

    async def test_a_cleared_task_is_gone_before_it_asks_again(self, stage: FakeStage) -> None:
        """Airflow still tells the old question, under the id of the new task."""
        gate = await stage.open()
        stage.gate(gate.ref).clear()
        found = await stage.backend.look(gate.ref, None)
        assert found == Gone("its task was cleared or tried again there")

    async def test_a_task_that_asks_nothing_any_more_is_gone(self, stage: FakeStage) -> None:
        """The run is still there."""
        gate = await stage.open()
        del stage.server.gates[stage.gate(gate.ref).name]
        assert await stage.backend.look(gate.ref, None) == Gone("its task was cleared there")

    @pytest.mark.parametrize(
        ("options", "values", "by", "is_ours"),
        [
            (["a", "b"], RECORD, ANA, True),
            (["b", "a"], RECORD, ANA, True),
            (["a"], RECORD, ANA, False),
            (["a", "b"], {}, ANA, False),
            (["a", "b"], {**RECORD, "checkpoint": "cp_2"}, ANA, False),
            (["a", "b"], RECORD, AUTHOR, False),
            (["a", "b"], RECORD, None, False),
        ],
    )
    async def test_ours_is_what_we_say_by_our_account(
        self, options: list[str], values: dict[str, Any], by: str, is_ours: bool, stage: FakeStage
    ) -> None:
        """The options in any order, all that goes with them, and the account."""
        fake = stage.server.open(options=("a", "b", "c"), multiple=True)
        gate = await stage.seen(fake)
        assert gate.multiple
        fake.answer(options, values, by)
        reply = Reply(options=("a", "b"), by="Ana", reason="looks good", checkpoint_id="cp_1")
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.said) == (is_ours, ", ".join(options))

    @pytest.mark.parametrize(
        ("state", "after_yes", "after_no"),
        [
            (None, None, None),
            ("scheduled", None, None),
            ("queued", None, None),
            ("running", None, None),
            ("up_for_retry", None, None),
            ("awaiting_input", None, None),
            ("success", True, True),
            ("failed", False, True),
            ("skipped", False, True),
            ("upstream_failed", False, False),
            ("removed", False, False),
        ],
    )
    async def test_an_answer_has_its_effect_once_the_task_has_ended(
        self,
        state: str | None,
        after_yes: bool | None,
        after_no: bool | None,
        stage: FakeStage,
    ) -> None:
        """A no may end it as failed: `fail_on_reject` does. A yes may not."""
        for reply, went_on in ((YES, after_yes), (NO, after_no)):
            gate = await stage.open()
            await stage.backend.answer(gate.ref, reply)
            stage.gate(gate.ref).state = state
            found = await stage.backend.look(gate.ref, reply)
            assert isinstance(found, Answered)
            assert (found.is_ours, found.went_on) == (True, went_on)
            assert bool(found.found) == (not went_on)

    async def test_an_answer_waits_for_a_paused_dag(self, stage: FakeStage) -> None:
        """Airflow takes it, and goes on when somebody unpauses the DAG."""
        gate = await stage.open()
        await stage.backend.answer(gate.ref, YES)
        found = await stage.backend.look(gate.ref, YES)
        assert isinstance(found, Answered)
        assert found.found == "its task is scheduled there"
        stage.server.paused.add(gate.ref.dag)
        found = await stage.backend.look(gate.ref, YES)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, None)
        assert found.found == "its DAG is paused there"

    async def test_an_answer_that_came_too_late_for_airflow_has_no_effect(
        self, stage: FakeStage
    ) -> None:
        """Airflow says 200 to an answer for a task that has failed."""
        gate = await stage.open()
        fake = stage.gate(gate.ref)
        fake.state = "failed"
        fake.answer(["Approve"], RECORD, ANA)
        found = await stage.backend.look(gate.ref, YES)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, False)
        assert found.found == "its task has failed there"

    async def test_when_it_was_answered_is_told_on_our_clock(self, stage: FakeStage) -> None:
        """Airflow has a clock of its own; here it is far from ours."""
        gate = await stage.open()
        await stage.backend.answer(gate.ref, YES)
        found = await stage.backend.look(gate.ref, YES)
        skew = (await stage.backend.check()).skew
        assert skew
        assert isinstance(found, Answered)
        assert found.at
        assert abs(found.at - (NOW - skew)) < timedelta(minutes=1)

    async def test_somebody_elses_no_that_failed_is_told_as_it_is(self, stage: FakeStage) -> None:
        """What it was meant to do is not for us to say."""
        gate = await stage.seen(stage.server.open(fails_on_reject=True))
        stage.gate(gate.ref).answer(["Reject"], {}, AUTHOR)
        stage.server.work()
        found = await stage.backend.look(gate.ref, NO)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (False, False)

    async def test_a_run_that_failed_says_which_task_did_it(self, stage: FakeStage) -> None:
        """A mapped task with its index; a run that goes on has none."""
        run = stage.server.start_run()
        gate = await stage.seen(stage.server.open(run, index=3))
        assert gate.ref.task_name == "ask[3]"
        assert await stage.backend.run(gate.ref) == RunThere(RunState.RUNNING)
        await stage.backend.answer(gate.ref, Reply(options=()))
        stage.server.work()
        assert await stage.backend.run(gate.ref) == RunThere(RunState.FAILED, "ask[3]")
        run.state = "queued"
        assert await stage.backend.run(gate.ref) == RunThere(RunState.QUEUED)
        stage.server.gates.clear()
        run.state = "failed"
        assert await stage.backend.run(gate.ref) == RunThere(RunState.FAILED)


class TestChecking:
    """What a check finds out."""

    async def test_all_is_well(self, stage: FakeStage) -> None:
        """The version, who we are, and both rights."""
        health = await stage.backend.check()
        assert (health.version, health.account) == ("3.3.2", ANA)
        assert (health.may_list, health.may_answer) == (True, True)
        assert health.warnings == ()

    @pytest.mark.parametrize(
        ("user", "may_list", "may_answer"), [(VIEWER, True, False), (NOBODY, False, False)]
    )
    async def test_a_right_that_is_missing_is_found(
        self, user: str, may_list: bool, may_answer: bool, stage: FakeStage
    ) -> None:
        """Without answering anything."""
        backend = adapter(stage.server, user)
        health = await backend.check()
        assert (health.may_list, health.may_answer) == (may_list, may_answer)
        await backend.close()

    async def test_who_may_not_look_is_told_so(self, stage: FakeStage) -> None:
        """Listing says which role is missing."""
        backend = adapter(stage.server, NOBODY)
        with pytest.raises(BackendDenied, match="may not read that; give it at least the role"):
            await backend.waiting()
        await backend.close()

    @pytest.mark.parametrize("version", ["3.2.1", "3.30.0", "4.0.0"])
    async def test_another_version_is_warned_about(self, version: str, stage: FakeStage) -> None:
        """It may work; nobody has tried."""
        stage.server.version["version"] = version
        [warning] = (await stage.backend.check()).warnings
        assert warning == f"This is Airflow {version}; only Airflow 3.3 was tested."

    @pytest.mark.parametrize("status", ["unhealthy", None])
    async def test_a_scheduler_that_is_down_is_warned_about(
        self, status: str | None, stage: FakeStage
    ) -> None:
        """Answers are taken without it, and have no effect."""
        stage.server.health["scheduler"]["status"] = status
        [warning] = (await stage.backend.check()).warnings
        assert "scheduler is not healthy" in warning

    async def test_a_server_that_is_down_cannot_be_checked(self, stage: FakeStage) -> None:
        """That is no finding about rights."""
        await stage.server.stop()
        with pytest.raises(BackendUnreachable):
            await stage.backend.check()

    async def test_a_server_in_trouble_cannot_be_checked(self, stage: FakeStage) -> None:
        """Nor is this."""
        stage.server.faults.add(Trouble.ERROR, part="hitlDetails")
        with pytest.raises(BackendUnreachable, match="answered 500"):
            await stage.backend.check()
