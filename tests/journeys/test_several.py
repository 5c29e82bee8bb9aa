"""Deciding several at once from a list: picked, shown once more, decided each in its own right."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import (
    Checkpoint,
    CheckpointState,
    StoreBusy,
    decide_together,
    export_trail,
    listed_checkpoints,
)
from tests.journeys.forged import send
from tests.journeys.seen import read
from tests.journeys.world import GATE, TEAM, World, running

pytestmark = pytest.mark.journey

FORM = GATE.replace("    prompt:", "    inputs:\n      note: {type: text}\n    prompt:")


async def _waiting(world: World, *dags: str) -> list[Checkpoint]:
    """Start these and wait until all of them ask, the earliest first."""
    for dag in dags:
        await world.paused(await world.start(dag))
    found = await world.read(partial(listed_checkpoints, limit=20))
    return list(reversed(found))


async def _picking(world: World, user: str) -> dict[str, Any]:
    """Open the list, press its button for several, and wait for the boxes."""
    person = world.person(user)
    await person.slash("/checkpoints list")
    listed = await person.wait_for_message(lambda m: m["ephemeral"] and "Waiting" in read(m))
    await person.click(listed["channel"], listed["ts"], "several")
    return await person.wait_for_modal(lambda v: "Loading" not in str(v))


def _value(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.id}.{checkpoint.request_digest}"


async def _reviewing(world: World, user: str, picked: list[Checkpoint]) -> dict[str, Any]:
    await _picking(world, user)
    person = world.person(user)
    await person.submit({"picked": [_value(one) for one in picked]})
    return await person.wait_for_modal(lambda v: v["title"]["text"].startswith("Review"))


async def _states(world: World) -> list[CheckpointState]:
    found = await world.read(partial(listed_checkpoints, limit=20))
    return [one.state for one in reversed(found)]


async def test_several_are_approved_at_once(tmp_path: Path) -> None:
    """Three ticked of four: each is restated, decided with the one reason, and its run goes on."""
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE, GATE, GATE)
        review = await _reviewing(world, "U0BOB", opened[:3])
        assert read(review).count("Deploy 1.4.2?") == 3
        bob = world.person("U0BOB")
        await bob.submit({"choice": "approve", "reason": "All of them."})
        told = await bob.modal()
        assert told is not None
        assert "Recorded 3 of 3." in read(told)
        assert await _states(world) == [*[CheckpointState.APPROVED] * 3, CheckpointState.PENDING]
        for one in opened[:3]:
            await world.ended(one.run_id)
        assert world.shipped == 3
        trail = await world.read(lambda tx: list(export_trail(tx)))
        recorded = [entry for entry in trail if entry["event"] == "decision_recorded"]
        assert [entry["personal"]["reason"] for entry in recorded] == ["All of them."] * 3


async def test_what_must_be_decided_alone_cannot_be_ticked(tmp_path: Path) -> None:
    """A form and an own run are listed below with why, and no box leads to them."""
    async with running(tmp_path) as world:
        await _waiting(world, GATE, FORM)
        await world.paused(await world.start(by="slack:U0BOB"))
        view = await _picking(world, "U0BOB")
        boxes = [b for b in view["blocks"] if b["type"] == "input"]
        assert len(boxes[0]["element"]["options"]) == 1
        assert "it has a form" in read(view)
        assert "you started its run" in read(view)


async def test_one_that_ended_in_between_is_told_and_the_others_counted(tmp_path: Path) -> None:
    """A partial failure is said per item."""
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE)
        card = await world.card()
        await _reviewing(world, "U0BOB", opened)
        await world.reject("U0OLA", card, "Not this one.")
        bob = world.person("U0BOB")
        await bob.submit({"choice": "approve", "reason": "Go."})
        told = await bob.modal()
        assert told is not None
        assert "Recorded 1 of 2." in read(told)
        assert "Already rejected" in read(told)
        assert "by Ola" in read(told)
        assert sorted(await _states(world)) == ["approved", "rejected"]


async def test_a_role_that_is_revoked_in_between_refuses_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each item is judged on its own: what was recorded stays, the rest is refused with why."""
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE)
        await _reviewing(world, "U0BOB", opened)
        taken = []

        def then_revoke(tx: Any, **given: Any) -> Any:
            outcome = decide_together(tx, **given)
            taken.append(asyncio.run_coroutine_threadsafe(world.take_role("U0BOB"), loop))
            return outcome

        loop = asyncio.get_running_loop()
        bob = world.person("U0BOB")
        with monkeypatch.context() as between:
            between.setattr("bot.listeners.several.decide_together", then_revoke)
            write = world.store.write

            async def in_turn(work: Any) -> Any:
                outcome = await write(work)
                while taken:
                    await asyncio.wrap_future(taken.pop())
                return outcome

            between.setattr(world.store, "write", in_turn)
            await bob.submit({"choice": "approve", "reason": "Go."})
        told = await bob.modal()
        assert told is not None
        assert "Recorded 1 of 2." in read(told)
        assert "you hold no role" in read(told)
        assert sorted(await _states(world)) == ["approved", "pending"]


