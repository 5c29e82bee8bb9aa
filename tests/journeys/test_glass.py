"""Breaking the glass in Slack, from the button to the signed review, and who is kept from it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine import CheckpointState, Role, RunState, export_trail
from engine.tables import ReviewRow, table_of
from tests.journeys.forged import click, send, submission
from tests.journeys.seen import button_of, buttons, read
from tests.journeys.test_elsewhere import watching
from tests.journeys.world import CHANNEL, GATE, TENANT, World, running

pytestmark = pytest.mark.journey

TWO = GATE.replace("prompt:", "quorum: 2\n    reject_quorum: 2\n    prompt:")
FORM = TWO.replace(
    "quorum: 2\n    reject_quorum: 2",
    "approvers: [U0NIA]\n    inputs:\n      size: {type: number, required: true}",
)
WHY = "The site is down and nobody else answers."


async def _trail(world: World, event: str) -> list[dict[str, Any]]:
    found = await world.read(lambda tx: list(export_trail(tx)))
    return [entry for entry in found if entry["event"] == event]


async def _open(world: World, user: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """Details, then the button in it."""
    await world.open_form(user, card, "details")
    who = world.person(user)
    await who.click_modal("break_glass")
    return await who.wait_for_modal(lambda view: "overrule who decides" in str(view))


async def _break(world: World, user: str, card: Mapping[str, Any], choice: str, **more: str) -> Any:
    await _open(world, user, card)
    return await world.person(user).submit({"choice": choice, "reason": WHY, **more})


async def _notice(world: World, words: str) -> dict[str, Any]:
    """The notice in the channel, once it says this."""

    def fits(message: dict[str, Any]) -> bool:
        return "broke the glass" in message["text"] and words in message["text"]

    return await world.person("U0BOB").wait_for_message(fits, within=10, channel=CHANNEL)


async def test_an_admin_breaks_the_glass_and_another_person_reviews_it(tmp_path: Path) -> None:
    """Loud in the channel at once, effective at once, and open until Bob has signed."""
    async with running(tmp_path) as world:
        run_id = await world.start(TWO)
        form = await _open(world, "U0ANA", await world.card())
        for expected in ("Deploy 1.4.2?", "the channel is told", "has to review it afterwards"):
            assert expected in read(form)
        sent = await world.person("U0ANA").submit({"choice": "approve", "reason": WHY})
        assert sent.ok, sent
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        card = await world.card(state="🔨 Approved by break-glass")
        assert "how many people must agree" in read(card)

        notice = await _notice(world, "Its review is open")
        assert (notice["thread_ts"], notice["broadcast"]) == (card["ts"], True)
        for expected in (WHY, "broke the glass and approved", "how many people must agree"):
            assert expected in read(notice)
        review = await world.open_form("U0BOB", notice, "sign_review")
        assert WHY in read(review)
        signed = await world.person("U0BOB").submit({"reason": "Looked at the logs: agreed."})
        assert signed.ok, signed
        redrawn = await _notice(world, "Reviewed by")
        assert redrawn["ts"] == notice["ts"]
        assert "Looked at the logs: agreed." in read(redrawn)
        assert list(buttons(redrawn)) == []
        (row,) = await _trail(world, "review_signed")
        assert row["personal"]["note"] == "Looked at the logs: agreed."


async def test_it_rejects_and_stays_open_for_the_one_who_did_it(tmp_path: Path) -> None:
    """Ana cannot sign her own review, nor can whoever started the run."""
    async with running(tmp_path) as world:
        await world.start(TWO, by="slack:U0BOB")
        card = await world.card()
        assert (await _break(world, "U0ANA", card, "reject")).ok
        notice = await _notice(world, "Its review is open")
        for user, said in (
            ("U0ANA", "You are the one who broke the glass."),
            ("U0BOB", "You are the one who started the run."),
            ("U0VIC", "Viewer"),
            ("U0NIA", "no role"),
        ):
            shown = await world.open_form(user, notice, "sign_review")
            assert said in read(shown)
            assert not shown.get("submit")
        view = await world.checkpoint(card)
        assert view.checkpoint.state is CheckpointState.REJECTED
        assert view.review is not None
        assert view.review.record.is_open
        refusals = await _trail(world, "decision_refused")
        assert {entry["facts"]["choice"] for entry in refusals} == {"sign_review"}


async def test_the_button_is_for_admins_alone(tmp_path: Path) -> None:
    """Operators and Viewers never see it; the card never has it."""
    async with running(tmp_path) as world:
        await world.start(TWO)
        card = await world.card()
        assert "break_glass" not in {b["action_id"] for b in buttons(card)}
        for user, offered in (("U0ANA", True), ("U0BOB", False), ("U0VIC", False)):
            shown = await world.open_form(user, card, "details")
            assert ("break_glass" in {b["action_id"] for b in buttons(shown)}) is offered


async def test_where_nothing_stands_in_the_way_it_is_refused(tmp_path: Path) -> None:
    """The form turns into: decide as usual."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        await _break(world, "U0ANA", card, "approve")
        shown = await world.person("U0ANA").modal()
        assert shown is not None
        assert "Decide as usual" in read(shown)
        assert (await world.checkpoint(card)).checkpoint.is_open


