"""The adapter of Airflow keeps the promises of a backend on a real Airflow."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engine.backends.airflow import Airflow as Backend
from engine.backends.airflow_login import AirflowPassword, AirflowToken
from engine.clock import SystemClock
from engine.errors import BackendDenied
from engine.gates import Answered, Gone, Reply, RunThere, Taken, TooLate, Waits
from engine.model import RunState
from tests.engine.backends.contract import BackendContract
from tests.engines.airflow.gates import Gates, RealStage
from tests.engines.airflow.server import APPROVER, VIEWER, Airflow
from tests.engines.airflow.waking import Wakes

COUNTS = {"gate_approval": 12, "gate_form": 5, "wake_up": 1, "wake_down": 1} | dict.fromkeys(
    (
        *("gate_approval_fails", "gate_entry", "gate_single", "gate_several", "gate_assigned"),
        *("gate_defaults", "gate_no_defaults", "gate_branch", "gate_mapped", "gate_paused"),
    ),
    1,
)
RECORD = {"decided_by": "Ana", "reason": "looks good", "checkpoint": "cp_1"}


@pytest.fixture(scope="module")
def gates(airflow: Airflow) -> Gates:
    """Every run that the tests here use, waiting."""
    return Gates.opened(airflow, COUNTS)


@pytest.fixture
async def stage(gates: Gates) -> AsyncIterator[RealStage]:
    """The adapter, as an account that may answer."""
    backend = backend_of(gates.airflow, APPROVER)
    yield RealStage(gates, backend)
    await backend.close()


def backend_of(airflow: Airflow, user: str) -> Backend:
    """The adapter as one of the accounts."""
    login = AirflowPassword(user, user)
    return Backend("prod", airflow.address, login=login, clock=SystemClock())


def ours(*options: str) -> Reply:
    """What Ana says."""
    return Reply(options=options, by="Ana", reason="looks good", checkpoint_id="cp_1")


class TestTheContract(BackendContract):
    """Every promise of the port."""


class TestOperators:
    """What each operator of Airflow makes of an answer."""

    async def test_a_gate_is_read_as_it_is_written(self, stage: RealStage) -> None:
        """Subject and body rendered, who started the run and with what."""
        gate = await stage.open()
        assert gate.prompt == "Ship gate_approval?\n\n*All*."
        assert (gate.options, gate.multiple) == (("Approve", "Reject"), False)
        assert gate.params == {"from": "a test"}

    async def test_a_form_is_read_as_it_is_written(self, stage: RealStage) -> None:
        """Its fields with their defaults and bounds; an answer leaves a note."""
        gate = await stage.open(form=True)
        rows, note = gate.fields
        assert (rows.name, rows.description, rows.default) == ("rows", "How many", 10)
        assert (rows.minimum, rows.maximum) == (1, 100)
        assert (note.name, note.required, note.default) == ("note", False, None)
        assert await stage.backend.answer(gate.ref, ours("OK")) == Taken()
        await stage.settle(gate.ref)
        assert stage.note(gate.ref) == "Answered OK by Ana\nReason: looks good\nCheckpoint: cp_1"

    @pytest.mark.parametrize(
        ("dag", "options"),
        [
            ("gate_single", ["green"]),
            ("gate_several", ["blue", "red"]),
            ("gate_entry", ["OK"]),
        ],
    )
    async def test_who_decided_is_in_xcom_and_fails_nothing(
        self, dag: str, options: list[str], stage: RealStage
    ) -> None:
        """Whatever operator: without a form it keeps what comes with the options."""
        [gate] = await stage.of(dag)
        assert gate.multiple == (dag == "gate_several")
        reply = ours(*options)
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        await stage.settle(gate.ref)
        assert await stage.result(gate.ref) == RECORD
        assert await stage.went_on(gate.ref)
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, True)
        assert set(found.said.split(", ")) == set(options)

    async def test_a_branch_goes_where_it_is_told(self, stage: RealStage) -> None:
        """And nowhere else; who decided does not disturb it."""
        [gate] = await stage.of("gate_branch")
        assert await stage.backend.answer(gate.ref, ours("Left")) == Taken()
        await stage.settle(gate.ref)
        tasks = {"ask": "success", "left": "success", "Right": "skipped"}
        assert stage.tasks(gate.ref) == tasks

    async def test_mapped_gates_are_answered_one_by_one(self, stage: RealStage) -> None:
        """A withdrawn one fails alone."""
        gates = {gate.ref.index: gate for gate in await stage.of("gate_mapped")}
        assert {index: gate.prompt for index, gate in gates.items()} == {0: "a", 1: "b", 2: "c"}
        assert await stage.backend.answer(gates[1].ref, ours()) == Taken()
        assert await stage.backend.look(gates[0].ref, None) == Waits()
        assert await stage.backend.answer(gates[0].ref, ours("Approve")) == Taken()
        assert await stage.backend.answer(gates[2].ref, ours("Reject")) == Taken()
        await stage.settle(gates[0].ref)
        states = {"ask[0]": "success", "ask[1]": "failed", "ask[2]": "success"}
        assert {name: stage.tasks(gates[0].ref)[name] for name in states} == states

    async def test_a_no_that_fails_its_task_went_on_as_meant(self, stage: RealStage) -> None:
        """`fail_on_reject`: the run fails, by that task."""
        [gate] = await stage.of("gate_approval_fails")
        reply = Reply(options=("Reject",), by="Ana", is_no=True)
        assert await stage.backend.answer(gate.ref, reply) == Taken()
        await stage.settle(gate.ref)
        found = await stage.backend.look(gate.ref, reply)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, True)
        assert await stage.backend.run(gate.ref) == RunThere(RunState.FAILED, "ask")


class TestTraps:
    """What Airflow does that nobody would expect."""

    async def test_defaults_are_taken_by_nobody(self, stage: RealStage) -> None:
        """When the time is up; that is not ours, though it says the same."""
        ref = stage.ref("gate_defaults")
        await stage.settle(ref)
        found = await stage.backend.look(ref, ours("b"))
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on, found.said) == (False, True, "b")
        assert found.by == "Airflow itself, when its time was up"

    async def test_time_that_is_up_without_defaults_fails(self, stage: RealStage) -> None:
        """It still lists as unanswered, takes an answer with 200, and nothing comes of that."""
        ref = stage.ref("gate_no_defaults")
        await stage.settle(ref)
        assert ref not in [gate.ref for gate in await stage.backend.waiting()]
        assert isinstance(await stage.backend.look(ref, None), Gone)
        assert await stage.backend.answer(ref, ours("a")) == TooLate()
        await stage.answer_elsewhere(ref, "a")
        found = await stage.backend.look(ref, ours("a"))
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (False, False)
        assert found.found == "its task has failed there"

    async def test_an_answer_waits_for_a_paused_dag(self, stage: RealStage) -> None:
        """It is taken, and has its effect once the DAG is unpaused."""
        [gate] = await stage.of("gate_paused")
        stage.airflow.done("PATCH", f"/dags/{gate.ref.dag}", {"is_paused": True})
        assert await stage.backend.answer(gate.ref, ours("Approve")) == Taken()
        found = await stage.backend.look(gate.ref, ours("Approve"))
        assert isinstance(found, Answered)
        assert (found.is_ours, found.went_on) == (True, None)
        assert found.found == "its DAG is paused there"
        stage.airflow.done("PATCH", f"/dags/{gate.ref.dag}", {"is_paused": False})
        await stage.settle(gate.ref)
        assert await stage.went_on(gate.ref)

    async def test_who_is_not_assigned_may_not_answer(self, stage: RealStage) -> None:
        """Whatever its role."""
        [gate] = await stage.of("gate_assigned")
        assert gate.assigned == ("U0BEN",)
        with pytest.raises(BackendDenied, match=f"add '{APPROVER}' to its assigned_users"):
            await stage.backend.answer(gate.ref, ours("Approve"))

    async def test_a_viewer_looks_and_may_not_answer(self, stage: RealStage) -> None:
        """A check finds out, and answers nothing."""
        viewer = backend_of(stage.airflow, VIEWER)
        health = await viewer.check()
        assert (health.may_list, health.may_answer) == (True, False)
        gate = await stage.open()
        with pytest.raises(BackendDenied, match="may not answer gates"):
            await viewer.answer(gate.ref, ours("Approve"))
        with pytest.raises(BackendDenied, match="may not mark tasks as failed"):
            await viewer.answer(gate.ref, ours())
        assert await stage.backend.look(gate.ref, None) == Waits()
        await viewer.close()

    async def test_a_check_finds_nothing_wrong(self, stage: RealStage) -> None:
        """Of the version that is tested here."""
        health = await stage.backend.check()
        assert (health.version[:4], health.account) == ("3.3.", APPROVER)
        assert (health.may_answer, health.warnings) == (True, ())
        assert health.skew is not None
        assert abs(health.skew) < timedelta(seconds=5)

    async def test_a_wrong_login_is_denied(self, stage: RealStage) -> None:
        """A password, or a token that Airflow did not make."""
        for login in (AirflowPassword(APPROVER, "sesame"), AirflowToken("a.b.c")):
            backend = Backend("prod", stage.airflow.address, login=login, clock=SystemClock())
            with pytest.raises(BackendDenied):
                await backend.waiting()
            await backend.close()


class TestWaking:
    """The notifier of docs/examples."""

    async def test_a_gate_that_opens_is_heard_of(self, stage: RealStage, wakes: Wakes) -> None:
        """With the token of the Variable, which no log shows."""
        assert ("POST", "/wake/prod", "Bearer wake-for-tests") in wakes.heard
        assert len(await stage.of("wake_up")) == 1

    async def test_a_gate_opens_though_nobody_hears_it(self, stage: RealStage) -> None:
        """The log of the task says so."""
        [gate] = await stage.of("wake_down")
        assert await stage.backend.look(gate.ref, None) == Waits()
        assert "Signoff was not woken" in stage.log(gate.ref)
