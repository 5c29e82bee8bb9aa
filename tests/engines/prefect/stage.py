"""A real Prefect with gates on it, for the contract of backends."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.backends.prefect import Prefect
from engine.gates import GateRef, WaitingGate
from engine.model import JsonObject
from tests.bench.peers.prefect_server import call
from tests.engines.prefect.server import Prefect as Server
from tests.engines.prefect.server import until

_ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_LOOK_S = 0.3
_LOOKS = 100
_OVER = {"type": "FAILED", "message": "ended by hand"}


@dataclass
class Gates:
    """Flows that are served, and runs of them that were started ahead: a start takes seconds."""

    server: Server
    folder: Path
    ready: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    reports: dict[str, Path] = field(default_factory=dict)
    opened: dict[str, set[str]] = field(default_factory=dict)  # by form, by earlier tests

    def start(self, flow: str, form: str = "", **parameters: object) -> str:
        """Start a run; come back at once."""
        wanted = {"deployments": {"name": {"any_": [flow]}}}
        (deployment,) = call(f"{self.server.url}/deployments/filter", wanted)
        report = self.folder / uuid4().hex
        told = {"report": str(report), "form": form, **parameters}
        run = self.server.start(deployment["id"], told)
        self.reports[run] = report
        return run

    def get_ready(self, flow: str, form: str, count: int) -> None:
        """Start runs that tests will want."""
        self.ready[flow, form] = [self.start(flow, form) for _ in range(count)]

    def paused(self, flow: str, form: str = "", **parameters: object) -> str:
        """A run that waits at its gate, and has said what it asks."""
        ahead = [] if parameters else self.ready.get((flow, form), [])
        run = ahead.pop() if ahead else self.start(flow, form, **parameters)
        self.at_its_gate(run)
        return run

    def at_its_gate(self, run: str) -> None:
        """Come back when a run waits, with its form."""

        def asks() -> bool:
            state = self.document(run)["state"]
            keyset = state["state_details"]["run_input_keyset"]
            return state["type"] == "PAUSED" and (not keyset or bool(self.inputs(run, "schema")))

        until(asks)

    def is_paused(self, run: str) -> bool:
        """Whether a run is there and waits."""
        wanted = {"id": {"any_": [run]}, "state": {"type": {"any_": ["PAUSED"]}}}
        return bool(call(f"{self.server.url}/flow_runs/count", {"flow_runs": wanted}))

    def history(self, run: str) -> list[Any]:
        """The states of a run, in order."""
        return list(call(f"{self.server.url}/flow_run_states/?flow_run_id={run}"))

    def document(self, run: str) -> Any:
        """A flow run as the server tells it."""
        return call(f"{self.server.url}/flow_runs/{run}")

    def inputs(self, run: str, part: str = "") -> list[Any]:
        """The inputs of a run whose name holds this."""
        found = call(f"{self.server.url}/flow_runs/{run}/input/filter", {"prefix": "", "limit": 50})
        return [one for one in found if part in one["key"]]

    def set_state(self, run: str, state: JsonObject, *, force: bool = False) -> Any:
        """Ask for another state of a run; the verdict."""
        body = {"state": state, "force": force}
        return call(f"{self.server.url}/flow_runs/{run}/set_state", body)

    def resume(self, run: str, content: JsonObject | None = None) -> Any:
        """Resume a run as its page does; the verdict."""
        return call(f"{self.server.url}/flow_runs/{run}/resume", {"run_input": content or {}})

    def ended(self, run: str) -> str:
        """The kind of end of a run, once it has one."""
        return str(
            until(
                lambda: next((k for k in _ENDS if self.document(run)["state"]["type"] == k), None)
            )
        )

    def report(self, run: str) -> JsonObject | None:
        """What the task behind the gate got; None when it was not run."""
        file = self.reports[run]
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


@dataclass
class LiveStage:
    """The stage of the contract: flows that suspend."""

    gates: Gates
    backend: Prefect
    starter: str | None = None
    somebody: str = ""
    yes: tuple[str, ...] = ("Approve",)
    no: tuple[str, ...] = ()
    values: JsonObject = field(default_factory=lambda: {"percent": 20})
    received: JsonObject = field(default_factory=lambda: {"percent": 20, "ring": "canary"})
    misfit: JsonObject = field(default_factory=lambda: {"percent": 101})

    async def open(self, *, form: bool = False) -> WaitingGate:
        """A gate that waits: one that an earlier test left waiting, if there is one."""
        kind = "release" if form else ""
        left = [run for run in self.gates.opened.get(kind, ()) if self.gates.is_paused(run)]
        run = left[0] if left else self.gates.paused("suspending", kind)
        self.gates.opened.setdefault(kind, set()).add(run)
        return await self.gate(run)

    async def gate(self, run: str) -> WaitingGate:
        """The gate at which a run waits."""
        for _ in range(_LOOKS):
            found = [one for one in await self.backend.waiting() if one.ref.run == run]
            if found:
                return found[0]
            await asyncio.sleep(_LOOK_S)
        raise TimeoutError(f"run {run} is not among those that wait")

    async def answer_elsewhere(self, ref: GateRef) -> None:
        """Somebody resumes the run on its page."""
        assert self.gates.resume(ref.run)["status"] == "ACCEPT"

    async def ask_again(self, ref: GateRef) -> None:
        """The run is failed by hand and run again, which forgets which pauses it passed."""
        self.gates.set_state(ref.run, _OVER)
        again = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        assert self.gates.set_state(ref.run, again)["status"] == "ACCEPT"
        self.gates.at_its_gate(ref.run)

    async def end(self, ref: GateRef) -> None:
        """Somebody marks the run as failed."""
        self.gates.set_state(ref.run, _OVER)

    async def delete(self, ref: GateRef) -> None:
        """Somebody deletes the run."""
        self.gates.server.delete(ref.run)

    async def settle(self, ref: GateRef) -> None:
        """Come back when the run has ended."""
        self.gates.ended(ref.run)

    async def went_on(self, ref: GateRef) -> bool:
        """Whether the task behind the gate was run."""
        return self.gates.report(ref.run) is not None

    async def result(self, ref: GateRef) -> JsonObject:
        """What the task behind the gate got."""
        found = self.gates.report(ref.run)
        assert found is not None
        return found
