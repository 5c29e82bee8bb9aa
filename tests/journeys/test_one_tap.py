"""Approve with one tap: recorded at once, refused with why, and never less than the policy asks."""

from pathlib import Path
from typing import Any

import pytest

from engine import CheckpointState, Role, RunState, StoreBusy, export_trail
from tests.journeys.forged import click, send
from tests.journeys.seen import button_of, read
from tests.journeys.world import GATE, World, running

pytestmark = pytest.mark.journey

TAP = GATE.replace("    prompt:", "    confirm: dialog\n    prompt:")


async def tap(world: World, user: str, card: dict[str, Any]) -> Any:
    return await world.person(user).click(card["channel"], card["ts"], "approve_at_once")


@pytest.mark.parametrize("http", [False, True], ids=["socket-mode", "http"])
async def test_one_tap_approves(tmp_path: Path, http: bool) -> None:
    """The dialog restates the request; after it the answer is on record, and the run goes on."""
    async with running(tmp_path, http=http) as world:
        run_id = await world.start(TAP)
        card = await world.card()
        assert "Deploy 1.4.2?" in button_of(card, "approve_at_once")["confirm"]["text"]["text"]
        assert (await tap(world, "U0BOB", card)).ok
        view = await world.checkpoint(card)
        assert view.checkpoint.state is CheckpointState.APPROVED
        [voice] = view.voices
        assert (voice.person.name, voice.reason) == ("Bob", "")
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert world.shipped == 1
        assert (await world.card(state="Approved"))["ts"] == card["ts"]
        assert await world.person("U0BOB").modal() is None


async def test_who_may_not_is_told_why_in_a_modal(tmp_path: Path) -> None:
    """The tap of a Viewer records nothing but that they tried."""
    async with running(tmp_path) as world:
        await world.start(TAP)
        card = await world.card()
        await tap(world, "U0VIC", card)
        shown = await world.person("U0VIC").wait_for_modal(lambda view: "Viewer" in read(view))
        assert not shown.get("submit")
        view = await world.checkpoint(card)
        assert (view.checkpoint.state, view.voices) == (CheckpointState.PENDING, ())
        trail = await world.read(lambda tx: list(export_trail(tx)))
        [refused] = [entry for entry in trail if entry["event"] == "decision_refused"]
        assert refused["facts"]["choice"] == "approve"


async def test_a_tap_that_comes_late_is_told_who_decided(tmp_path: Path) -> None:
    """What was decided a moment ago is not decided again."""
    async with running(tmp_path) as world:
        run_id = await world.start(TAP)
        card = await world.card()
        await world.decide_on_cli("os:ola")
        await tap(world, "U0BOB", card)
        await world.person("U0BOB").wait_for_modal(lambda view: "approved" in read(view))
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert len((await world.checkpoint(card)).voices) == 1


async def test_reject_still_asks_why(tmp_path: Path) -> None:
    """Saying no opens the form, whatever Approve does."""
    async with running(tmp_path) as world:
        await world.start(TAP)
        card = await world.card()
        form = await world.open_form("U0BOB", card, "reject")
        assert form["submit"]


async def test_whoever_lost_the_role_meanwhile_is_refused(tmp_path: Path) -> None:
    """The tap is judged as it arrives, by the roles of that moment."""
    async with running(tmp_path) as world:
        await world.start(TAP)
        card = await world.card()
        await world.take_role("U0BOB")
        await tap(world, "U0BOB", card)
        await world.person("U0BOB").wait_for_modal(lambda view: Role.OPERATOR.label in read(view))
        assert (await world.checkpoint(card)).checkpoint.state is CheckpointState.PENDING


def _locked(*_args: object, **_facts: object) -> None:
    raise StoreBusy("the database is locked")


async def test_a_tap_that_cannot_be_recorded_is_said_not_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database in trouble a modal says so, and a second tap counts."""
    async with running(tmp_path) as world:
        run_id = await world.start(TAP)
        card = await world.card()
        with monkeypatch.context() as trouble:
            trouble.setattr("bot.listeners.submissions.decide", _locked)
            await tap(world, "U0BOB", card)
        said = await world.person("U0BOB").wait_for_modal(lambda view: "Not recorded" in str(view))
        assert "Not recorded" in read(said)
        assert (await world.checkpoint(card)).voices == ()
        await world.person("U0BOB").close_modal()
        await tap(world, "U0BOB", card)
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def forge(world: World, value: str) -> None:
    body = click(world, "U0BOB", value, action_id="approve_at_once")
    assert (await send(world, body))[0] == 200


async def test_a_tap_on_another_request_than_was_shown_is_refused(tmp_path: Path) -> None:
    """The button carries the digest; one that does not fit approves nothing, and is on record."""
    async with running(tmp_path, http=True) as world:
        await world.start(TAP)
        card = await world.card()
        named = button_of(card, "details")["value"].split(".")[0]
        await forge(world, f"{named}.{'0' * 64}")
        bob = world.person("U0BOB")
        shown = await bob.wait_for_modal(lambda view: "Not recorded" in str(view))
        assert (await world.checkpoint(card)).voices == ()
        # What is shown is the request as it is, and can be decided now.
        assert "Deploy 1.4.2?" in read(shown)
        await bob.click_modal("approve_in_modal")
        await bob.wait_for_modal(lambda view: bool(view.get("submit")))
        assert (await bob.submit({})).ok
        assert not (await world.checkpoint(card)).checkpoint.is_open


async def test_a_tap_where_the_policy_wants_the_form_opens_it(tmp_path: Path) -> None:
    """No payload makes one tap of a checkpoint that asks for more."""
    async with running(tmp_path, http=True) as world:
        await world.start(GATE)
        card = await world.card()
        await forge(world, button_of(card, "approve")["value"])
        form = await world.person("U0BOB").wait_for_modal(lambda view: bool(view.get("submit")))
        assert form["submit"]["text"] == "Approve deploy"
        assert (await world.checkpoint(card)).voices == ()


async def test_a_button_that_names_nothing_is_told_so(tmp_path: Path) -> None:
    """A tampered value decides nothing."""
    async with running(tmp_path, http=True) as world:
        await world.start(TAP)
        card = await world.card()
        await forge(world, "cp_nonsense")
        await world.person("U0BOB").wait_for_modal(lambda view: "nowhere" in read(view))
        assert (await world.checkpoint(card)).voices == ()


async def test_a_tap_on_another_digest_is_refused_and_shows_the_request(tmp_path: Path) -> None:
    """Nothing is recorded; what is shown is the request as it is, which can be decided then."""
    async with running(tmp_path, http=True) as world:
        await world.start(TAP)
        card = await world.card()
        named = (await world.checkpoint(card)).checkpoint.id
        forged = click(
            world, "U0BOB", f"{named}.{'0' * 64}", action_id="approve_at_once", ts=card["ts"]
        )
        await send(world, forged)
        bob = world.person("U0BOB")
        shown = await bob.wait_for_modal(lambda view: "not the one you were shown" in read(view))
        assert "Deploy 1.4.2?" in read(shown)
        assert (await world.checkpoint(card)).checkpoint.is_open
        await bob.click_modal("approve_in_modal")
        await bob.wait_for_modal(lambda view: bool(view.get("submit")))
        assert (await bob.submit({})).ok
        assert not (await world.checkpoint(card)).checkpoint.is_open
