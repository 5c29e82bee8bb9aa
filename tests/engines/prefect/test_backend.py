"""The adapter keeps the promises of a backend on a real Prefect, and its traps are real."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.backends.http import Answer
from engine.backends.prefect import Prefect
from engine.backends.prefect_api import PrefectKey
from engine.clock import SystemClock
from engine.errors import BackendDenied, BackendUnreachable
from engine.gates import Answered, Declined, GateRef, Gone, Reply, Taken, TooLate, Waits
from tests.bench.peers.prefect_server import call
from tests.engine.backends.contract import BackendContract
from tests.engines.prefect.server import server, until
from tests.engines.prefect.stage import Gates, LiveStage

YES = Reply(options=("Approve",), by="Ana", checkpoint_id="cp_1")
WITHDRAWAL = Reply(options=(), by="Ana", reason="too risky", checkpoint_id="cp_1", is_no=True)
TEMPLATE = {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}
CANCELLED = Gone("the run was cancelled", withdrawn=True)
FLOWS = ("suspending", "pausing")
# Prefect says so, having done nothing, while its SQLite file is locked.
_BUSY = "answered 503"
NOBODY = "00000000-0000-0000-0000-000000000000"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def ready(gates: Gates) -> Gates:
    """Gates with enough runs under way for all tests of this file."""
    for flow in FLOWS:
        gates.ready[flow, "brief"] = [gates.start(flow, timeout=1)]
    gates.get_ready("pausing", "", 2)
    gates.get_ready("suspending", "verdict", 2)
    gates.get_ready("suspending", "open", 1)
    gates.get_ready("suspending", "release", 1)
    gates.get_ready("suspending", "", 10)
    return gates


@pytest.fixture
async def stage(ready: Gates, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LiveStage]:
    """Flows that suspend, and the adapter; what a busy server did not do is asked for again."""
    backend = Prefect("live", ready.server.url, key=None, clock=SystemClock())
    ask = backend._session.ask

    async def ask_patiently(*what: Any, **how: Any) -> Answer:
        for _ in range(10):
            try:
                return await ask(*what, **how)
            except BackendUnreachable as error:
                if _BUSY not in str(error):
                    raise
                await asyncio.sleep(0.5)
        raise TimeoutError("the server is busy")

    monkeypatch.setattr(backend._session, "ask", ask_patiently)
    yield LiveStage(ready, backend)
    await backend.close()


class TestTheContract(BackendContract):
    """Every promise of the port."""


async def test_a_paused_run_goes_on_in_its_own_process(stage: LiveStage) -> None:
    """Its state alone does not show that; the task that begins does."""
    run = stage.gates.paused("pausing")
    gate = await stage.gate(run)
    assert await stage.backend.answer(gate.ref, YES) == Taken()
    await stage.settle(gate.ref)
    found = await stage.backend.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (True, True)


async def test_a_paused_run_whose_process_died_is_never_said_to_go_on(stage: LiveStage) -> None:
    """Prefect takes the answer and says `Running`; nothing tells but that nothing happens."""
    run = dead_run(stage.gates)
    gate = await stage.gate(run)
    assert await stage.backend.answer(gate.ref, YES) == Taken()
    assert stage.gates.document(run)["state"]["type"] == "RUNNING"
    found = await stage.backend.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (True, None)
    assert found.found == "resumed, but nothing has happened there since"


async def test_withdrawing_stops_the_process_of_a_paused_run(stage: LiveStage) -> None:
    """Cancelled at once it would go on waiting for its time to be up: so its runner is told."""
    run = stage.gates.paused("pausing")
    gate = await stage.gate(run)
    (process,) = processes_of(run)
    assert await stage.backend.answer(gate.ref, WITHDRAWAL) == Taken()
    assert stage.gates.ended(run) == "CANCELLED"
    until(lambda: process not in processes_of(run))
    assert await stage.backend.look(gate.ref, WITHDRAWAL) == CANCELLED


async def test_a_form_with_the_answer_in_it_takes_a_no(stage: LiveStage) -> None:
    """The flow goes on with `approved` false and the reason."""
    gate = await stage.gate(stage.gates.paused("suspending", "verdict"))
    assert (gate.options, gate.fields) == (("Approve", "Reject"), ())
    no = Reply(options=("Reject",), by="Ana", reason="too risky", checkpoint_id="cp_1", is_no=True)
    assert await stage.backend.answer(gate.ref, no) == Taken()
    await stage.settle(gate.ref)
    assert await stage.result(gate.ref) == {"approved": False, "reason": "too risky"}
    found = await stage.backend.look(gate.ref, no)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on, found.said) == (True, True, "Reject")


async def test_prefect_expands_what_we_refuse_to_send(stage: LiveStage) -> None:
    """A template in an answer runs on the server; from us it never gets there."""
    gate = await stage.gate(stage.gates.paused("suspending", "open"))
    reply = Reply(options=("Approve",), values={"more": {"x": TEMPLATE}}, checkpoint_id="cp_1")
    assert isinstance(await stage.backend.answer(gate.ref, reply), Declined)
    assert await stage.backend.look(gate.ref, reply) == Waits()
    assert stage.gates.resume(gate.ref.run, {"more": {"x": TEMPLATE}})["status"] == "ACCEPT"
    (stored,) = stage.gates.inputs(gate.ref.run, "response")
    assert stored["value"] == '{"more":{"x":"49"}}'


@pytest.mark.parametrize("flow", FLOWS)
async def test_a_pause_that_runs_out_is_gone(stage: LiveStage, flow: str) -> None:
    """Whether the server fails the run, or its own process."""
    (run,) = stage.gates.ready[flow, "brief"]
    assert stage.gates.ended(run) == "FAILED"
    (pause,) = [state for state in stage.gates.history(run) if state["type"] == "PAUSED"]
    ref = GateRef(key=pause["id"], dag=flow, run=run, task="gate")
    assert await stage.backend.look(ref, YES) == Gone("its time was up there")
    assert await stage.backend.answer(ref, YES) == TooLate()


async def test_a_suspended_run_that_is_scheduled_by_hand_has_passed_its_gate(
    stage: LiveStage,
) -> None:
    """It is no second asking, whatever the state is called."""
    gate = await stage.open()
    again = {"type": "SCHEDULED", "name": "AwaitingRetry"}
    assert stage.gates.set_state(gate.ref.run, again)["status"] == "ACCEPT"
    await stage.settle(gate.ref)
    found = await stage.backend.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (False, True)
    assert await stage.went_on(gate.ref)


async def test_the_retry_button_lets_a_run_pass_unless_its_form_wants_an_answer(
    stage: LiveStage,
) -> None:
    """Prefect forgets no pause when its page retries a run: only a field without a default holds.

    Whoever may retry runs there can so pass a gate that was rejected here.
    """
    open_gate = await stage.gate(stage.gates.paused("suspending"))
    held = await stage.gate(stage.gates.paused("suspending", "verdict"))
    for gate in (open_gate, held):
        assert await stage.backend.answer(gate.ref, WITHDRAWAL) == Taken()
        retry = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        stage.gates.set_state(gate.ref.run, retry, force=True)
    assert stage.gates.ended(open_gate.ref.run) == "COMPLETED"
    assert stage.gates.ended(held.ref.run) == "FAILED"
    assert await stage.went_on(open_gate.ref)
    assert not await stage.went_on(held.ref)


async def test_the_server_breaks_when_a_run_that_is_not_there_is_resumed(stage: LiveStage) -> None:
    """So a run is looked at first."""
    with pytest.raises(RuntimeError, match="500"):
        stage.gates.resume(NOBODY)


async def test_a_server_with_an_auth_string_wants_it(prefect_python: Path, tmp_path: Path) -> None:
    """The right one opens it, a wrong one is denied, and the clock of both is the same."""
    settings = {"PREFECT_SERVER_API_AUTH_STRING": "admin:hunter2"}
    with server(prefect_python, tmp_path, settings) as there:
        right, wrong = (
            Prefect("live", there.url, key=key, clock=SystemClock())
            for key in (PrefectKey("admin:hunter2", is_auth_string=True), PrefectKey("hunter2"))
        )
        assert await right.waiting() == []
        health = await right.check()
        assert (health.version, health.warnings) == ("3.9.1", ())
        assert health.skew is not None
        assert abs(health.skew) <= timedelta(seconds=3)
        with pytest.raises(BackendDenied):
            await wrong.waiting()
        await right.close()
        await wrong.close()


def dead_run(gates: Gates) -> str:
    """A run that waits in a process that was killed, with no runner that would notice."""
    report = gates.folder / "dead"
    code = "import gated, sys; gated.pausing(sys.argv[1])"
    env = {**gates.server.environment(), "PYTHONPATH": str(Path(__file__).parent)}
    command = [str(gates.server.python), "-c", code, str(report)]
    with subprocess.Popen(command, env=env, cwd=gates.folder, stderr=subprocess.DEVNULL) as process:
        try:
            found = until(lambda: paused_with(gates, str(report)), process)
        finally:
            process.send_signal(signal.SIGKILL)
    return str(found)


def paused_with(gates: Gates, report: str) -> str | None:
    """The paused run that was started with this parameter."""
    wanted: dict[str, Any] = {"state": {"type": {"any_": ["PAUSED"]}}}
    found = call(f"{gates.server.url}/flow_runs/filter", {"flow_runs": wanted})
    return next((one["id"] for one in found if one["parameters"].get("report") == report), None)


def processes_of(run: str) -> list[int]:
    """The processes that run a flow run: it is in their environment."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdigit() and run.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]
