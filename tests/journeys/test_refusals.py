"""Who is refused, privately, with what to do; and that every attempt is on the record."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import CheckpointState, RunState, StoreBusy, export_trail
from tests.journeys.forged import click, send, submission
from tests.journeys.seen import read
from tests.journeys.world import CHANNEL, GATE, World, running

pytestmark = pytest.mark.journey


async def _trail(world: World) -> list[dict[str, Any]]:
    return await world.read(lambda tx: list(export_trail(tx)))


async def _refusals(world: World) -> list[dict[str, Any]]:
    return [entry for entry in await _trail(world) if entry["event"] == "decision_refused"]


async def _still_pending(world: World, card: dict[str, Any]) -> None:
    view = await world.checkpoint(card)
    assert view.checkpoint.state is CheckpointState.PENDING
    assert view.voices == ()
    assert world.shipped == 0


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("U0VIC", "Viewer"),
        ("U0NIA", "no role"),
        ("U0GUS", "Guests"),
    ],
    ids=["viewer", "unmapped", "guest"],
)
async def test_who_may_not_decide_is_told_so_in_private(
    tmp_path: Path, user: str, said: str
) -> None:
    """Viewers, strangers, guests and the unmapped get the reason in a modal, and are on record."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        before = len(await world.person("U0ANA").messages(CHANNEL))
        shown = await world.open_form(user, card, "approve")
        assert said in read(shown)
        assert not shown.get("submit")
        assert len(await world.person("U0ANA").messages(CHANNEL)) == before
        (refused,) = await _refusals(world)
        assert refused["facts"]["choice"] == "approve"
        assert user in str(refused["personal"])
        await _still_pending(world, card)


async def test_a_role_in_another_tenant_counts_for_nothing(tmp_path: Path) -> None:
    """An Operator of one tenant is refused in another, and told which role is needed there."""
    dag = GATE.replace("name: deploy", "name: deploy\ntenant_id: acme")
    async with running(tmp_path) as world:
        await world.grant("os:dev", "acme")
        await world.start(dag)
        shown = await world.open_form("U0BOB", await world.card(), "approve")
        assert "acme" in read(shown)
        assert "no role" in read(shown)


async def test_a_look_up_that_fails_records_nothing_and_keeps_the_text(tmp_path: Path) -> None:
    """When Slack does not say who clicks, the form stays with its text, to be sent again."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        # The event makes the bot forget what it knew of him, so that it must ask.
        await world.person("U0ANA").change_user("U0BOB", is_restricted=False)
        await asyncio.sleep(0.1)
        world.sandbox.faults.add("http_500", "users.info")
        bob = world.person("U0BOB")
        await bob.submit({"reason": "Typed with care."})
        form = await bob.modal()
        assert form is not None
        assert "Nothing was recorded" in read(form)
        assert "Typed with care." in str(form)
        await _still_pending(world, card)
        (refused,) = await _refusals(world)
        assert refused["facts"]["rules"] == ["look_up"]
        await bob.submit({})
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_a_requester_does_not_approve_their_own_run(tmp_path: Path) -> None:
    """Whoever started the run is refused, unless the DAG allows it."""
    async with running(tmp_path) as world:
        await world.start(by="slack:U0BOB")
        card = await world.card()
        shown = await world.open_form("U0BOB", card, "approve")
        assert "started" in read(shown)
        await _still_pending(world, card)


async def test_the_second_of_two_is_told_who_was_first(tmp_path: Path) -> None:
    """Of two people with open forms one decides; the other is told by whom and when."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        await world.open_form("U0OLA", card, "reject")
        await world.person("U0BOB").submit({"reason": "Go."})
        await world.person("U0OLA").submit({"reason": "Stop."})
        told = await world.person("U0OLA").modal()
        assert told is not None
        assert "approved" in read(told).lower()
        assert "Bob" in read(told)
        await world.ended(run_id)
        assert world.shipped == 1


