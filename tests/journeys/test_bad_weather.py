"""Slack in trouble: what can be retried is, what cannot is visible, and nothing is lost."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.slack import connected
from engine import (
    CheckpointState,
    DeliveryKind,
    DeliveryState,
    RunState,
    deliveries_of,
    listed_checkpoints,
)
from tests.journeys.seen import buttons, read
from tests.journeys.world import CHANNEL, GATE, World, bot, running

pytestmark = pytest.mark.journey


async def _cards(world: World) -> list[dict[str, Any]]:
    messages = await world.person("U0ANA").messages(CHANNEL)
    return [m for m in messages if not m["thread_ts"] and list(buttons(m))]


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        ("ratelimited", 3),
        ("http_500", 1),
        ("html_503", 1),
        ("drop_before", 1),
    ],
)
async def test_a_post_that_fails_is_posted_later(tmp_path: Path, kind: str, times: int) -> None:
    """Rate limits, errors and dropped connections delay a card and lose none; there is one copy."""
    async with running(tmp_path) as world:
        world.sandbox.faults.add(kind, "chat.postMessage", times=times, retry_after=0)
        run_id = await world.start()
        await world.approve("U0BOB", await world.card())
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        await world.card(state="Approved")
        assert len(await _cards(world)) == 1


async def test_a_lost_reply_is_healed(tmp_path: Path) -> None:
    """A post that Slack took although its reply was lost is recognised and drawn true."""
    async with running(tmp_path) as world:
        world.sandbox.faults.add("drop_after", "chat.postMessage")
        run_id = await world.start()
        await world.approve("U0BOB", await world.card())
        await world.ended(run_id)
        await world.card(state="Approved")
        await asyncio.sleep(1.5)  # the retry of the post, had it not been recognised
        cards = await _cards(world)
        assert ["Approved" in card["text"] for card in cards] == [True] * len(cards)


async def test_a_doubled_card_is_harmless_and_drawn_true(tmp_path: Path) -> None:
    """A copy nobody knew of tells where it is by its first click; both copies end true."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        first = await world.card()
        (copy,) = await _cards(world)
        # The same post again, by the bot's own token and without the event that would tell.
        posted = await _post_copy(world, copy)
        await world.approve("U0BOB", posted)
        await world.ended(run_id)
        await world.card(state="Approved")
        for _ in range(100):
            cards = await _cards(world)
            if all("Approved" in card["text"] for card in cards):
                break
            await asyncio.sleep(0.05)
        assert len(cards) == 2
        assert {card["ts"] for card in cards} == {first["ts"], posted["ts"]}
        assert all("Approved" in card["text"] for card in cards)
        view = await world.checkpoint(cards[0])
        assert len(view.voices) == 1


async def _post_copy(world: World, card: dict[str, Any]) -> dict[str, Any]:
    async with connected(world.sandbox.api_url, "xoxb-sandbox") as slack:
        posted = await slack.post(CHANNEL, card["text"], card["blocks"])
    return {**card, "ts": posted.ts}


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("C0GENERAL", "not_in_channel"),
        ("#no-such-channel", "channel_not_found"),
        ("C0ARCH", "is_archived"),
        ("C0SHARED", "shared with another workspace"),
    ],
)
async def test_a_card_that_cannot_be_posted_is_visible_and_decidable(
    tmp_path: Path, channel: str, said: str
) -> None:
    """A channel that refuses the card is named in the record; the CLI can still decide."""
    dag = GATE.replace("    prompt:", f'    channel: "{channel}"\n    prompt:')
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        await world.paused(run_id)
        (checkpoint,) = await world.read(partial(listed_checkpoints, limit=10))
        assert said in await world.until_held(checkpoint.id)
        card, *_ = await world.read(partial(deliveries_of, checkpoint_id=checkpoint.id))
        assert card.kind is DeliveryKind.POSTING
        assert card.state is DeliveryState.PENDING
        await world.decide_on_cli("os:ola")
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_slack_down_at_the_start_stops_neither_runs_nor_deadlines(tmp_path: Path) -> None:
    """With Slack unreachable the bot stays up, expires what is due, and catches up afterwards."""
    dag = GATE.replace("    prompt:", "    expires_in: 1s\n    prompt:")
    async with running(tmp_path, with_bot=False) as world:
        world.sandbox.faults.add("http_500", "*", times=1)
        async with bot(world):
            run_id = await world.start(dag)
            ended = await world.ended(run_id)
            assert ended.checkpoints[0].state is CheckpointState.EXPIRED
            await world.card(state="Expired")


async def test_a_reply_waits_for_its_card_in_peace(tmp_path: Path) -> None:
    """While a card cannot be posted, what belongs into its thread backs off as the card does."""
    dag = GATE.replace("    prompt:", "    expires_in: 1s\n    prompt:")
    async with running(tmp_path) as world:
        world.sandbox.faults.add("http_500", "chat.postMessage", times=20)
        ended = await world.ended(await world.start(dag))
        await asyncio.sleep(1.5)
        told = await world.read(partial(deliveries_of, checkpoint_id=ended.checkpoints[0].id))
        kinds = {DeliveryKind.POSTING, DeliveryKind.EXPIRED, DeliveryKind.RUN_ENDED}
        assert {delivery.kind for delivery in told} == kinds
        assert all(delivery.attempts <= 3 for delivery in told), told


async def test_an_update_that_fails_is_made_up_for(tmp_path: Path) -> None:
    """A card whose redraw failed shows the truth as soon as Slack lets it."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        world.sandbox.faults.add("http_500", "chat.update", times=2)
        await world.approve("U0BOB", card)
        settled = await world.card(state="Approved")
        assert settled["ts"] == card["ts"]
        assert "Looks good." in read(settled)


async def test_a_redelivered_click_counts_once(tmp_path: Path) -> None:
    """Slack sending the same payload twice makes one decision."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        world.sandbox.faults.add("twice", "delivery")
        await world.person("U0BOB").submit({"reason": "Once."})
        await world.ended(run_id)
        assert world.shipped == 1
        view = await world.checkpoint(await world.card(state="Approved"))
        assert len(view.voices) == 1


async def test_a_socket_that_breaks_loses_no_click(tmp_path: Path) -> None:
    """With two connections, a click passes while one of them is being replaced."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        await world.disturb("refresh_requested")
        await world.person("U0BOB").submit({"reason": "Through the other one."})
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_a_card_deleted_by_hand_is_posted_again_while_it_waits(tmp_path: Path) -> None:
    """A deleted card that waits comes back; one that has ended stays deleted."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        ana = world.person("U0ANA")
        await ana.delete_message(CHANNEL, card["ts"])
        new = await world.card()
        assert new["ts"] != card["ts"]
        await world.approve("U0BOB", new)
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        settled = await world.card(state="Approved")
        await ana.delete_message(CHANNEL, settled["ts"])
        await asyncio.sleep(0.5)
        assert await _cards(world) == []


@pytest.mark.parametrize("channel", ["C0GENERAL", "C0ARCH"])
async def test_a_held_card_is_posted_as_soon_as_there_is_room(tmp_path: Path, channel: str) -> None:
    """An invitation, or a channel that comes back, releases the card without a wait."""
    dag = GATE.replace("    prompt:", f"    channel: {channel}\n    prompt:")
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        paused = await world.paused(run_id)
        await world.until_held(paused.checkpoints[0].id)
        ana = world.person("U0ANA")
        if channel == "C0GENERAL":
            await ana.invite_bot(channel)
        else:
            await ana.archive(channel, archived=False)
        await world.card(channel=channel)
