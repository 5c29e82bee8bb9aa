"""A gate on Airflow, from its card to the run's outcome: the real bot, real sockets, a local Slack.

The Airflow is one that behaves like it on its own port; `make test-engines` walks the same way
with a real one.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from bot.backend_settings import BackendSettings, Login, SecretKind
from bot.sandbox.server import Sandbox
from engine import BackendKind, BackendPlan, GateRule, Principal
from tests.engine.backends.airflow_fake import ANA, AUTHOR, FakeAirflow
from tests.engine.backends.airflow_state import FakeGate, param
from tests.journeys.processes import CONFIG, Signoff
from tests.journeys.seen import button_of, read
from tests.journeys.world import CHANNEL, MANIFEST, TENANT, World, running

SECRET = "TEST_AIRFLOW_PASSWORD"
TOKEN = "a-token-for-wake-ups"
_PATIENCE_S = 20


def settings_of(server: FakeAirflow, every: timedelta = timedelta(seconds=0.2)) -> BackendSettings:
    """Airflow, answered as Ana's account there; the author's is the sandbox's author."""
    plan = BackendPlan(
        name="prod",
        kind=BackendKind.AIRFLOW,
        rules=(GateRule(tenant=TENANT),),
        users={AUTHOR: Principal.parse("U0OLA")},
    )
    login = Login(kind=SecretKind.PASSWORD, variable=SECRET, username=ANA)
    return BackendSettings(plan=plan, url=server.url, login=login, every=every)


@dataclass
class There:
    """A world whose bot watches an Airflow."""

    world: World
    airflow: FakeAirflow

    async def until(self, fits: Callable[[], object]) -> None:
        """Let Airflow work until it is so."""
        async with asyncio.timeout(_PATIENCE_S):
            while not fits():
                self.airflow.work()
                await asyncio.sleep(0.05)

    async def card(self, state: str = "Approval needed") -> dict[str, Any]:
        """The newest card once it says this; Airflow works meanwhile."""
        card = asyncio.create_task(self.world.card(state=state))
        await self.until(card.done)
        return card.result()

    async def says(self, words: str) -> dict[str, Any]:
        """A message in the channel, or in a thread of it, that says this."""
        ana = self.world.person("U0ANA")
        found = asyncio.create_task(
            ana.wait_for_message(lambda m: words in m["text"], within=_PATIENCE_S, channel=CHANNEL)
        )
        await self.until(found.done)
        return found.result()


@asynccontextmanager
async def watching(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: timedelta = timedelta(seconds=0.2),
    **more: Any,
) -> AsyncIterator[There]:
    """A bot that watches an Airflow."""
    monkeypatch.setenv(SECRET, ANA)
    async with (
        FakeAirflow() as airflow,
        running(folder, backends=(settings_of(airflow, every),), **more) as world,
    ):
        yield There(world, airflow)


async def test_a_click_in_slack_lets_a_run_on_airflow_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate becomes a card, the click answers it there, and the thread tells the outcome."""
    async with watching(tmp_path, monkeypatch) as there:
        gate = there.airflow.open(subject="Ship 1.4.2?")
        card = await there.card()
        assert "Ship 1.4.2?" in read(card)
        assert "on Airflow (prod)" in read(card)
        assert button_of(card, "open_there")["url"].endswith("required_actions?map_index=-1")
        await there.world.approve("U0BOB", card, "Looks good.")
        await there.card("✅ Approved")
        assert gate.run.has_gone_on
        assert gate.response is not None
        assert (gate.response.options, gate.response.by) == (["Approve"], ANA)
        assert gate.response.values["decided_by"]  # Airflow's own record says who it was
        assert gate.response.values["reason"] == "Looks good."
        await there.says("succeeded")


async def test_a_rejection_says_no_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing behind the gate runs, and the card is the same as for a run of our own."""
    async with watching(tmp_path, monkeypatch) as there:
        gate = there.airflow.open()
        await there.world.reject("U0BOB", await there.card())
        await there.card("❌ Rejected")
        assert gate.response is not None
        assert gate.response.options == ["Reject"]
        assert not gate.run.has_gone_on


async def test_whoever_started_the_run_there_is_refused_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy is the same wherever the run lives: the starter's account is known."""
    async with watching(tmp_path, monkeypatch) as there:
        await there.world.grant("U0OLA", TENANT)
        there.airflow.open()
        form = await there.world.open_form("U0OLA", await there.card(), "approve")
        assert "You started this run" in read(form)


