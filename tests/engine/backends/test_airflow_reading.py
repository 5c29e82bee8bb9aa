"""What the adapter of Airflow lists: every gate that waits, and what is to be known of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from engine.backends import airflow_runs
from engine.backends.airflow import Airflow
from engine.errors import BackendUnreachable
from engine.gates import Starter, Taken
from tests.engine.backends import airflow_fake
from tests.engine.backends.airflow_fake import AUTHOR, FakeAirflow
from tests.engine.backends.airflow_stage import YES, FakeStage, staged
from tests.engine.backends.airflow_state import FakeGate
from tests.engine.backends.faults import Trouble
from tests.engine.build import NOW, FakeClock

LISTING = "GET /api/v2/dags/~/dagRuns/~/hitlDetails"
RUNS = "POST /api/v2/dags/~/dagRuns/list"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Airflow, and the adapter that talks to it as Ana."""
    async with staged(clock) as stage:
        yield stage


def opened(server: FakeAirflow, count: int, apart: timedelta = SECOND) -> list[FakeGate]:
    """So many gates, each in a run of its own, one after the other."""
    gates = []
    for number in range(count):
        run = server.start_run(run_after=NOW + number * apart)
        gates.append(server.open(run, created_at=NOW + number * apart))
    return gates


async def keys(backend: Airflow) -> list[str]:
    """What is listed."""
    return [gate.ref.key for gate in await backend.waiting()]


