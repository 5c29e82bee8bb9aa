"""Gates of another engine, through the whole bot: asked about, decided, answered there."""

import asyncio
import socket
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from bot.backend_settings import BackendSettings, Login, SecretKind
from engine import (
    BackendKind,
    BackendPlan,
    Checkpoint,
    CheckpointState,
    GateRule,
    InvalidSettings,
    Policy,
    listed_checkpoints,
)
from tests.engine.backends.airflow_fake import ANA, FakeAirflow
from tests.journeys.world import TENANT, World, bot, running

pytestmark = pytest.mark.journey

TOKEN = "correct-horse-battery"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


def prod(airflow: FakeAirflow) -> BackendSettings:
    """How `prod` is configured: read once an hour, so that it must be woken."""
    rule = GateRule(tenant=TENANT, policy=Policy(self_approval=True))
    return BackendSettings(
        plan=BackendPlan(name="prod", kind=BackendKind.AIRFLOW, rules=(rule,)),
        url=airflow.url,
        login=Login(kind=SecretKind.PASSWORD, variable="AIRFLOW_PASSWORD", username=ANA),
        every=timedelta(hours=1),
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def asked(world: World, fits: Callable[[Checkpoint], bool]) -> Checkpoint:
    """The one checkpoint, once it is there and fits."""
    async with asyncio.timeout(15):
        while True:
            every = await world.read(partial(listed_checkpoints, limit=10, state=None))
            if every and fits(every[0]):
                return every[0]
            await asyncio.sleep(0.02)


async def wake(port: int) -> int:
    """Call, once somebody listens; returns the status."""
    async with asyncio.timeout(10), ClientSession(headers=RIGHT) as session:
        while True:
            try:
                async with session.post(f"http://127.0.0.1:{port}/wake/prod") as said:
                    return said.status
            except OSError:
                await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_PASSWORD", ANA)


@pytest.mark.parametrize("http", [False, True])
async def test_a_gate_is_asked_about_when_the_bot_is_woken(tmp_path: Path, http: bool) -> None:
    """In Socket Mode at an address of its own, over HTTP where Slack's requests arrive."""
    port = free_port()
    async with FakeAirflow() as airflow:
        changes: dict[str, Any] = {
            "backends": (prod(airflow),),
            "wake_token": SecretStr(TOKEN),
            "wake_at": ("127.0.0.1", port),
        }
        async with running(tmp_path, http=http, **changes) as world:
            airflow.open()
            assert await wake(world.http_port if http else port) == 202
            checkpoint = await asked(world, lambda one: one.is_open)
            assert checkpoint.elsewhere is not None
            assert checkpoint.elsewhere.backend == "prod"


async def test_what_is_decided_is_told_to_the_engine(tmp_path: Path) -> None:
    """The gate is answered as its account, and goes on."""
    async with FakeAirflow() as airflow:
        gate = airflow.open()
        async with running(tmp_path, backends=(prod(airflow),)) as world:
            await asked(world, lambda one: one.is_open)
            await world.decide_on_cli("os:ola")
            ended = await asked(world, lambda one: one.state is CheckpointState.APPROVED)
            async with asyncio.timeout(15):
                while gate.response is None:
                    await asyncio.sleep(0.02)
            assert gate.response.options == ["Approve"]
            assert ended.elsewhere is not None


async def test_a_bot_without_its_password_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable."""
    monkeypatch.delenv("AIRFLOW_PASSWORD")
    backends = (prod(FakeAirflow()),)
    async with running(tmp_path, with_bot=False, backends=backends) as world:
        with pytest.raises(InvalidSettings, match="AIRFLOW_PASSWORD: is not set"):
            async with bot(world):
                pass
