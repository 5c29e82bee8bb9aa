"""Gates on a real Airflow, opened all at once before the first is looked at."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from engine.backends.airflow import Airflow as Backend
from engine.gates import GateRef, WaitingGate
from engine.model import JsonObject
from tests.engines.airflow.server import ADMIN, Airflow, wait_for

_PARKED = timedelta(seconds=4)
"""An answer that Airflow gets sooner after a gate's start may fail it."""

_WAITS_S, _ENDS_S = 90, 60
_ENDED = ("success", "failed")


@dataclass(frozen=True, slots=True)
class Gates:
    """Runs that were started, by their DAG; each is handed out once."""

    airflow: Airflow
    runs: dict[str, deque[str]]

    @classmethod
    def opened(cls, airflow: Airflow, counts: dict[str, int]) -> "Gates":
        """So many runs of each DAG, all of which wait and may be answered."""
        body = {"logical_date": None, "conf": {"from": "a test"}}
        runs: dict[str, deque[str]] = {}
        for dag, count in counts.items():
            for _ in range(count):
                run = airflow.done("POST", f"/dags/{dag}/dagRuns", body)
                runs.setdefault(dag, deque()).append(run["dag_run_id"])
        gates = cls(airflow, runs)
        wait_for(gates._all_wait, _WAITS_S, "some gate does not wait")
        return gates

    def take(self, dag: str) -> str:
        """The id of a run that nobody has used."""
        return self.runs[dag].popleft()

    def _all_wait(self) -> bool:
        """Whether every run asks; those with a deadline of a second need not wait any more."""
        waiting = {
            (detail["task_instance"]["dag_id"], detail["task_instance"]["dag_run_id"]): detail
            for detail in self.airflow.get("/dags/~/dagRuns/~/hitlDetails?limit=100")[
                "hitl_details"
            ]
        }
        wanted = {(dag, run) for dag, runs in self.runs.items() for run in runs}
        if not wanted <= waiting.keys():
            return False
        started = max(
            datetime.fromisoformat(detail["created_at"])
            for name, detail in waiting.items()
            if name in wanted
        )
        return datetime.now(UTC) > started + _PARKED


@dataclass
class RealStage:
    """A real Airflow, and the adapter that talks to it."""

    gates: Gates
    backend: Backend
    starter: str | None = ADMIN
    somebody: str = ADMIN
    yes: tuple[str, ...] = ("Approve",)
    no: tuple[str, ...] = ("Reject",)
    values: JsonObject = field(default_factory=lambda: {"rows": 20})
    received: JsonObject = field(default_factory=lambda: {"rows": 20, "note": None})
    misfit: JsonObject = field(default_factory=lambda: {"rows": "many"})

    @property
    def airflow(self) -> Airflow:
        """The server."""
        return self.gates.airflow

    async def open(self, *, form: bool = False) -> WaitingGate:
        """A gate that waits."""
        [gate] = await self.of("gate_form" if form else "gate_approval")
        return gate

    async def of(self, dag: str) -> list[WaitingGate]:
        """The gates of an unused run of a DAG."""
        run = self.gates.take(dag)
        return [gate for gate in await self.backend.waiting() if gate.ref.run == run]

    def ref(self, dag: str) -> GateRef:
        """The gate of an unused run of a DAG, which need not wait any more."""
        run = self.gates.take(dag)
        path = f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/ask"
        return GateRef(key=self.airflow.get(path)["id"], dag=dag, run=run, task="ask")

    async def answer_elsewhere(self, ref: GateRef, option: str = "Approve") -> None:
        """The author says it on Airflow's own page."""
        path = f"{_run(ref)}/taskInstances/{ref.task}/{ref.index}/hitlDetails"
        self.airflow.done("PATCH", path, {"chosen_options": [option]})

    async def ask_again(self, ref: GateRef) -> None:
        """The task is cleared, and runs."""
        body = {"dry_run": False, "dag_run_id": ref.run, "task_ids": [ref.task]}
        body["only_failed"] = False
        self.airflow.done("POST", f"/dags/{ref.dag}/clearTaskInstances", body)
        wait_for(lambda: self.state(ref) == "awaiting_input", _WAITS_S, "it does not ask again")

    async def end(self, ref: GateRef) -> None:
        """The run is marked as failed."""
        self.airflow.done("PATCH", _run(ref), {"state": "failed"})

    async def delete(self, ref: GateRef) -> None:
        """The run is marked as failed, and deleted once the scheduler has turned from it.

        Airflow's scheduler ends when a run is deleted that it has in hand.
        """
        await self.end(ref)
        await self.settle(ref)
        ended = datetime.now(UTC)
        wait_for(lambda: self._last_round() > ended, _ENDS_S, "the scheduler makes no rounds")
        self.airflow.done("DELETE", _run(ref))

    async def settle(self, ref: GateRef) -> None:
        """Wait for the run to end."""
        path = _run(ref)
        wait_for(lambda: self.airflow.get(path)["state"] in _ENDED, _ENDS_S, f"{path} goes on")

    async def went_on(self, ref: GateRef) -> bool:
        """Whether the task behind the gate was run."""
        return self.tasks(ref).get("after") == "success"

    async def result(self, ref: GateRef) -> JsonObject:
        """The form, as XCom has it."""
        path = f"{_run(ref)}/taskInstances/{ref.task}/xcomEntries/return_value"
        values: JsonObject = self.airflow.get(path)["value"]["params_input"]
        return values

    def _last_round(self) -> datetime:
        """When the scheduler began its last round that it told of."""
        told = self.airflow.get("/monitor/health")["scheduler"]["latest_scheduler_heartbeat"]
        return datetime.fromisoformat(told)

    def tasks(self, ref: GateRef) -> dict[str, str | None]:
        """The state of each task of a run."""
        told = self.airflow.get(f"{_run(ref)}/taskInstances")["task_instances"]
        return {f"{one['task_id']}{_at(one['map_index'])}": one["state"] for one in told}

    def state(self, ref: GateRef) -> str | None:
        """The state of the task of a gate."""
        state: str | None = self.airflow.get(_task(ref))["state"]
        return state

    def log(self, ref: GateRef) -> str:
        """What the first attempt of the task of a gate logged."""
        return str(self.airflow.get(f"{_task(ref)}/logs/1"))

    def note(self, ref: GateRef) -> str | None:
        """What is noted at the task of a gate."""
        note: str | None = self.airflow.get(_task(ref))["note"]
        return note


def _run(ref: GateRef) -> str:
    return f"/dags/{ref.dag}/dagRuns/{quote(ref.run, safe='')}"


def _task(ref: GateRef) -> str:
    path = f"{_run(ref)}/taskInstances/{ref.task}"
    return path if ref.index < 0 else f"{path}/{ref.index}"


def _at(index: int) -> str:
    return "" if index < 0 else f"[{index}]"
