"""Forms, quorums, hostile text and decisions made elsewhere, as people in Slack see them."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.limits import check_message
from engine import CheckpointState, RunState
from tests.journeys.seen import buttons, read
from tests.journeys.world import CHANNEL, GATE, running

pytestmark = pytest.mark.journey

FORM = """\
name: scale
tasks:
  - id: approve
    type: checkpoint
    prompt: How far may we scale?
    inputs:
      replicas: {type: number, required: true, min: 1, max: 50, description: How many}
      region: {type: choice, options: [eu, us], required: true}
      drain: {type: boolean, default: false}
      on_day: {type: date}
      note: {type: text}
  - id: scale
    depends_on: [approve]
    run: cp "$SIGNOFF_INPUT" input.json
"""


async def test_what_is_filled_in_reaches_the_tasks_behind_the_gate(tmp_path: Path) -> None:
    """Typed inputs of the form arrive downstream as JSON, with who decided and why."""
    async with running(tmp_path) as world:
        run_id = await world.start(FORM)
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        sent = await world.person("U0BOB").submit(
            {
                "input:replicas": "12",
                "input:region": "eu",
                "input:drain": "true",
                "input:on_day": "2026-03-01",
                "reason": "Peak is coming.",
            }
        )
        assert sent.ok, sent
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        given = json.loads((tmp_path / "input.json").read_text())
        assert given == {
            "approve__replicas": 12,
            "approve__region": "eu",
            "approve__drain": True,
            "approve__on_day": "2026-03-01",
            "approve__decision": "approved",
            "approve__decided_by": "Bob",
            "approve__reason": "Peak is coming.",
        }


async def test_an_input_out_of_bounds_is_an_error_on_its_field(tmp_path: Path) -> None:
    """A number past its bound keeps the form open with the error under that field."""
    async with running(tmp_path) as world:
        await world.start(FORM)
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        sent = await world.person("U0BOB").submit({"input:replicas": "51", "input:region": "eu"})
        assert any("50" in error for error in sent.errors.values()), sent
        view = await world.checkpoint(card)
        assert view.checkpoint.state is CheckpointState.PENDING


async def test_a_rejection_asks_for_no_inputs(tmp_path: Path) -> None:
    """Nobody fills in a form to say no."""
    async with running(tmp_path) as world:
        run_id = await world.start(FORM)
        sent = await world.reject("U0BOB", await world.card(), "Not now.")
        assert sent.ok
        assert (await world.ended(run_id)).run.state is RunState.FAILED


async def test_a_quorum_is_live_in_the_card(tmp_path: Path) -> None:
    """With two needed, the first approval shows as 1 of 2, and only the second settles."""
    dag = GATE.replace("    prompt:", "    quorum: 2\n    prompt:")
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        card = await world.card()
        await world.approve("U0BOB", card, "One.")
        told = await world.person("U0BOB").modal()
        assert told is not None
        assert "1 of 2" in read(told)
        await world.person("U0BOB").close_modal()
        await world.person("U0VIC").wait_for_message(lambda m: "1 of 2" in read(m))
        await world.approve("U0BOB", card, "Once more.")  # the same person counts once
        assert (await world.checkpoint(card)).checkpoint.is_open
        await world.approve("U0OLA", card, "Two.")
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        settled = await world.card(state="Approved")
        assert "2 of 2" in read(settled)


async def test_a_vote_at_a_terminal_counts_when_slack_settles(tmp_path: Path) -> None:
    """Two persons are two persons, one of them on the command line."""
    dag = GATE.replace("    prompt:", "    quorum: 2\n    prompt:")
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        card = await world.card()
        await world.decide_on_cli("os:ola", settles=False)
        assert (await world.approve("U0BOB", card)).ok
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_a_vote_whose_voter_lost_the_role_no_longer_counts(tmp_path: Path) -> None:
    """Every counted vote is re-checked when it settles: a revoked role takes its vote along."""
    dag = GATE.replace("    prompt:", "    quorum: 2\n    prompt:")
    async with running(tmp_path) as world:
        await world.start(dag)
        card = await world.card()
        await world.approve("U0BOB", card, "One.")
        await world.person("U0BOB").close_modal()
        await world.take_role("U0BOB")
        await world.approve("U0OLA", card, "Two.")
        view = await world.checkpoint(card)
        assert view.checkpoint.state is CheckpointState.PENDING


HOSTILE = (
    "<!channel> <@U0ANA> <http://evil.example|ok> *b* _i_ &amp; :tada: \u202e\u200b" + "x" * 10_000
)


async def test_hostile_text_is_shown_literally_and_cut(tmp_path: Path) -> None:
    """Mentions, links, markup and 10,000 characters make a valid card that notifies nobody."""
    dag = GATE.replace("Deploy {{ build__version }}?", json.dumps(HOSTILE))
    async with running(tmp_path) as world:
        await world.start(dag)
        card = await world.card()
        assert check_message(card) == []
        assert "<!channel>" not in card["text"]
        assert "<@U0ANA>" not in card["text"]
        assert "\u202e" not in str(card)
        assert "<!channel>" in read(card)  # as plain text, word for word
        details = await world.open_form("U0BOB", card, "details")
        assert "x" * 2_000 in read(details)


async def test_a_decision_on_the_command_line_redraws_the_card(tmp_path: Path) -> None:
    """A card decided elsewhere shows who decided, and has no buttons left to decide with."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        card = await world.card()
        await world.decide_on_cli("os:ola")
        settled = await world.card(state="Approved")
        assert settled["ts"] == card["ts"]
        assert {b["action_id"] for b in buttons(settled)} == {"details"}
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_secrets_stay_out_of_the_channel(tmp_path: Path) -> None:
    """A secret fact is masked on the card, for everybody, and shown in Details to deciders only."""
    dag = GATE.replace(
        "    prompt:",
        "    show: [{label: Version, from: build__version, secret: true}]\n    prompt:",
    ).replace("Deploy {{ build__version }}?", "Deploy?")
    async with running(tmp_path) as world:
        await world.start(dag)
        card = await world.card()
        assert "1.4.2" not in str(card)
        assert "1.4.2" not in read(await world.open_form("U0VIC", card, "details"))
        assert "1.4.2" in read(await world.open_form("U0BOB", card, "details"))


def _names(run_id: str, message: dict[str, Any]) -> bool:
    return run_id in read(message)


async def test_several_runs_wait_side_by_side(tmp_path: Path) -> None:
    """Each run has its own card; deciding one leaves the others waiting."""
    async with running(tmp_path) as world:
        first, second = await world.start(), await world.start()
        for run_id in (second, first):
            card = await world.person("U0ANA").wait_for_message(
                partial(_names, run_id), channel=CHANNEL
            )
        await world.approve("U0BOB", card)
        assert (await world.ended(first)).run.state is RunState.SUCCEEDED
        assert (await world.paused(second)).run.state is RunState.PAUSED
