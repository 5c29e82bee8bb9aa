"""What people are told directly: by a real bot, in a local Slack, and after `kill -9`."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import DeliveryKind, DeliveryState, RunId, deliveries_of, run_view
from tests.journeys.processes import kill
from tests.journeys.seen import read
from tests.journeys.test_killed import installed
from tests.journeys.world import GATE, World, running

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]

_DIRECT = {DeliveryKind.CALL, DeliveryKind.NOTE, DeliveryKind.OUTCOME}
NAMED = GATE.replace("    prompt:", "    approvers: [U0OLA]\n    prompt:")


async def told(world: World, user: str, run_id: RunId) -> list[str]:
    """What somebody was written, once nothing of it is under way any more."""
    view = await world.read(partial(run_view, run_id=run_id))
    assert view is not None
    async with asyncio.timeout(20):
        while True:
            asked = [
                delivery
                for one in view.checkpoints
                for delivery in await world.read(partial(deliveries_of, checkpoint_id=one.id))
            ]
            pending = [d for d in asked if d.state is DeliveryState.PENDING]
            if not any(d.kind in _DIRECT for d in pending):
                break
            await asyncio.sleep(0.02)
    messages = await world.person(user).messages(f"D{user[1:]}")
    return [read(message) for message in messages]


async def choose(world: World, user: str, values: dict[str, Any]) -> str:
    """Fill in the form for notifications, from the command on; what it says then."""
    who = world.person(user)
    await who.slash("/signoff notifications")
    asked = await who.wait_for_message(lambda m: "Your notifications" in m["text"])
    await who.click(asked["channel"], asked["ts"], "notifications")
    await who.wait_for_modal(lambda view: view["callback_id"] == "notifications_form")
    sent = await who.submit(values)
    assert sent.ok, sent
    saved = await who.wait_for_modal(lambda view: "Saved." in read(view))
    await who.close_modal()
    return read(saved)


async def test_the_requester_gets_exactly_one_message(tmp_path: Path) -> None:
    """With the end of the run: what was decided, what became of it, and the way to the card."""
    async with running(tmp_path) as world:
        run_id = await world.start(by="slack:U0BOB")
        card = await world.card()
        await world.approve("U0ANA", card)
        await world.ended(run_id)
        (said,) = await told(world, "U0BOB", run_id)
        assert "Approved: deploy · approve" in said
        assert "succeeded" in said
        (message,) = await world.person("U0BOB").messages("D0BOB")
        assert f"/archives/{card['channel']}/p{card['ts'].replace('.', '')}" in message["text"]
        assert await told(world, "U0ANA", run_id) == []


async def test_a_no_is_told_at_once_and_once(tmp_path: Path) -> None:
    """The run fails with it; there is one message all the same."""
    async with running(tmp_path) as world:
        run_id = await world.start(by="slack:U0BOB")
        await world.reject("U0ANA", await world.card())
        await world.ended(run_id)
        (said,) = await told(world, "U0BOB", run_id)
        assert "Rejected: deploy · approve" in said


async def test_who_opts_in_is_asked_and_who_snoozes_is_not(tmp_path: Path) -> None:
    """Chosen in the form, which says what holds from then on."""
    async with running(tmp_path) as world:
        both = {"wanted": ["outcome", "asked"]}
        said = await choose(world, "U0BOB", both)
        assert "You get a message when something waits that you could decide." in said
        said = await choose(world, "U0OLA", {**both, "snooze": "hour"})
        assert "Snoozed until" in said
        run_id = await world.start()
        await world.card()
        (asked,) = await told(world, "U0BOB", run_id)
        assert "You can decide: deploy · approve" in asked
        assert await told(world, "U0OLA", run_id) == []


async def test_the_only_one_named_is_told(tmp_path: Path) -> None:
    """Nobody else, whoever holds the role."""
    async with running(tmp_path) as world:
        run_id = await world.start(NAMED)
        await world.card()
        (asked,) = await told(world, "U0OLA", run_id)
        assert "You alone are named to decide: deploy · approve" in asked
        for user in ("U0ANA", "U0BOB"):
            assert await told(world, user, run_id) == []


async def test_whoever_turned_outcomes_off_hears_nothing(tmp_path: Path) -> None:
    """Kept for the person, and read when it would be told."""
    async with running(tmp_path) as world:
        said = await choose(world, "U0BOB", {"wanted": []})
        assert "You get no message when what you asked for has ended." in said
        run_id = await world.start(by="slack:U0BOB")
        await world.reject("U0ANA", await world.card())
        await world.ended(run_id)
        assert await told(world, "U0BOB", run_id) == []


@pytest.mark.storm
async def test_a_bot_killed_before_the_message_sends_it_once_after_its_start(
    tmp_path: Path,
) -> None:
    """The end is committed, Slack took nothing: there is one message, from the next bot."""
    async with installed(tmp_path) as (signoff, world):
        async with signoff.bot() as first:
            run_id = await world.start(by="slack:U0BOB")
            card = await world.card()
            hang = world.sandbox.faults.add("hang", "conversations.open", times=20, ms=60_000)
            await world.approve("U0ANA", card)
            await world.ended(run_id, within=30)
            async with asyncio.timeout(30):
                while hang.times == 20:
                    await asyncio.sleep(0.02)
            await kill(first)
        assert await world.person("U0BOB").messages("D0BOB") == []
        world.sandbox.faults.clear()
        async with signoff.bot():
            said = lambda m: "Approved: deploy" in m["text"]  # noqa: E731
            await world.person("U0BOB").wait_for_message(said, 60, channel="D0BOB")
            assert len(await told(world, "U0BOB", run_id)) == 1


async def test_the_home_tab_leads_to_the_form_and_shows_what_was_chosen(tmp_path: Path) -> None:
    """Opened from there, saved, and the tab behind it follows by itself."""
    async with running(tmp_path) as world:
        ana = world.person("U0ANA")
        await ana.open_home()
        await ana.wait_for_home(lambda view: "You get no message when something" in read(view))
        await ana.click_home("notifications")
        await ana.wait_for_modal(lambda view: view["callback_id"] == "notifications_form")
        assert (await ana.submit({"wanted": ["outcome", "asked"]})).ok
        await ana.wait_for_home(lambda view: "You get a message when something" in read(view))