async def test_errors_are_told_under_their_fields(tmp_path: Path) -> None:
    """A reason that says too little, and a form that is not filled in; then it works."""
    async with running(tmp_path) as world:
        run_id = await world.start(FORM)
        await _open(world, "U0ANA", await world.card())
        ana = world.person("U0ANA")
        short = await ana.submit({"choice": "approve", "reason": "because"})
        assert any("at least 10 characters" in said for said in short.errors.values())
        assert any("size" in said for said in short.errors.values())
        assert (await ana.submit({"reason": WHY, "input:size": "3"})).ok
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_a_look_up_that_fails_breaks_nothing_and_keeps_the_text(tmp_path: Path) -> None:
    """When Slack does not say who it is, nothing is recorded but the attempt."""
    async with running(tmp_path) as world:
        await world.start(TWO)
        card = await world.card()
        await _open(world, "U0ANA", card)
        # The event makes the bot forget what it knew of her, so that it must ask.
        await world.person("U0BOB").change_user("U0ANA", is_restricted=False)
        await asyncio.sleep(0.1)
        world.sandbox.faults.add("http_500", "users.info")
        ana = world.person("U0ANA")
        await ana.submit({"choice": "approve", "reason": WHY})
        form = await ana.modal()
        assert form is not None
        assert "Nothing was recorded" in read(form)
        assert WHY in str(form)
        assert (await world.checkpoint(card)).checkpoint.is_open


def _forged(user: str, metadata: str, callback_id: str) -> dict[str, Any]:
    made = submission(user, metadata, reason=WHY)
    made["view"]["callback_id"] = callback_id
    made["view"]["state"]["values"]["c"] = {"choice": {"selected_option": {"value": "approve"}}}
    return made


@pytest.mark.parametrize("user", ["U0BOB", "U0VIC", "U0NIA", "U0EVE"])
async def test_a_forged_submit_is_refused_and_on_record(tmp_path: Path, user: str) -> None:
    """Whoever was never shown the form cannot send it."""
    async with running(tmp_path, http=True) as world:
        await world.start(TWO)
        card = await world.card()
        target = button_of(card, "details")["value"]
        status, answered = await send(world, _forged(user, target, "glass_form"))
        assert status == 200
        assert "update" in answered
        (refused,) = await _trail(world, "decision_refused")
        assert refused["facts"]["choice"] == "break_glass"
        assert "role" in refused["facts"]["rules"]
        assert (await world.checkpoint(card)).checkpoint.is_open
        assert world.shipped == 0


async def test_a_forged_click_and_tampered_forms_change_nothing(tmp_path: Path) -> None:
    """The button of somebody else, another digest, another checkpoint: refused, and on record."""
    async with running(tmp_path, http=True) as world:
        await world.start(TWO)
        card = await world.card()
        target = button_of(card, "details")["value"]
        forged = click(world, "U0BOB", target, action_id="break_glass", ts=card["ts"])
        await send(world, forged)
        shown = await world.person("U0BOB").wait_for_modal(lambda v: "Loading" not in str(v))
        assert not shown.get("submit")
        other = f"{target.split('.')[0]}.{'0' * 64}"
        await send(world, _forged("U0ANA", other, "glass_form"))
        for metadata in ("", "nonsense", f"{target}.approve"):
            _, answered = await send(world, _forged("U0ANA", metadata, "glass_form"))
            assert "leads nowhere" in answered
        _, answered = await send(world, _forged("U0BOB", target, "review_form"))
        assert "There is no checkpoint" in answered
        rules = [entry["facts"]["rules"] for entry in await _trail(world, "decision_refused")]
        assert rules == [["role"], ["digest"]]
        assert len(await _trail(world, "unknown_requested")) >= 1
        assert (await world.checkpoint(card)).checkpoint.is_open


async def test_the_thread_is_reminded_of_a_review_that_waits(tmp_path: Path) -> None:
    """A day after, once, in the thread and not in the channel."""
    async with running(tmp_path) as world:
        await world.start(TWO)
        card = await world.card()
        assert (await _break(world, "U0ANA", card, "approve")).ok
        await _notice(world, "Its review is open")
        view = await world.checkpoint(card)
        assert view.review is not None
        review = table_of(ReviewRow)
        earlier = view.review.record.opened_at - timedelta(hours=24)
        await world.store.write(lambda tx: tx.run(sa.update(review).values(opened_at=earlier)))
        bob = world.person("U0BOB")
        reminder = await bob.wait_for_message(
            lambda m: "The review of this break-glass is open" in m["text"],
            within=10,
            channel=CHANNEL,
        )
        assert (reminder["thread_ts"], reminder["broadcast"]) == (card["ts"], False)
        assert button_of(reminder, "sign_review")


async def test_a_gate_elsewhere_is_answered_over_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow goes on as after any approval, and the card says that the glass was broken."""
    async with watching(tmp_path, monkeypatch) as there:
        world = there.world
        await world.grant("U0OLA", TENANT, Role.ADMIN)
        gate = there.airflow.open(subject="Ship 1.4.2?")
        card = await there.card()
        await world.open_form("U0OLA", card, "approve")
        shown = await world.person("U0OLA").modal()
        assert shown is not None
        assert "You started this run" in read(shown)
        await world.person("U0OLA").close_modal(everything=True)
        sent = await _break(world, "U0OLA", card, "approve")
        assert sent.ok, sent
        settled = await there.card("🔨 Approved by break-glass")
        assert gate.run.has_gone_on
        assert gate.response is not None
        assert gate.response.values["decided_by"].endswith("(break-glass)")
        assert "that whoever started the run may not decide" in read(settled)
        assert await there.says("broke the glass")
