"""Votes are looked at again when somebody answers: what has lapsed does not count, and is said."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from engine import CheckpointState, RunState
from tests.journeys.seen import read
from tests.journeys.world import GATE, World, running

pytestmark = pytest.mark.journey

Change = Callable[[World], Awaitable[None]]

TWO = GATE.replace("    prompt:", "    quorum: 2\n    prompt:")
NAMED = TWO.replace("    prompt:", "    approvers: [S0RELEASE, U0BOB]\n    prompt:")


async def _revoke(world: World) -> None:
    await world.take_role("S0RELEASE")


async def _deactivate(world: World) -> None:
    await world.person("U0ANA").change_user("U0OLA", deleted=True)


async def _leave_group(world: World) -> None:
    await world.person("U0ANA").change_group("S0RELEASE", ["U0ANA"])


async def _stays_grouped_but_left(world: World) -> None:
    await world.grant("U0OLA", "local-dev")
    await _leave_group(world)


@pytest.mark.parametrize(
    ("dag", "change", "said"),
    [
        (TWO, _revoke, "needs Operator in local-dev, holds no role"),
        (TWO, _deactivate, "the account is deactivated"),
        (TWO, _leave_group, "needs Operator in local-dev, holds no role"),
        (NAMED, _stays_grouped_but_left, "not among its approvers any more"),
    ],
    ids=["role-revoked", "deactivated", "left-the-role's-group", "left-the-approver-group"],
)
async def test_a_vote_whose_voter_may_no_longer_decide_lapses(
    tmp_path: Path, dag: str, change: Change, said: str
) -> None:
    """It is not counted; whoever answers next is told whose and why, and so does the card."""
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        card = await world.card()
        await world.approve("U0OLA", card, "One.")
        await world.person("U0OLA").close_modal()
        await change(world)
        bob = world.person("U0BOB")
        await world.open_form("U0BOB", card, "approve")
        await asyncio.sleep(0.1)  # Slack's word about people and groups comes when it comes
        await bob.submit({"reason": "Two."})
        told = await bob.modal()
        assert told is not None
        assert "Approval recorded: 1 of 2" in read(told)
        assert f"Ola's approval no longer counts: {said}" in read(told)
        await bob.close_modal()
        view = await world.checkpoint(card)
        assert view.checkpoint.state is CheckpointState.PENDING
        shown = await bob.wait_for_message(lambda m: "not counted any more" in read(m))
        assert "not counted any more: Ola" in read(shown)
        await world.approve("U0ANA", card, "Three.")
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        settled = await world.card(state="Approved")
        assert "Bob and Ana" in read(settled)


async def test_the_card_names_who_is_still_asked_without_mentioning_them(tmp_path: Path) -> None:
    """Of an approver list those who have not decided, in plain text."""
    async with running(tmp_path) as world:
        await world.start(NAMED)
        card = await world.card()
        assert "2 missing, any of: S0RELEASE, U0BOB" in read(card)  # nobody knows Bob's name yet
        await world.approve("U0BOB", card, "One.")
        shown = await world.person("U0VIC").wait_for_message(lambda m: "1 missing" in read(m))
        assert "1 of 2: Bob ✅" in read(shown)
        assert "1 missing, any of: S0RELEASE" in read(shown)
        assert "<@" not in str(shown["blocks"])


async def test_a_decision_can_be_changed_while_it_is_open(tmp_path: Path) -> None:
    """The latest answer of each person counts, on Slack as at a terminal."""
    dag = TWO.replace("    quorum: 2\n", "    quorum: 2\n    reject_quorum: 2\n")
    async with running(tmp_path) as world:
        await world.start(dag)
        card = await world.card()
        bob = world.person("U0BOB")
        await world.approve("U0BOB", card, "Yes.")
        await bob.close_modal()
        await world.reject("U0BOB", card, "No, wait.")
        await bob.close_modal()
        shown = await bob.wait_for_message(lambda m: "to reject" in read(m))
        assert "0 of 2" in read(shown)
        assert "1 of 2 to reject: Bob ❌" in read(shown)
        view = await world.checkpoint(card)
        assert [voice.choice for voice in view.voices] == ["reject"]
