"""Five hundred requests at once into one channel: nothing is lost, and nobody waits for a card.

Slack keeps its rate limits here, fifty times faster than in the world: what takes a bit more
than eight minutes there takes ten seconds.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.values import Channel, Message
from engine import CheckpointState, checkpoint_view
from engine.model import Checkpoint
from engine.store.writer import Tx
from tests.engine.build import TENANT, waiting
from tests.journeys.seen import button_of, buttons, read
from tests.journeys.world import CHANNEL, GATE, World, bot, running

pytestmark = [pytest.mark.journey, pytest.mark.storm]

PACE = 50
BURST = 500
ROLLUP = "wait here"
QUIET = "C0QUIET"


def burst(tx: Tx, count: int) -> list[Checkpoint]:
    """So many runs that pause at once."""
    return [waiting(tx) for _ in range(count)]


async def until(fits: Callable[[], Any], within: float = 80) -> None:
    async with asyncio.timeout(within):
        while not fits():
            await asyncio.sleep(0.05)


def shown(world: World, channel: str = CHANNEL) -> list[Message]:
    """What stands in a channel, threads and private words aside."""
    everything = world.sandbox.workspace.messages[channel]
    return [m for m in everything if not m.thread_ts and not m.only_for]


def cards(world: World, channel: str = CHANNEL) -> list[Message]:
    return [m for m in shown(world, channel) if m.metadata]


def rollups(world: World) -> list[Message]:
    return [m for m in shown(world) if not m.metadata]


def asked_of(card: Message) -> str:
    """The checkpoint that a card is of."""
    return str(button_of(asdict(card), "details")["value"]).split(".")[0]


def refusals(world: World) -> list[str]:
    """The calls that Slack refuses from now on because there were too many."""
    pacer, refused = world.sandbox.slack.pacer, list[str]()
    retry_after = pacer.retry_after

    def noting(method: str, channel: str) -> int:
        wait = retry_after(method, channel)
        if wait:
            refused.append(method)
        return wait

    pacer.retry_after = noting  # type: ignore[method-assign]
    return refused


def quiet_channel(world: World) -> None:
    """A channel in which nothing happens."""
    members = frozenset({"U0ANA", "U0BOB", "U0SIGNOFF", *world.sandbox.workspace.users})
    workspace = world.sandbox.workspace
    workspace.channels[QUIET] = Channel(id=QUIET, name="quiet", members=members)
    workspace.messages[QUIET] = []


@pytest.mark.timeout(240)
async def test_a_burst_loses_nothing_and_blocks_nobody(tmp_path: Path) -> None:
    """Every card comes, once; a roll-up tells of them meanwhile; another channel does not wait."""
    async with running(tmp_path, rate_scale=PACE, slack_pace=PACE) as world:
        quiet_channel(world)
        refused = refusals(world)
        await world.grant("U0BOB", TENANT)
        opened = await world.store.write(partial(burst, count=BURST))
        await until(lambda: rollups(world))
        (told,) = rollups(world)
        behind = len(cards(world))
        assert behind < BURST

        # A card of another channel comes at once.
        await world.start(GATE.replace("    prompt:", f"    channel: {QUIET}\n    prompt:"))
        await until(lambda: cards(world, QUIET))
        assert len(cards(world)) < BURST

        # Whoever wants to decide does not wait for the card either.
        rows = [b for b in buttons(asdict(told)) if b["action_id"] == "review"]
        assert (len(rows), ROLLUP in told.text) == (12, True)
        bob = world.person("U0BOB")
        await bob.click(CHANNEL, told.ts, "review")
        form = await bob.wait_for_modal(lambda view: "Loading" not in str(view))
        first = button_of(form, "approve_in_modal")["value"].split(".")[0]
        await bob.click_modal("approve_in_modal")
        await bob.wait_for_modal(lambda view: bool(view.get("submit")))
        await bob.submit({"reason": "From the roll-up."})
        view = await world.read(partial(checkpoint_view, checkpoint_id=first))
        assert view is not None
        assert view.checkpoint.state is CheckpointState.APPROVED

        # "What waits for me" is for whoever asks alone.
        await bob.click(CHANNEL, told.ts, "show_mine")
        mine = await bob.wait_for_message(lambda m: m["ephemeral"], within=10)
        assert "Waiting for you" in read(mine)

        await until(lambda: len(cards(world)) == BURST)
        posted = Counter(map(asked_of, cards(world)))
        assert posted == Counter(checkpoint.id for checkpoint in opened)
        await until(lambda: "All cards are posted" in rollups(world)[0].text)
        assert len(rollups(world)) == 1
        await until(lambda: _approved(world, first))
        assert len(refused) < BURST / 50  # the bot counts itself: Slack hardly has to say no


def _approved(world: World, checkpoint_id: str) -> bool:
    return any("Approved" in card.text for card in cards(world) if asked_of(card) == checkpoint_id)


@pytest.mark.timeout(240)
async def test_a_roll_up_survives_a_restart(tmp_path: Path) -> None:
    """The next bot goes on where the last one stopped: one message, every card once."""
    count = 150
    async with running(tmp_path, rate_scale=10, slack_pace=10, with_bot=False) as world:
        opened = await world.store.write(partial(burst, count=count))
        async with bot(world):
            await until(lambda: rollups(world))
        behind = len(cards(world))
        assert behind < count
        async with bot(world):
            await until(lambda: len(cards(world)) == count)
            await until(lambda: "All cards are posted" in rollups(world)[0].text)
        assert len(rollups(world)) == 1
        assert {asked_of(card) for card in cards(world)} == {c.id for c in opened}


@pytest.mark.timeout(240)
async def test_a_storm_of_refusals_is_waited_out(tmp_path: Path) -> None:
    """Slack turns a dozen posts away, whatever we counted; every card comes, and once."""
    async with running(tmp_path, slack_pace=PACE) as world:
        world.sandbox.faults.add("ratelimited", "chat.postMessage", times=12, retry_after=1)
        await world.store.write(partial(burst, count=40))
        await until(lambda: not world.sandbox.faults.pending())
        await until(lambda: len(cards(world)) == 40)
        assert len({asked_of(card) for card in cards(world)}) == 40
