"""Runs that are started in Slack, and runs that start by themselves."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.server import Sandbox
from engine import Role, RunState, Store, Tx, export_trail, listed_runs, run_view
from engine.store import schedules
from tests.journeys.processes import CONFIG, Signoff
from tests.journeys.seen import read
from tests.journeys.world import GATE, MANIFEST, World, running, settings_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]

ROLLOUT = GATE.replace(
    "tasks:",
    "params:\n  to: {type: choice, options: [eu, us], required: true}\n  note: {}\ntasks:",
).replace("Deploy {{ build__version }}?", "Deploy to {{ params__to }}, {{ params__note }}?")


@asynccontextmanager
async def with_folder(folder: Path, **dags: str) -> AsyncIterator[World]:
    """A world whose bot knows a folder of these DAGs."""
    home = folder / "dags"
    home.mkdir()
    for name, text in dags.items():
        (home / f"{name}.yml").write_text(text)
    async with running(folder, dag_folders=(home,)) as world:
        yield world


async def typed(world: World, user: str, text: str) -> str:
    """What somebody is answered, in private, to a command."""
    who = world.person(user)
    before = {message["ts"] for message in await who.ephemerals()}
    result = await who.slash(text)
    assert result.ok, result.error
    assert result.acked_ms < 3_000
    (answer,) = [m for m in await who.ephemerals() if m["ts"] not in before]
    return f"{answer['text']}\n{read(answer)}"


async def started(world: World) -> list[Any]:
    return await world.read(partial(listed_runs, limit=10))


async def test_a_run_is_started_in_slack(tmp_path: Path) -> None:
    """Typed, asked, approved by somebody else, done: whoever typed is the requester."""
    async with with_folder(tmp_path, deploy=ROLLOUT) as world:
        said = await typed(world, "U0BOB", "/signoff run note=“second try” deploy to=eu")
        (run,) = await started(world)
        assert run.id in said
        assert "to: eu" in said
        assert run.requested_as == "slack:T0SANDBOX:U0BOB"
        card = await world.card()
        assert "Deploy to eu, second try?" in read(card)
        await world.open_form("U0BOB", card, "approve")
        assert "You started this run" in read(await world.person("U0BOB").wait_for_modal())
        await world.person("U0BOB").close_modal()
        await world.approve("U0ANA", card)
        assert (await world.ended(run.id)).run.state is RunState.SUCCEEDED


async def test_who_may_not_run_it_is_refused_and_on_record(tmp_path: Path) -> None:
    """As for any other way to start a run; nothing of the DAG is told before that."""
    async with with_folder(tmp_path, deploy=ROLLOUT) as world:
        for user, holds in (("U0VIC", "Viewer"), ("U0NIA", "no role")):
            said = await typed(world, user, "/signoff run deploy wrong=1")
            assert f"Needs Operator in local-dev; you hold {holds}" in said
            assert "There is no DAG that you may run" in await typed(world, user, "/signoff run")
        trail = await world.read(lambda tx: list(export_trail(tx)))
        assert [row["event"] for row in trail].count("run_refused") == 2
        assert await started(world) == []


async def test_what_cannot_be_started_is_told_with_what_to_do(tmp_path: Path) -> None:
    """A wrong value, an unknown name, a function that is not there: nothing is started."""
    broken = "name: broken\ntasks: [{id: a, workflow_ref: 'nowhere:f'}]\n"
    dags = {"deploy": ROLLOUT, "other": broken, "bad": "name: bad\n"}
    async with with_folder(tmp_path, **dags) as world:
        wrong = await typed(world, "U0BOB", "/signoff run deploy to=mars speed=9")
        assert "to must be one of: eu, us" in wrong
        assert "speed is not one of this DAG (it has: to, note)" in wrong
        unknown = await typed(world, "U0BOB", "/signoff run deploi")
        assert "Did you mean /signoff run deploy?" in unknown
        assert "deploy to=… note=… (local-dev)" in unknown
        assert "1 file is broken" in unknown
        assert "it could not run here" in await typed(world, "U0BOB", "/signoff run broken")
        assert "/signoff run deploy" in await typed(world, "U0BOB", "/signoff deploy")
        assert "key=value" in await typed(world, "U0BOB", "/signoff help")
        assert await started(world) == []


async def test_a_name_in_several_tenants_is_asked_about(tmp_path: Path) -> None:
    """Only where the person may run both."""
    acme = GATE.replace("name: deploy", "name: deploy\ntenant_id: acme")
    async with with_folder(tmp_path, deploy=GATE, acme=acme) as world:
        await typed(world, "U0BOB", "/signoff run deploy")
        await world.grant("U0BOB", "acme", Role.OPERATOR)
        assert "tenant:acme" in await typed(world, "U0BOB", "/signoff run deploy")
        await typed(world, "U0BOB", "/signoff run deploy tenant:acme")
        assert [run.tenant for run in await started(world)] == ["acme", "local-dev"]


async def test_without_a_folder_it_is_said_what_to_set(tmp_path: Path) -> None:
    """The person cannot mend it, but can tell who can."""
    async with running(tmp_path) as world:
        assert '[dags] folder = "dags"' in await typed(world, "U0BOB", "/signoff run deploy")


async def test_a_check_that_takes_long_is_answered_later(tmp_path: Path) -> None:
    """Slack gets its ack in time, and the person the run's id once it is there."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "slow.py").write_text("import time\ntime.sleep(2)\ndef f(): pass\n")
    (tmp_path / "dags" / "slow.yml").write_text(
        "name: slow\ntasks: [{id: a, workflow_ref: 'slow:f'}]\n"
    )
    async with running(tmp_path, dag_folders=(tmp_path / "dags",)) as world:
        assert "Looking into slow" in await typed(world, "U0BOB", "/signoff run slow")
        bob = world.person("U0BOB")
        told = await bob.wait_for_message(
            lambda m: m["ephemeral"] and "Started slow" in m["text"], within=15
        )
        (run,) = await started(world)
        assert run.id in read(told)


