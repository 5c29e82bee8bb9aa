"""A bot that asks in a local Slack about the gates of a real engine, and people who click."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.backend_settings import BackendSettings, Login
from engine import BackendKind, BackendPlan, GateRule, Policy
from tests.journeys.world import CHANNEL, TENANT, World, running

_PATIENCE_S = 120
_EVERY = timedelta(seconds=1)


@dataclass
class Clicks:
    """What a test sees of the channel, and does in it."""

    world: World

    async def message(self, *words: str) -> dict[str, Any]:
        """A message in the channel that says all of this, once there is one."""
        return await self.world.person("U0ANA").wait_for_message(
            lambda message: all(word in message["text"] for word in words),
            within=_PATIENCE_S,
            channel=CHANNEL,
        )

    async def decide(
        self, card: Mapping[str, Any], action: str, values: Mapping[str, Any] | None = None
    ) -> Any:
        """Bob opens the form with a button and sends it."""
        await self.world.open_form("U0BOB", card, action)
        return await self.world.person("U0BOB").submit(values)


@asynccontextmanager
async def clicking(
    folder: Path,
    kind: BackendKind,
    url: str,
    *,
    login: Login | None = None,
    policy: Policy | None = None,
    dag: str = "*",
) -> AsyncIterator[Clicks]:
    """A bot of its own that asks about the gates of one DAG; Bob may decide."""
    ours = GateRule(dag=dag, tenant=TENANT, policy=policy or Policy())
    plan = BackendPlan(name="real", kind=kind, rules=(ours, GateRule(tenant=TENANT, ignored=True)))
    settings = BackendSettings(plan=plan, url=url, login=login, every=_EVERY)
    async with running(folder, backends=(settings,)) as world:
        yield Clicks(world)
