"""Every copy of a card is true, whatever happened to Slack, the channel or the bot meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox import manifest
from engine import CheckpointState, RunState
from tests.journeys.processes import Signoff, kill
from tests.journeys.seen import button_of, buttons, read
from tests.journeys.test_killed import installed, started
from tests.journeys.world import CHANNEL, GATE, MANIFEST, World

pytestmark = [pytest.mark.journey, pytest.mark.storm, pytest.mark.timeout(120)]

ELSEWHERE = "C0GENERAL"
ANYBODY = GATE.replace("    prompt:", "    self_approval: true\n    prompt:")


async def cards(world: World, channel: str = CHANNEL) -> list[dict[str, Any]]:
    """Every copy of a card in a channel, the oldest first."""
    messages = await world.person("U0ANA").messages(channel)
    return [m for m in messages if not m["thread_ts"] and list(buttons(m))]


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; fails when it does not within ten seconds."""
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.05)


async def approve_at_a_terminal(signoff: Signoff, card: dict[str, Any]) -> None:
    """Decide where Slack's weather does not matter."""
    checkpoint_id = button_of(card, "details")["value"].split(".")[0]
    await signoff.run("checkpoints", "approve", checkpoint_id)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "untold"])
async def test_a_post_whose_reply_is_lost_ends_true_in_every_copy(
    tmp_path: Path, *, is_told: bool
) -> None:
    """Without the event that tells of it there are two; a click on the unknown one tells, too."""
    app = manifest.load(MANIFEST)
    if not is_told:
        app = replace(app, events=app.events - {"message_metadata_posted"})
    async with installed(tmp_path, app) as (signoff, world), signoff.bot():
        world.sandbox.faults.add("drop_after", "chat.postMessage")
        run_id = await started(signoff)
        await world.card()
        if not is_told:

            async def doubled() -> bool:
                return len(await cards(world)) == 2

            await eventually(doubled)
        first, *_ = await cards(world)
        await world.approve("U0BOB", first)
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED

        async def all_true() -> bool:
            return all("Approved" in card["text"] for card in await cards(world))

        await eventually(all_true)
        assert len(await cards(world)) == (1 if is_told else 2)
        assert len((await world.checkpoint(first)).voices) == 1
        assert world.shipped == 1


async def test_updates_that_fail_for_a_while_make_a_card_late_not_wrong(tmp_path: Path) -> None:
    """As soon as Slack takes updates again, the card shows who decided; the run did not wait."""
    async with installed(tmp_path) as (signoff, world), signoff.bot():
        run_id = await started(signoff)
        card = await world.card()
        world.sandbox.faults.add("http_500", "chat.update", times=1_000)
        await world.approve("U0BOB", card)
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        (late,) = await cards(world)
        assert "Approval needed" in late["text"]
        world.sandbox.faults.clear()
        settled = await world.card(state="Approved")
        assert settled["ts"] == card["ts"]
        assert "Looks good." in read(settled)


async def test_a_card_deleted_while_the_bot_was_down_is_posted_again_once(tmp_path: Path) -> None:
    """Nobody told of it: the bot looks when it starts. Its thread goes on under the new card."""
    async with installed(tmp_path) as (signoff, world):
        async with signoff.bot() as first:
            run_id = await started(signoff)
            card = await world.card()
            await world.paused(run_id)
            await kill(first)
        ana = world.person("U0ANA")
        await ana.delete_message(CHANNEL, card["ts"])
        async with signoff.bot():
            new = await world.card()
            await world.approve("U0BOB", new)
            assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
            result = await ana.wait_for_message(lambda m: "succeeded" in m["text"], 10)
            assert result["thread_ts"] == new["ts"]
            settled = await world.card(state="Approved")
            assert [one["ts"] for one in await cards(world)] == [settled["ts"]]
        log = (tmp_path / "bot-2.log").read_text()
        assert "ERROR" not in log
        assert "Traceback" not in log


async def test_a_card_deleted_unseen_is_noticed_by_what_is_drawn(tmp_path: Path) -> None:
    """The bot is up and hears nothing: the next vote finds the card gone, and posts it anew."""
    app = manifest.load(MANIFEST)
    app = replace(app, events=app.events - {"message_metadata_deleted"})
    two = GATE.replace("    prompt:", "    quorum: 2\n    prompt:")
    async with installed(tmp_path, app) as (signoff, world), signoff.bot():
        (tmp_path / "deploy.yml").write_text(two)
        await started(signoff)
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        await world.person("U0ANA").delete_message(CHANNEL, card["ts"])
        await world.person("U0BOB").submit({"reason": "One."})
        new = await world.card()
        assert new["ts"] != card["ts"]
        assert "1 of 2" in read(new)
        assert len(await cards(world)) == 1