HOURLY = GATE.replace("tasks:", 'schedule: {cron: "0 * * * *", catch_up: latest}\ntasks:').replace(
    "name: deploy", "name: hourly"
)


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[tuple[Signoff, World]]:
    """Real processes over a folder with one scheduled DAG, last followed hours ago."""
    config = CONFIG.format(user=getpass.getuser())
    (folder / "signoff.toml").write_text(f'[dags]\nfolder = "dags"\n{config}')
    (folder / "dags").mkdir()
    (folder / "dags" / "hourly.yml").write_text(HOURLY)
    async with Sandbox(manifest=MANIFEST) as sandbox:
        signoff = Signoff(folder, sandbox)
        await signoff.run("db", "upgrade")
        store = Store.open(signoff.database_url)
        await store.write(_followed_hours_ago)
        world = World(folder, sandbox, store, settings_for(folder, sandbox))
        try:
            yield signoff, world
        finally:
            for person in world.people.values():
                await person.aclose()
            store.close()


def _followed_hours_ago(tx: Tx) -> None:
    schedules.begin(tx, "local-dev", "hourly", "0 * * * * UTC")
    hours_ago = tx.now - timedelta(hours=3)
    assert schedules.move(tx, "local-dev", "hourly", tx.now, hours_ago)


@pytest.mark.storm
async def test_a_bot_starts_what_a_schedule_asks_for(tmp_path: Path) -> None:
    """The run that was missed is made up for; the card names the schedule; a terminal may decide.

    Nobody is the requester, so nobody is kept from deciding. A bot that starts again
    starts nothing again.
    """
    before = datetime.now(UTC)
    async with installed(tmp_path) as (signoff, world):
        async with signoff.bot():
            card = await world.card()
            assert "asked by schedule of hourly" in read(card)
            (run,) = await started(world)
            assert run.scheduled_for is not None
            assert run.scheduled_for.minute == 0
            assert before - timedelta(hours=1) <= run.scheduled_for <= datetime.now(UTC)
            await world.paused(run.id)
            view = await world.read(partial(run_view, run_id=run.id))
            assert view is not None
            await signoff.run("checkpoints", "approve", view.checkpoints[0].id)
            assert (await world.ended(run.id)).run.state is RunState.SUCCEEDED
        async with signoff.bot():
            await signoff.run("dags", "list")
        ticks = [one.scheduled_for for one in await started(world)]
        assert len(ticks) == len(set(ticks))
        assert "succeeded" in await signoff.run("dags", "list")
