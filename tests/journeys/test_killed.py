"""`kill -9` at the worst moments: what was acknowledged is recorded, and takes effect once."""

import asyncio
import getpass
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.sandbox.manifest import Manifest
from bot.sandbox.server import Sandbox
from engine import CheckpointState, RunId, RunState, Store, active_grants
from tests.journeys.processes import CONFIG, Signoff, kill
from tests.journeys.seen import read
from tests.journeys.world import GATE, MANIFEST, World, settings_for

pytestmark = [pytest.mark.journey, pytest.mark.storm, pytest.mark.timeout(120)]


@asynccontextmanager
async def installed(
    folder: Path, manifest: Path | Manifest = MANIFEST
) -> AsyncIterator[tuple[Signoff, World]]:
    """An installation with nothing running yet, and a view on it."""
    (folder / "signoff.toml").write_text(CONFIG.format(user=getpass.getuser()))
    (folder / "deploy.yml").write_text(GATE)
    async with Sandbox(manifest=manifest) as sandbox:
        signoff = Signoff(folder, sandbox)
        await signoff.run("db", "upgrade")
        store = Store.open(signoff.database_url)
        world = World(folder, sandbox, store, settings_for(folder, sandbox))
        try:
            yield signoff, world
        finally:
            for person in world.people.values():
                await person.aclose()
            store.close()


async def started(signoff: Signoff) -> RunId:
    said = await signoff.run("run", "deploy.yml", "--detach", "--json")
    start = said.index("run_")
    return RunId(said[start : start + 16])


async def test_a_bot_killed_right_after_the_ack_has_the_decision(tmp_path: Path) -> None:
    """Killed before the card was redrawn or the run went on: after a restart both happen, once."""
    async with installed(tmp_path) as (signoff, world):
        async with signoff.bot() as first:
            run_id = await started(signoff)
            card = await world.card()
            await world.paused(run_id)
            await world.open_form("U0BOB", card, "approve")
            world.sandbox.faults.add("hang", "chat.update", times=20, ms=60_000)
            sent = await world.person("U0BOB").submit({"reason": "Acked."})
            await kill(first)
        assert sent.ok
        assert "Approval needed" in (await world.card())["text"]
        world.sandbox.faults.clear()
        async with signoff.bot():
            settled = await world.card(state="Approved")
            assert "Acked." in read(settled)
            ended = await world.ended(run_id)
            assert ended.run.state is RunState.SUCCEEDED
            await world.person("U0BOB").wait_for_message(lambda m: "succeeded" in m["text"], 10)
        assert world.shipped == 1
        assert ended.checkpoints[0].state is CheckpointState.APPROVED


async def test_a_decision_made_while_no_worker_lives_resumes_the_run_later(tmp_path: Path) -> None:
    """A run paused by one worker is resumed by another, whoever started it."""
    async with installed(tmp_path) as (signoff, world):
        async with signoff.bot() as first:
            run_id = await started(signoff)
            card = await world.card()
            await world.paused(run_id)
            await kill(first)
        async with signoff.bot("--no-worker"):
            await world.approve("U0BOB", card)
            await world.card(state="Approved")
            assert world.shipped == 0
        async with signoff.bot():
            assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert world.shipped == 1


async def test_a_deadline_that_passed_while_nothing_ran_is_kept(tmp_path: Path) -> None:
    """A checkpoint that came due during an outage expires at its deadline, soon after the start."""
    async with installed(tmp_path) as (signoff, world):
        late = GATE.replace("    prompt:", "    expires_in: 2s\n    prompt:")
        (tmp_path / "deploy.yml").write_text(late)
        async with signoff.bot() as first:
            run_id = await started(signoff)
            await world.card()
            await world.paused(run_id)
            await kill(first)
        await asyncio.sleep(2.2)
        async with signoff.bot():
            ended = await world.ended(run_id)
            await world.card(state="Expired")
        checkpoint = ended.checkpoints[0]
        assert checkpoint.state is CheckpointState.EXPIRED
        assert checkpoint.ended_at == checkpoint.expires_at


async def test_a_second_bot_on_one_file_is_refused(tmp_path: Path) -> None:
    """SQLite takes one bot: the second says so, points to PostgreSQL, and ends with an error."""
    async with installed(tmp_path) as (signoff, _), signoff.bot("--no-worker"):
        said = await signoff.run("serve", "--no-worker", expect=None)
        assert "PostgreSQL" in said
        assert "Traceback" not in said


async def test_sigterm_ends_bot_and_worker_in_order(tmp_path: Path) -> None:
    """A stop drains and leaves nothing running; the next start finds the locks free."""
    async with installed(tmp_path) as (signoff, world):
        for _ in range(2):
            async with signoff.bot() as bot:
                run_id = await started(signoff)
                await world.paused(run_id)
                bot.terminate()
                assert await asyncio.wait_for(bot.wait(), 10) == 0


async def test_roles_are_read_again_on_sighup(tmp_path: Path) -> None:
    """SIGHUP brings in an edited `signoff.toml`; a broken one changes nothing and is logged."""
    async with installed(tmp_path) as (signoff, world), signoff.bot("--no-worker") as bot:
        toml = tmp_path / "signoff.toml"
        assert "U0VIC" in await signoff.run("roles", "list")
        toml.write_text(toml.read_text().replace('viewer = ["U0VIC"]', 'viewer = ["U0NIA"]'))
        bot.send_signal(signal.SIGHUP)
        await _listed(world, "U0NIA")
        toml.write_text("[tenants.local-dev.roles]\nadmin = 3\n")
        bot.send_signal(signal.SIGHUP)
        log = tmp_path / "bot-1.log"
        async with asyncio.timeout(10):
            while "the roles stay as they were" not in log.read_text():
                await asyncio.sleep(0.05)
        await _listed(world, "U0NIA")


async def _listed(world: World, principal: str) -> None:
    async with asyncio.timeout(10):
        while True:
            grants = await world.read(active_grants)
            if principal in {grant.principal for grant in grants}:
                return
            await asyncio.sleep(0.05)


async def test_tokens_that_slack_refuses_end_the_bot_with_a_sentence(tmp_path: Path) -> None:
    """A wrong or missing token is a clear error and an exit code, not a traceback."""
    async with installed(tmp_path) as (signoff, _):
        signoff.extra["SLACK_BOT_TOKEN"] = "xoxb-wrong"
        said = await signoff.run("serve", "--no-worker", expect=2)
        assert "SLACK_BOT_TOKEN" in said
        assert "invalid_auth" in said
        assert "Traceback" not in said


async def test_a_card_that_cannot_be_posted_shows_wherever_one_looks(tmp_path: Path) -> None:
    """`doctor`, `checkpoints show` and the log name the channel's refusal; the CLI decides."""
    async with installed(tmp_path) as (signoff, world):
        signoff.extra["SIGNOFF_CHANNEL"] = "C0GENERAL"
        allowed = GATE.replace("    prompt:", "    self_approval: true\n    prompt:")
        (tmp_path / "deploy.yml").write_text(allowed)
        async with signoff.bot():
            run_id = await started(signoff)
            paused = await world.paused(run_id)
            checkpoint_id = paused.checkpoints[0].id
            log = tmp_path / "bot-1.log"
            async with asyncio.timeout(10):
                while "not_in_channel" not in log.read_text():
                    await asyncio.sleep(0.05)
            assert "not_in_channel" in await signoff.run("checkpoints", "show", checkpoint_id)
            assert "not_in_channel" in await signoff.run("doctor", expect=None)
            await signoff.run("checkpoints", "approve", checkpoint_id)
            assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