async def test_sockets_that_are_refreshed_and_cut_in_mid_flow_lose_nothing(tmp_path: Path) -> None:
    """Between the form and its answer one connection is renewed and another breaks."""
    async with installed(tmp_path) as (signoff, world), signoff.bot():
        run_id = await started(signoff)
        card = await world.card()
        await world.disturb("refresh_requested")
        await world.open_form("U0BOB", card, "approve")
        await world.disturb("abort")
        sent = await world.person("U0BOB").submit({"reason": "Through what is left."})
        assert sent.ok
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert "Through what is left." in read(await world.card(state="Approved"))
        assert world.shipped == 1


async def test_a_rate_limit_keeps_order_and_truth(tmp_path: Path) -> None:
    """Turned away again and again, the card still comes first, then its thread in order, once."""
    late = GATE.replace("    prompt:", "    expires_in: 1s\n    prompt:")
    async with installed(tmp_path) as (signoff, world), signoff.bot():
        (tmp_path / "deploy.yml").write_text(late)
        for method in ("chat.postMessage", "chat.update"):  # a minute, made short
            world.sandbox.faults.add("ratelimited", method, times=3, retry_after=1)
        run_id = await started(signoff)
        ended = await world.ended(run_id)
        assert ended.checkpoints[0].state is CheckpointState.EXPIRED
        ana = world.person("U0ANA")
        failed = await ana.wait_for_message(lambda m: "failed" in m["text"].lower(), 20)
        (card,) = await cards(world)
        assert "Expired" in card["text"]
        said = (await ana.state(channel=CHANNEL))["messages"][CHANNEL]
        assert [m["ts"] for m in said] == sorted(m["ts"] for m in said)
        assert said[0]["ts"] == card["ts"]
        assert said[-1]["ts"] == failed["ts"]
        assert all(m["thread_ts"] == card["ts"] for m in said[1:])
        assert len(said) == 3


@pytest.mark.parametrize("what", ["archived", "removed"])
async def test_a_card_out_of_reach_is_named_and_true_once_it_is_back(
    tmp_path: Path, what: str
) -> None:
    """`doctor` says where it is; the terminal decides; the card shows it when the room opens."""
    async with installed(tmp_path) as (signoff, world), signoff.bot():
        (tmp_path / "deploy.yml").write_text(ANYBODY)
        run_id = await started(signoff)
        card = await world.card()
        ana = world.person("U0ANA")
        await (ana.archive(CHANNEL) if what == "archived" else ana.remove_bot(CHANNEL))

        async def is_held() -> bool:
            view = await world.checkpoint(card)
            return [posting.state for posting in view.postings] == ["held"]

        await eventually(is_held)
        said = await signoff.run("doctor", "--json", expect=None)
        assert "cannot be used" in said
        await approve_at_a_terminal(signoff, card)
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert "Approval needed" in (await cards(world))[0]["text"]
        if what == "archived":
            await ana.archive(CHANNEL, archived=False)
        else:
            await ana.invite_bot(CHANNEL)
        settled = await world.card(state="Approved")
        assert settled["ts"] == card["ts"]
        assert "cannot be used" not in await signoff.run("doctor", "--json", expect=None)


async def test_a_card_in_an_archived_channel_follows_the_configuration(tmp_path: Path) -> None:
    """Named another channel, the bot asks there, too; both copies end true once both are open."""
    async with installed(tmp_path) as (signoff, world):
        async with signoff.bot():
            run_id = await started(signoff)
            card = await world.card()
        ana = world.person("U0ANA")
        await ana.archive(CHANNEL)
        await ana.invite_bot(ELSEWHERE)
        signoff.extra["SIGNOFF_CHANNEL"] = "#general"
        async with signoff.bot():
            new = await world.card(channel=ELSEWHERE)
            await world.approve("U0BOB", new)
            assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
            await world.card(channel=ELSEWHERE, state="Approved")
            await ana.archive(CHANNEL, archived=False)
            assert (await world.card(state="Approved"))["ts"] == card["ts"]
            assert len(await cards(world, ELSEWHERE)) == 1
