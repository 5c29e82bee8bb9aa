"""The fake Airflow tells what a real one tells: the same keys, the same types."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from engine.backends.airflow_gates import GATES_PATH, run_path, task_path
from engine.backends.airflow_login import AirflowAccount, AirflowPassword
from engine.backends.http import Session
from engine.clock import SystemClock
from engine.gates import GateRef
from tests.engine.backends.airflow_fake import FakeAirflow
from tests.engine.backends.airflow_stage import FORM
from tests.engines.airflow.gates import Gates
from tests.engines.airflow.server import APPROVER, Airflow

LOGIN = {"username": APPROVER, "password": APPROVER}


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two, a gate with a form on it, and who talks to it."""

    session: Session
    account: AirflowAccount
    gate: GateRef

    @classmethod
    def at(cls, url: str, gate: GateRef) -> "Server":
        """The one at an address."""
        session = Session("prod", url, SystemClock())
        login = AirflowPassword(APPROVER, APPROVER)
        return cls(session, AirflowAccount("prod", session, login), gate)

    async def told(self) -> dict[str, Any]:
        """What it says to all that the adapter asks, by a name for each."""
        gate, run = task_path(self.gate), run_path(self.gate)
        one = "dag_id_pattern=gate_form&response_received=false&limit=1"
        window = (await self.ask("GET", run))["run_after"]
        runs = {
            "dag_ids": [self.gate.dag],
            "states": ["queued", "running"],
            "run_after_gte": window,
            "run_after_lte": window,
            "order_by": "run_after",
            "page_offset": 0,
            "page_limit": 1,
        }
        answer = {"chosen_options": ["OK"], "params_input": {"rows": 1, "note": None}}
        return {
            "token": (await self.session.ask("POST", "/auth/token", body=LOGIN)).document,
            "version": (await self.session.ask("GET", "/api/v2/version")).document,
            "health": (await self.session.ask("GET", "/api/v2/monitor/health")).document,
            "me": await self.ask("GET", "/ui/auth/me"),
            "run": await self.ask("GET", run),
            "runs": await self.ask("POST", "/api/v2/dags/~/dagRuns/list", runs),
            "no run": await self.ask("GET", f"{run}x"),
            "gates": await self.ask("GET", f"{GATES_PATH}?{one}"),
            "gate": await self.ask("GET", f"{gate}/hitlDetails"),
            "no gate": await self.ask("GET", f"{gate}9/hitlDetails"),
            "tasks": await self.ask("GET", f"{run}/taskInstances?state=awaiting_input&limit=1"),
            "noted": await self.ask("PATCH", gate, {"note": "seen"}),
            "not offered": await self.ask(
                "PATCH", f"{gate}/hitlDetails", {"chosen_options": ["x"]}
            ),
            "answer": await self.ask("PATCH", f"{gate}/hitlDetails", answer),
            "answered": await self.ask("GET", f"{gate}/hitlDetails"),
            "too late": await self.ask("PATCH", f"{gate}/hitlDetails", answer),
        }

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The document, and the status of what is refused."""
        answer = await self.account.ask(method, path, body)
        return answer.document if answer.is_ok else {str(answer.status): answer.document}


@pytest.fixture
async def fake() -> AsyncIterator[Server]:
    """The fake, with one gate."""
    async with FakeAirflow() as running:
        run_there = running.start_run(conf={"from": "a test"})
        gate = running.open(run_there, params=FORM, options=("OK",), defaults=("OK",))
        dag, run, task, index = gate.name
        server = Server.at(
            running.url, GateRef(key=gate.id, dag=dag, run=run, task=task, index=index)
        )
        yield server
        await server.session.close()


@pytest.fixture
async def real(airflow: Airflow) -> AsyncIterator[Server]:
    """The real one, with one gate."""
    gates = Gates.opened(airflow, {"gate_form": 1})
    ref = GateRef(key="", dag="gate_form", run=gates.take("gate_form"), task="ask")
    server = Server.at(airflow.address, ref)
    yield server
    await server.session.close()


def differences(fake: Any, real: Any, at: str = "") -> list[str]:
    """Where two documents have other keys or types; null goes with anything."""
    if fake is None or real is None:
        return []
    if isinstance(fake, Mapping) and isinstance(real, Mapping):
        missing = [f"{at}.{key} is in one only" for key in fake.keys() ^ real.keys()]
        shared = fake.keys() & real.keys()
        return missing + [
            line for key in shared for line in differences(fake[key], real[key], f"{at}.{key}")
        ]
    if isinstance(fake, list) and isinstance(real, list):
        pairs = zip(fake[:1], real[:1], strict=False)
        return [line for one, other in pairs for line in differences(one, other, f"{at}[]")]
    return [] if type(fake) is type(real) else [f"{at}: {fake!r} is not like {real!r}"]


async def test_the_fake_tells_what_airflow_tells(fake: Server, real: Server) -> None:
    """In every document that the adapter reads, whatever it reads of it."""
    theirs = await real.told()
    assert differences(await fake.told(), theirs) == []
    lists = {"gates": "hitl_details", "runs": "dag_runs", "tasks": "task_instances"}
    assert all(theirs[name][key] for name, key in lists.items())


def test_a_difference_is_found() -> None:
    """Another key, another type, however deep."""
    assert differences({"a": [{"b": 1}]}, {"a": [{"c": 1}]}) != []
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}) == [".a[].b: 1 is not like '1'"]
    assert differences({"a": 1, "b": None}, {"a": 2, "b": "x"}) == []
