"""A fake Airflow for the tests of its adapter, and what can be done on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from engine.backends.airflow import Airflow
from engine.backends.airflow_login import AirflowPassword
from engine.clock import Clock
from engine.gates import GateRef, Reply, WaitingGate
from engine.model import JsonObject
from tests.engine.backends.airflow_fake import ANA, AUTHOR, FakeAirflow
from tests.engine.backends.airflow_state import FakeGate, param
from tests.engine.build import FakeClock

FORM = {
    "rows": param(10, "How many", type="integer", minimum=1, maximum=100),
    "note": param(None, type=["null", "string"]),
}

YES = Reply(options=("Approve",), by="Ana", reason="looks good", checkpoint_id="cp_1")
NO = Reply(options=("Reject",), by="Ana", reason="not today", checkpoint_id="cp_1", is_no=True)
OK = Reply(options=("OK",), by="Ana", reason="looks good", checkpoint_id="cp_1")
RECORD = {"decided_by": "Ana", "reason": "looks good", "checkpoint": "cp_1"}


@dataclass
class FakeStage:
    """A fake Airflow, and the adapter that talks to it as Ana."""

    server: FakeAirflow
    backend: Airflow
    starter: str | None = AUTHOR
    somebody: str = AUTHOR
    yes: tuple[str, ...] = ("Approve",)
    no: tuple[str, ...] = ("Reject",)
    values: JsonObject = field(default_factory=lambda: {"rows": 20})
    received: JsonObject = field(default_factory=lambda: {"rows": 20, "note": None})
    misfit: JsonObject = field(default_factory=lambda: {"rows": "many"})

    async def open(self, *, form: bool = False) -> WaitingGate:
        """A gate that waits."""
        gate = self.server.open(params=FORM, options=("OK",)) if form else self.server.open()
        return await self.seen(gate)

    async def seen(self, gate: FakeGate) -> WaitingGate:
        """A gate as the adapter sees it."""
        [seen] = [one for one in await self.backend.waiting() if one.ref.key == gate.id]
        return seen

    async def answer_elsewhere(self, ref: GateRef) -> None:
        """The author says yes on Airflow's own page."""
        self.gate(ref).answer(["Approve"], {}, AUTHOR)

    async def ask_again(self, ref: GateRef) -> None:
        """The task is cleared, and runs."""
        self.gate(ref).clear()
        self.server.work()

    async def end(self, ref: GateRef) -> None:
        """The run is marked as failed, and its tasks with it."""
        self.gate(ref).state = "failed"
        self.server.work()

    async def delete(self, ref: GateRef) -> None:
        """The run is deleted."""
        self.server.delete(self.gate(ref).run)

    async def settle(self, ref: GateRef) -> None:
        """Whatever is to be done is done."""
        while self.gate(ref).run.state == "running":
            self.server.work()

    async def went_on(self, ref: GateRef) -> bool:
        """Whether the task behind the gate was run."""
        return self.gate(ref).run.has_gone_on

    async def result(self, ref: GateRef) -> JsonObject:
        """The form that was sent."""
        response = self.gate(ref).response
        return response.values if response else {}

    def gate(self, ref: GateRef) -> FakeGate:
        """What the server holds."""
        return self.server.gates[ref.dag, ref.run, ref.task, ref.index]


def adapter(server: FakeAirflow, user: str, clock: Clock | None = None) -> Airflow:
    """The adapter as one of the accounts; whoever asks for it closes it."""
    login = AirflowPassword(user, user)
    return Airflow("prod", f"{server.url}/", login=login, clock=clock or FakeClock())


@asynccontextmanager
async def staged(clock: Clock, server: FakeAirflow | None = None) -> AsyncIterator[FakeStage]:
    """A fake Airflow that is up, and the adapter that talks to it."""
    async with server or FakeAirflow() as running:
        backend = adapter(running, ANA, clock)
        yield FakeStage(running, backend)
        await backend.close()