async def test_two_at_one_instant_make_one_decision(tmp_path: Path) -> None:
    """Approve and Reject sent at the same moment: one counts, the run follows that one only."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        await world.open_form("U0OLA", card, "reject")
        await asyncio.gather(
            world.person("U0BOB").submit({"reason": "Go."}),
            world.person("U0OLA").submit({"reason": "Stop."}),
        )
        ended = await world.ended(run_id)
        view = await world.checkpoint(card)
        assert len(view.voices) == 1
        assert world.shipped == (view.checkpoint.state is CheckpointState.APPROVED)
        assert ended.checkpoints[0].state is view.checkpoint.state


async def test_a_click_after_the_deadline_is_late_even_before_the_sweep(tmp_path: Path) -> None:
    """A form sent after the deadline expires the checkpoint and says so, sweep or no sweep."""
    dag = GATE.replace("    prompt:", "    expires_in: 2s\n    prompt:")
    async with running(tmp_path, tick=timedelta(minutes=1)) as world:
        run_id = await world.start(dag)
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        view = await world.checkpoint(card)
        left = view.checkpoint.expires_at - world.store.clock.now()
        await asyncio.sleep(max(left.total_seconds(), 0) + 0.05)
        await world.person("U0BOB").submit({"reason": "Just in time?"})
        told = await world.person("U0BOB").modal()
        assert told is not None
        assert "xpired" in read(told)
        ended = await world.ended(run_id)
        assert ended.checkpoints[0].state is CheckpointState.EXPIRED
        assert world.shipped == 0


@pytest.mark.parametrize(
    ("reason", "said"),
    [("", "reason"), ("  ", "reason"), ("x" * 3001, "3,000")],
    ids=["empty", "blank", "too-long"],
)
async def test_a_reason_that_does_not_do_is_an_error_on_its_field(
    tmp_path: Path, reason: str, said: str
) -> None:
    """A rejection with no reason, or one too long, stays open with the error under the field."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        form = await world.open_form("U0BOB", card, "reject")
        status, answered = await send(
            world, submission("U0BOB", form["private_metadata"], reason=reason)
        )
        assert status == 200
        answer = json.loads(answered)
        assert answer["response_action"] == "errors"
        ((block_id, sentence),) = answer["errors"].items()
        assert block_id in {block["block_id"] for block in form["blocks"]}
        assert said in sentence.lower()
        await _still_pending(world, card)


async def test_somebody_from_another_workspace_is_refused(tmp_path: Path) -> None:
    """An account of another workspace decides nothing, whatever it is called there."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        form = await world.open_form("U0BOB", card, "approve")
        status, answered = await send(
            world, submission("U0EVE", form["private_metadata"], team="T0OTHER")
        )
        assert status == 200
        assert "workspace" in answered
        (refused,) = await _refusals(world)
        assert "standing" in refused["facts"]["rules"]
        await _still_pending(world, card)


@pytest.mark.parametrize(
    "value",
    ["cp_aaaaaaaaaaaa." + "0" * 64, "nonsense", "cp_aaaaaaaaaaaa.short", "'; DROP TABLE run; --"],
    ids=["unknown-id", "nonsense", "no-digest", "injection"],
)
async def test_a_button_that_names_nothing_real_changes_nothing(tmp_path: Path, value: str) -> None:
    """Unknown ids and tampered values are answered in private and written down."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        status, _ = await send(world, click(world, "U0BOB", value, ts=card["ts"]))
        assert status == 200
        shown = await world.person("U0BOB").wait_for_modal(lambda v: "Loading" not in str(v))
        assert not shown.get("submit")
        events = [entry["event"] for entry in await _trail(world)]
        assert "unknown_requested" in events
        await _still_pending(world, card)


@pytest.mark.parametrize(
    "metadata",
    ["cp_aaaaaaaaaaaa." + "0" * 64 + ".approve", "", "nonsense", "{}", "cp_x.y.approve"],
    ids=["unknown-id", "empty", "nonsense", "json", "broken"],
)
async def test_a_form_that_names_nothing_real_changes_nothing(
    tmp_path: Path, metadata: str
) -> None:
    """A form whose metadata was tampered with records nothing but the attempt."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        status, answered = await send(world, submission("U0BOB", metadata))
        assert status == 200
        assert json.loads(answered)["response_action"] == "update"
        events = [entry["event"] for entry in await _trail(world)]
        assert "unknown_requested" in events
        await _still_pending(world, card)


async def test_a_digest_that_was_not_shown_is_refused(tmp_path: Path) -> None:
    """A button that carries another digest than the request's is refused and recorded."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        view = await world.checkpoint(card)
        await send(world, click(world, "U0BOB", f"{view.checkpoint.id}.{'0' * 64}", ts=card["ts"]))
        bob = world.person("U0BOB")
        shown = await bob.wait_for_modal(lambda v: "Loading" not in str(v))
        assert not shown.get("submit")
        (refused,) = await _refusals(world)
        assert refused["facts"]["rules"] == ["digest"]
        await _still_pending(world, card)
        # What is shown now is the request as it is, and can be decided.
        assert "Deploy 1.4.2?" in read(shown)
        await bob.click_modal("approve_in_modal")
        await bob.wait_for_modal(lambda v: bool(v.get("submit")))
        assert (await bob.submit({"reason": "Now I have seen it."})).ok
        assert not (await world.checkpoint(card)).checkpoint.is_open