async def test_an_option_is_a_button_and_a_form_is_a_modal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several ways to say yes, and a typed form that is held to its JSON Schema."""
    async with watching(tmp_path, monkeypatch) as there:
        form = {"rows": param(10, "How many", type="integer", maximum=100, multipleOf=5)}
        gate = there.airflow.open(options=("canary", "full", "Reject"), params=form)
        card = await there.card()
        assert [button_of(card, f"option:{n}")["text"]["text"] for n in (0, 1)] == [
            "canary",
            "full",
        ]
        await there.world.open_form("U0BOB", card, "option:1")
        bob = there.world.person("U0BOB")
        wrong = await bob.submit({"input:rows": "21"})
        assert "must be a multiple of 5" in str(wrong.errors)
        await bob.submit({"input:rows": "20"})
        await there.card("✅ Approved")
        assert gate.response is not None
        assert gate.response.options == ["full"]
        assert gate.response.values == {"rows": 20}


async def test_somebody_answers_on_airflows_own_page_while_the_card_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card says who did, and a form that was open by then is refused."""
    async with watching(tmp_path, monkeypatch) as there:
        gate = there.airflow.open()
        card = await there.card()
        await there.world.open_form("U0BOB", card, "approve")
        gate.answer(["Reject"], {}, AUTHOR)
        await there.card("↪️ Answered in Airflow")
        said = await there.world.person("U0BOB").submit({"reason": "too late"})
        assert "Answered in Airflow" in str(said)
        assert gate.response is not None
        assert (gate.response.options, gate.response.by) == (["Reject"], AUTHOR)


async def test_a_click_while_airflow_is_down_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision is recorded at once, the card says what it waits for, and it arrives."""
    async with watching(tmp_path, monkeypatch) as there:
        gate = there.airflow.open()
        card = await there.card()
        await asyncio.sleep(3.2)  # the hold of a gate that opened just now
        await there.airflow.stop()
        await there.world.approve("U0BOB", card)
        await there.card("⏳ Approved, waiting for Airflow")
        await there.card("prod: cannot be reached")
        await there.airflow.start()
        await there.card("✅ Approved")
        assert gate.response is not None
        assert gate.run.has_gone_on


async def test_an_answer_that_comes_second_is_said_to_have_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approved here while it was rejected there: the card and the channel say so."""
    wake = {"wake_token": SecretStr(TOKEN), "wake_at": ("127.0.0.1", _free_port())}
    async with watching(tmp_path, monkeypatch, every=timedelta(hours=1), **wake) as there:
        gate = there.airflow.open()
        assert await call_wake(there, "prod", "somebody-else's") == 401
        assert await call_wake(there, "prod") == 202
        card = await there.card()
        gate.answer(["Reject"], {}, AUTHOR)  # nobody reads Airflow before the click
        await there.world.approve("U0BOB", card)
        lost = await there.card("⚠️ Approved, without effect")
        assert f"answered in Airflow by {AUTHOR}: Reject" in read(lost)
        await there.says("It has no effect")


async def call_wake(there: There, name: str, token: str = TOKEN) -> int:
    """Call the wake-up address until the bot listens; returns the status."""
    host, port = there.world.settings.wake_at
    url, headers = f"http://{host}:{port}/wake/{name}", {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(_PATIENCE_S), ClientSession() as session:
        while True:
            with contextlib.suppress(OSError):
                async with session.post(url, headers=headers) as reply:
                    return reply.status
            await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# One that dies


@pytest.mark.storm
async def test_a_bot_killed_between_the_click_and_the_answer_answers_once(tmp_path: Path) -> None:
    """SIGKILL right after the click was recorded: the next bot tells Airflow, once."""
    async with FakeAirflow() as airflow, Sandbox(manifest=MANIFEST) as sandbox:
        (tmp_path / "signoff.toml").write_text(
            CONFIG.format(user="dev") + _BACKEND.format(url=airflow.url)
        )
        signoff = Signoff(tmp_path, sandbox, {SECRET: ANA})
        world = World(folder=tmp_path, sandbox=sandbox, store=None, settings=None)  # type: ignore[arg-type]
        gate = airflow.open()
        try:
            async with signoff.bot("--no-worker") as first:
                card = await world.card()
                await world.approve("U0BOB", card)
                os.kill(first.pid, signal.SIGKILL)
                await first.wait()
            assert gate.response is None  # it was held: the gate had opened just now
            async with signoff.bot("--no-worker"):
                await _answered(airflow, gate)
                await world.card(state="✅ Approved")
            answers = [r for r in airflow.requests if r.startswith("PATCH") and "hitl" in r]
            assert len(answers) == 1
        finally:
            for person in world.people.values():
                await person.aclose()


_BACKEND = """
[backends.prod]
engine = "airflow"
url = "{url}"
username = "U0ANA"
password_from = "TEST_AIRFLOW_PASSWORD"
tenant = "local-dev"
self_approval = true
poll_s = 1
"""


async def _answered(airflow: FakeAirflow, gate: FakeGate) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while gate.response is None or not gate.run.has_gone_on:
            airflow.work()
            await asyncio.sleep(0.05)