class TestPages:
    """However many there are."""

    @pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
    async def test_every_gate_is_listed_once(self, count: int, stage: FakeStage) -> None:
        """Oldest first."""
        gates = opened(stage.server, count)
        assert await keys(stage.backend) == [gate.id for gate in gates]

    async def test_gates_of_one_moment_are_all_listed(self, stage: FakeStage) -> None:
        """More of them than a page holds."""
        gates = opened(stage.server, 250, apart=timedelta(0))
        assert sorted(await keys(stage.backend)) == sorted(gate.id for gate in gates)

    async def test_a_server_may_tell_less_at_once(
        self, stage: FakeStage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its configuration says how much (`maximum_page_limit`)."""
        monkeypatch.setattr(airflow_fake, "_MOST", 7)
        gates = opened(stage.server, 30)
        assert await keys(stage.backend) == [gate.id for gate in gates]

    async def test_none_is_missed_while_others_are_answered(self, clock: FakeClock) -> None:
        """A page that begins at a number would skip as many as were answered before it."""

        class Busy(FakeAirflow):
            """After each page half of what it told is answered."""

            async def list_gates(self, request: web.Request, user: str) -> web.Response:
                told = await super().list_gates(request, user)
                waiting = [gate for gate in self.gates.values() if gate.state == "awaiting_input"]
                for gate in waiting[:50]:
                    gate.answer(["Approve"], {}, AUTHOR)
                return told

        async with staged(clock, Busy()) as stage:
            gates = opened(stage.server, 300)
            assert set(await keys(stage.backend)) == {gate.id for gate in gates}

    async def test_ten_thousand_gates_take_a_request_for_each_hundred(
        self, stage: FakeStage
    ) -> None:
        """And as many once more for their runs, the first time only."""
        opened(stage.server, 10_000)
        assert len(await stage.backend.waiting()) == 10_000
        first = list(stage.server.requests)
        assert (first.count(LISTING), first.count(RUNS)) == (101, 100)
        assert len(first) <= 203
        assert len(await stage.backend.waiting()) == 10_000
        assert stage.server.requests[len(first) :] == [LISTING] * 101

    async def test_only_what_waits_is_listed(self, stage: FakeStage) -> None:
        """Airflow still calls a gate unanswered whose task has failed."""
        states = ["awaiting_input", "deferred", "failed", "skipped", "running", "scheduled", None]
        for state in states:
            stage.server.open(state=state, subject=str(state))
        listed = {gate.prompt for gate in await stage.backend.waiting()}
        assert listed == {"awaiting_input", "deferred"}


class TestRuns:
    """What a gate takes from its run."""

    @pytest.mark.parametrize(
        ("facts", "starter"),
        [
            ({}, Starter(AUTHOR)),
            ({"user": None}, Starter(None)),
            ({"user": None, "run_type": "scheduled"}, Starter(None, by_schedule=True)),
            ({"user": None, "run_type": "asset_triggered"}, Starter(None, by_schedule=True)),
            ({"user": None, "run_type": "operator_triggered"}, Starter(None, by_schedule=True)),
            ({"user": None, "run_type": "backfill"}, Starter(None, by_schedule=True)),
            ({"user": AUTHOR, "run_type": "backfill"}, Starter(AUTHOR)),
        ],
    )
    async def test_who_started_it(
        self, facts: dict[str, Any], starter: Starter, stage: FakeStage
    ) -> None:
        """A person, if Airflow names one; else the clock or another run."""
        stage.server.open(stage.server.start_run(**facts))
        [gate] = await stage.backend.waiting()
        assert gate.starter == starter

    async def test_what_it_was_started_with(self, stage: FakeStage) -> None:
        """Its `conf`."""
        stage.server.open(stage.server.start_run(conf={"version": "2.0"}))
        [gate] = await stage.backend.waiting()
        assert gate.params == {"version": "2.0"}

    async def test_gates_of_mapped_tasks_share_a_run(self, stage: FakeStage) -> None:
        """Each is found by its index."""
        run = stage.server.start_run(conf={"version": "2.0"})
        for index in range(3):
            stage.server.open(run, index=index)
        gates = await stage.backend.waiting()
        assert sorted(gate.ref.task_name for gate in gates) == ["ask[0]", "ask[1]", "ask[2]"]
        assert {str(gate.params) for gate in gates} == {"{'version': '2.0'}"}
        second = next(gate for gate in gates if gate.ref.index == 1)
        assert await stage.backend.answer(second.ref, YES) == Taken()
        assert {gate.ref.index for gate in await stage.backend.waiting()} == {0, 2}

    async def test_a_run_is_fetched_once_for_each_asking(self, stage: FakeStage) -> None:
        """A run that is deleted and started anew under its name brings another gate."""
        run = stage.server.start_run(conf={"version": "1.0"})
        stage.server.open(run)
        await stage.backend.waiting()
        await stage.backend.waiting()
        assert stage.server.requests.count(RUNS) == 1
        run.conf = {"version": "2.0"}
        [fake] = stage.server.gates.values()
        fake.clear()
        stage.server.work()
        [gate] = await stage.backend.waiting()
        assert gate.params == {"version": "2.0"}
        assert stage.server.requests.count(RUNS) == 2

    async def test_only_the_runs_of_waiting_gates_are_remembered(self, stage: FakeStage) -> None:
        """Memory does not grow with what has been."""
        for _ in range(5):
            gate = stage.server.open()
            await stage.backend.waiting()
            gate.answer(["Approve"], {}, AUTHOR)
        assert await stage.backend.waiting() == []
        assert stage.backend._runs._known == {}

    async def test_a_run_that_has_ended_is_asked_for_by_name(self, stage: FakeStage) -> None:
        """It is not among those that go on, yet its gate still waits."""
        stage.server.open(stage.server.start_run(state="success", conf={"a": 1}))
        [gate] = await stage.backend.waiting()
        assert gate.params == {"a": 1}

    async def test_a_run_that_was_deleted_meanwhile_has_no_gates(self, stage: FakeStage) -> None:
        """They were told a moment ago, but nobody can answer them."""
        gone, stays = stage.server.open(), stage.server.open()
        del stage.server.runs[gone.run.dag, gone.run.id]
        assert await keys(stage.backend) == [stays.id]

    async def test_other_runs_of_the_time_are_passed_over(
        self, stage: FakeStage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A DAG may have many runs between two that wait."""
        monkeypatch.setattr(airflow_runs, "_PAGE", 10)
        for number in range(55):
            run = stage.server.start_run(run_after=NOW + number * SECOND, conf={"number": number})
            if number in (3, 54):
                stage.server.open(run)
        gates = await stage.backend.waiting()
        assert sorted(gate.params["number"] for gate in gates) == [3, 54]


class TestTrouble:
    """What cannot be listed is said."""

    @pytest.mark.parametrize("trouble", list(Trouble)[:3])
    async def test_a_page_that_fails_fails_the_list(
        self, trouble: Trouble, stage: FakeStage
    ) -> None:
        """Half a list would read as if the other gates had gone."""
        opened(stage.server, 150)
        stage.server.faults.add(trouble, part="dagRuns/list")
        with pytest.raises(BackendUnreachable, match=r"^prod: "):
            await stage.backend.waiting()
        assert len(await stage.backend.waiting()) == 150

    async def test_an_answer_of_another_shape_is_not_repeated(self, clock: FakeClock) -> None:
        """It may be anybody's; the message says what is missing and where."""

        class Another(FakeAirflow):
            """No Airflow at all."""

            async def list_gates(self, _request: web.Request, _user: str) -> web.Response:
                return web.json_response({"hitl_details": "sesame", "total_entries": 1})

        async with staged(clock, Another()) as stage:
            with pytest.raises(BackendUnreachable) as error:
                await stage.backend.waiting()
        assert "hitl_details is not as Airflow says" in str(error.value)
        assert "sesame" not in str(error.value)