async def test_a_form_of_another_digest_is_refused_and_shows_the_request(tmp_path: Path) -> None:
    """Nothing is recorded; the form becomes that of the request as it is, and keeps the reason."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        view = await world.checkpoint(card)
        metadata = f"{view.checkpoint.id}.{'0' * 64}.approve"
        _, answered = await send(world, submission("U0BOB", metadata))
        answer = json.loads(answered)
        assert answer["response_action"] == "update"
        assert "not the one you were shown" in answered
        assert str(view.checkpoint.request_digest) in answer["view"]["private_metadata"]
        assert answer["view"]["submit"]["text"].startswith("Approve")
        typed = next(
            b for b in answer["view"]["blocks"] if b.get("block_id", "").startswith("reason")
        )
        assert typed["element"]["initial_value"] == "forged"
        (refused,) = await _refusals(world)
        assert refused["facts"]["rules"] == ["digest"]
        await _still_pending(world, card)


async def test_a_refusal_that_is_repeated_does_not_fill_the_trail(tmp_path: Path) -> None:
    """Ten equal refusals within a minute are one row that later tells how many there were."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        for _ in range(10):
            await world.open_form("U0VIC", card, "approve")
            await world.person("U0VIC").close_modal()
        assert len(await _refusals(world)) == 1


async def test_a_checkpoint_of_another_tenant_is_not_shown(tmp_path: Path) -> None:
    """`show` answers the same for an id that does not exist and one that is none of yours.

    Both attempts are on record.
    """
    async with running(tmp_path) as world:
        await world.start()
        view = await world.checkpoint(await world.card())
        nia = world.person("U0NIA")
        await nia.slash(f"/checkpoints show {view.checkpoint.id}")
        mine = await nia.wait_for_message(lambda m: m["ephemeral"])
        await nia.slash("/checkpoints show cp_aaaaaaaaaaaa")
        other = await nia.wait_for_message(
            lambda m: m["ephemeral"] and "cp_aaaaaaaaaaaa" in read(m)
        )
        said = read(mine).replace(view.checkpoint.id, "cp_aaaaaaaaaaaa")
        assert said == read(other)
        (refused,) = await _refusals(world)
        assert (refused["facts"]["choice"], refused["facts"]["rules"]) == ("look", ["role"])
        assert "unknown_requested" in [entry["event"] for entry in await _trail(world)]


async def test_details_are_for_those_with_a_role(tmp_path: Path) -> None:
    """Whoever holds no role in the tenant sees nothing of the request, and that is on record."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        shown = await world.open_form("U0NIA", card, "details")
        assert "no role" in read(shown)
        assert (await world.checkpoint(card)).checkpoint.request_digest not in read(shown)
        (refused,) = await _refusals(world)
        assert refused["facts"]["choice"] == "look"


def _locked(*_args: object, **_facts: object) -> None:
    raise StoreBusy("the database is locked")


async def test_a_decision_that_cannot_be_recorded_keeps_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database in trouble the form says that nothing was recorded, and stays."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        bob = world.person("U0BOB")
        with monkeypatch.context() as trouble:
            trouble.setattr("bot.listeners.submissions.decide", _locked)
            sent = await bob.submit({"reason": "Typed with care."})
        assert any("Not recorded" in error for error in sent.errors.values())
        assert "Typed with care." in str(await bob.modal())
        await _still_pending(world, card)
        await bob.submit({})
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_a_form_that_cannot_be_made_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the database in trouble a modal does not go on loading for ever."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        monkeypatch.setattr("bot.listeners.actions.admit", _locked)
        shown = await world.open_form("U0BOB", card, "approve")
        assert "Not recorded" in read(shown)


async def test_a_role_by_email_counts_for_a_member(tmp_path: Path) -> None:
    """A grant to an e-mail holds for the full member whose profile has that address."""
    async with running(tmp_path, emails=True) as world:
        run_id = await world.start()
        card = await world.card()
        assert "no role" in read(await world.open_form("U0NIA", card, "approve"))
        await world.person("U0NIA").close_modal()
        await world.grant("nia@sandbox.example", "local-dev")
        assert (await world.approve("U0NIA", card)).ok
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