async def test_a_database_in_trouble_is_said_of_the_one_it_struck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is tried twice, and nothing is said to be recorded that may not be."""
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE)
        await _reviewing(world, "U0BOB", opened)
        calls = []

        def busy_once(tx: Any, **given: Any) -> Any:
            calls.append(given["checkpoint_id"])
            if len(calls) == 1:
                raise StoreBusy("the database is locked")
            return decide_together(tx, **given)

        monkeypatch.setattr("bot.listeners.several.decide_together", busy_once)
        bob = world.person("U0BOB")
        await bob.submit({"choice": "approve", "reason": "Go."})
        told = await bob.modal()
        assert told is not None
        assert "It is not certain" in read(told)
        assert "Recorded 1 of 2." in read(told)
        assert calls == [one.id for one in opened]
        assert await _states(world) == [CheckpointState.PENDING, CheckpointState.APPROVED]


async def test_a_missing_reason_keeps_the_form_and_decides_nothing(tmp_path: Path) -> None:
    """One reason for all, required as soon as one of them requires one."""
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE)
        await _reviewing(world, "U0BOB", opened)
        bob = world.person("U0BOB")
        sent = await bob.submit({"choice": "reject"})
        assert any("A reason is required to reject" in said for said in sent.errors.values())
        assert await _states(world) == [CheckpointState.PENDING] * 2
        await bob.submit({"reason": "Not on a Friday."})
        assert await _states(world) == [CheckpointState.REJECTED] * 2


async def test_a_look_up_that_fails_records_nothing_and_keeps_the_reason(tmp_path: Path) -> None:
    """The form stays, to be sent again; the attempt on each is on record."""
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE)
        await _reviewing(world, "U0BOB", opened)
        await world.person("U0ANA").change_user("U0BOB", is_restricted=False)
        await asyncio.sleep(0.1)
        world.sandbox.faults.add("http_500", "users.info")
        bob = world.person("U0BOB")
        await bob.submit({"choice": "approve", "reason": "Typed with care."})
        form = await bob.modal()
        assert form is not None
        assert "Nothing was recorded" in read(form)
        assert "Typed with care." in str(form)
        assert await _states(world) == [CheckpointState.PENDING] * 2
        await bob.submit({})
        assert await _states(world) == [CheckpointState.APPROVED] * 2


async def test_a_slow_database_is_acked_in_time_and_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack waits three seconds: the form says that it takes a moment, then what became of each."""
    monkeypatch.setattr("bot.listeners.several._QUICK_S", 0.0)
    async with running(tmp_path) as world:
        opened = await _waiting(world, GATE, GATE)
        await _reviewing(world, "U0BOB", opened)
        bob = world.person("U0BOB")
        sent = await bob.submit({"choice": "approve", "reason": "Go."})
        assert sent.ok
        told = await bob.wait_for_modal(lambda v: "Recorded 2 of 2." in read(v))
        assert "✅ Approved" in read(told)


@pytest.mark.parametrize(
    ("callback", "metadata", "values"),
    [
        ("several_form", "nonsense", {"c": {"choice": {"selected_option": {"value": "approve"}}}}),
        ("pick_form", "", {"p": {"picked": {"selected_options": [{"value": "cp_x"}]}}}),
    ],
)
async def test_a_form_that_was_tampered_with_changes_nothing(
    tmp_path: Path, callback: str, metadata: str, values: dict[str, Any]
) -> None:
    """It is answered in private and written down."""
    async with running(tmp_path, http=True) as world:
        await _waiting(world, GATE)
        status, answered = await send(world, _forged("U0BOB", callback, metadata, values))
        assert status == 200
        assert json.loads(answered)["response_action"] == "update"
        trail = await world.read(lambda tx: list(export_trail(tx)))
        assert "unknown_requested" in [entry["event"] for entry in trail]
        assert await _states(world) == [CheckpointState.PENDING]


@pytest.mark.parametrize(
    ("user", "dag", "said"),
    [
        ("U0VIC", GATE, "you hold Viewer"),
        ("U0BOB", FORM, "form"),
        ("U0BOB", GATE, "You were looking at 00000000"),
    ],
    ids=["no-role", "with-a-form", "another-digest"],
)
async def test_a_forged_form_decides_nothing_a_click_could_not(
    tmp_path: Path, user: str, dag: str, said: str
) -> None:
    """Whatever a form carries, each item is judged by the record."""
    async with running(tmp_path, http=True) as world:
        (opened,) = await _waiting(world, dag)
        seen = "0" * 64 if said.startswith("You were") else opened.request_digest
        values = {"c": {"choice": {"selected_option": {"value": "approve"}}}}
        _, answered = await send(
            world, _forged(user, "several_form", f"{opened.id}.{seen}", values)
        )
        assert "Recorded 0 of 1." in answered
        assert said in answered
        assert await _states(world) == [CheckpointState.PENDING]
        trail = await world.read(lambda tx: list(export_trail(tx)))
        assert trail[-1]["event"] == "decision_refused"


def _forged(user: str, callback: str, metadata: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "view_submission",
        "user": {"id": user, "username": user, "name": user, "team_id": TEAM},
        "team": {"id": TEAM, "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": "A0SIGNOFF",
        "trigger_id": "1.2.3",
        "view": {
            "id": "V0FORGED",
            "hash": "1.abc",
            "type": "modal",
            "callback_id": callback,
            "private_metadata": metadata,
            "root_view_id": "V0FORGED",
            "state": {"values": values},
        },
    }
