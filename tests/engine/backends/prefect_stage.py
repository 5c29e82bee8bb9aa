"""A fake Prefect for the tests of its adapter, and what can be done on it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from engine.backends.prefect import Prefect
from engine.gates import GateRef, Reply, WaitingGate
from engine.model import JsonObject
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.build import FakeClock

FORM: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "$defs": {"Ring": {"enum": ["canary", "all"], "type": "string"}},
    "definitions": {"Ring": {"enum": ["canary", "all"], "type": "string"}},
    "properties": {
        "percent": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
        "ring": {"$ref": "#/definitions/Ring", "default": "canary"},
        "more": {"type": "object", "default": {}},
    },
}
VERDICT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "reason": {"type": "string", "default": ""},
        "percent": {"type": "integer", "default": 10},
    },
    "required": ["approved"],
}
YES = Reply(options=("Approve",), by="Ana", reason="fine", checkpoint_id="cp_1")
NO = Reply(options=("Reject",), by="Ana", reason="too risky", checkpoint_id="cp_1", is_no=True)
WITHDRAWAL = Reply(options=(), by="Ana", reason="too risky", checkpoint_id="cp_1", is_no=True)
SILENT = "resumed, but nothing has happened there since"


def said(values: Mapping[str, Any] | None = None) -> Reply:
    """A yes with these values."""
    return Reply(options=("Approve",), values=values or {}, by="Ana", checkpoint_id="cp_1")


async def only(prefect: Prefect, clock: FakeClock) -> WaitingGate:
    """The one gate that waits, a moment after it began to."""
    clock.advance(timedelta(seconds=3))
    (gate,) = await prefect.waiting()
    return gate


@dataclass
class FakeStage:
    """A fake Prefect whose flows suspend, and the adapter that talks to it."""

    fake: FakePrefect
    clock: FakeClock
    backend: Prefect
    starter: str | None = None
    somebody: str = ""
    yes: tuple[str, ...] = ("Approve",)
    no: tuple[str, ...] = ()
    values: JsonObject = field(default_factory=lambda: {"percent": 20})
    received: JsonObject = field(
        default_factory=lambda: {"percent": 20, "ring": "canary", "more": {}}
    )
    misfit: JsonObject = field(default_factory=lambda: {"percent": 101})

    async def open(self, *, form: bool = False) -> WaitingGate:
        """A gate that waits."""
        run = self.fake.start()
        self.fake.pause(run, schema=FORM if form else None)
        self.clock.advance(timedelta(seconds=3))
        (gate,) = [one for one in await self.backend.waiting() if one.ref.run == run]
        return gate

    async def answer_elsewhere(self, ref: GateRef) -> None:
        """Somebody resumes the run on its page."""
        self.fake.resume(ref.run)

    async def ask_again(self, ref: GateRef) -> None:
        """The run fails and is run again, which forgets which pauses it passed."""
        self.fake.enter(ref.run, "FAILED")
        self.fake.take_up(ref.run)
        self.fake.pause(ref.run, ref.task)

    async def end(self, ref: GateRef) -> None:
        """Somebody marks the run as failed."""
        self.fake.enter(ref.run, "FAILED")

    async def delete(self, ref: GateRef) -> None:
        """Somebody deletes the run."""
        self.fake.delete(ref.run)

    async def settle(self, ref: GateRef) -> None:
        """A worker takes the run up, if it is to go on."""
        if self.fake.runs[ref.run]["state"]["type"] == "SCHEDULED":
            self.fake.take_up(ref.run)
            self.fake.begin_task(ref.run, "ship", "COMPLETED")
            self.fake.enter(ref.run, "COMPLETED")

    async def went_on(self, ref: GateRef) -> bool:
        """Whether the task behind the gate was run."""
        return any(one["flow_run_id"] == ref.run for one in self.fake.task_runs)

    async def result(self, ref: GateRef) -> JsonObject:
        """What was stored as the answer."""
        (response,) = self.fake.kept(ref.run, "response")
        return dict(json.loads(response["value"]))


@asynccontextmanager
async def staged(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Prefect that is up."""
    fake = FakePrefect(clock)
    async with fake.server:
        prefect = Prefect("staging", fake.url, key=None, clock=clock)
        yield FakeStage(fake, clock, prefect)
        await prefect.close()
