"""People in Slack: acting for somebody else, being one person by two accounts, being stopped."""

import socket
from functools import partial
from pathlib import Path

import pytest

from engine import (
    Caller,
    CheckpointState,
    Identity,
    IdentityKind,
    LinkCode,
    Principal,
    RunState,
    Surface,
    Tx,
    ask_link,
    disable,
    ensure_named,
    export_trail,
)
from tests.journeys.seen import read
from tests.journeys.world import GATE, World, running

pytestmark = pytest.mark.journey

HOST = socket.gethostname()
NAMED = GATE.replace("    prompt:", "    approvers: [U0ANA]\n    prompt:")


async def typed(world: World, user: str, text: str) -> str:
    """What somebody is answered, in private, to a command."""
    who = world.person(user)
    before = {message["ts"] for message in await who.ephemerals()}
    result = await who.slash(text)
    assert result.ok, result.error
    (answer,) = [m for m in await who.ephemerals() if m["ts"] not in before]
    return f"{answer['text']}\n{read(answer)}"


async def test_a_delegate_decides_in_the_place_of_an_approver(tmp_path: Path) -> None:
    """Typed in Slack, in the person's own zone; the card and Details say for whom."""
    async with running(tmp_path) as world:
        run_id = await world.start(NAMED)
        card = await world.card()
        await world.open_form("U0BOB", card, "approve")
        assert "not among its approvers" in read(await world.person("U0BOB").wait_for_modal())
        await world.person("U0BOB").close_modal()
        said = await typed(world, "U0ANA", "/signoff delegate @bob for 3 days because on leave")
        assert "Bob may act in your place" in said
        assert "Europe/Berlin" in said
        assert "for Ana" in await typed(world, "U0BOB", "/checkpoints whoami")
        assert "Deploy 1.4.2?" in await typed(world, "U0BOB", "/checkpoints mine")
        await world.approve("U0BOB", card)
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        assert "Bob for Ana" in read(await world.card(state="Approved"))


async def test_a_delegation_is_listed_and_ended_in_slack(tmp_path: Path) -> None:
    """By its id; then the delegate is told that it has ended."""
    async with running(tmp_path) as world:
        await world.start(NAMED)
        card = await world.card()
        await typed(world, "U0ANA", "/signoff delegate @bob until tomorrow")
        listed = await typed(world, "U0ANA", "/signoff delegate list")
        delegation = next(word for word in listed.split() if word.startswith("dl_")).strip(":")
        await world.open_form("U0BOB", card, "approve")
        assert "has ended" in await typed(world, "U0ANA", f"/signoff delegate end {delegation}")
        await world.person("U0BOB").submit({"reason": "Looks good."})
        view = await world.person("U0BOB").wait_for_modal(lambda shown: "delegation" in read(shown))
        assert "Ana's delegation ended on" in read(view)
        assert (await world.checkpoint(card)).checkpoint.state is CheckpointState.PENDING


async def test_what_is_typed_wrong_is_told(tmp_path: Path) -> None:
    """Nobody of that name, no such time, a code that waits for nobody."""
    async with running(tmp_path) as world:
        assert "delegate @NAME until friday" in await typed(
            world, "U0ANA", "/signoff delegate @nobody until friday"
        )
        assert "do not understand the time" in await typed(
            world, "U0ANA", "/signoff delegate @bob until soon"
        )
        assert "no such code waits for you" in await typed(world, "U0ANA", "/signoff link 12345678")
        assert "two different persons" in await typed(
            world, "U0ANA", "/signoff delegate @ana until friday"
        )


async def test_whoever_started_a_run_at_a_terminal_is_recognised_in_slack(tmp_path: Path) -> None:
    """Once Bob has said in Slack that the account is his."""
    async with running(tmp_path) as world:
        dev = Caller(
            identity=Identity(IdentityKind.OS, HOST, "dev"), surface=Surface.CLI, name="dev"
        )
        await world.start(by="os:dev")
        card = await world.card()
        bob = Principal.parse("U0BOB")
        made = await world.store.write(partial(ask_link, account=dev.identity, target=bob, by=dev))
        assert isinstance(made, LinkCode)
        assert "no such code" in await typed(world, "U0ANA", f"/signoff link {made.code}")
        assert f"os:dev@{HOST} is yours now" in await typed(
            world, "U0BOB", f"/signoff link {made.code}"
        )
        await world.open_form("U0BOB", card, "approve")
        assert "You started this run" in read(await world.person("U0BOB").wait_for_modal())
        trail = await world.read(lambda tx: list(export_trail(tx)))
        [linked] = [row for row in trail if row["event"] == "identity_linked"]
        assert linked["facts"]["asked_by"] == linked["facts"]["was"]


async def test_somebody_who_was_stopped_decides_nothing_in_slack(tmp_path: Path) -> None:
    """Known by their member id at a terminal, as the bot has said which workspace is ours."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        root = Caller(
            identity=Identity(IdentityKind.SLACK, "T0SANDBOX", "U0ANA"),
            surface=Surface.SLACK,
            name="Ana",
        )

        def stop(tx: Tx) -> None:
            assert disable(tx, ensure_named(tx, "U0BOB", HOST), root, "lost phone") is None

        await world.store.write(stop)
        await world.open_form("U0BOB", card, "approve")
        assert "You were stopped here" in read(await world.person("U0BOB").wait_for_modal())
        assert "An Admin disabled you" in await typed(world, "U0BOB", "/checkpoints whoami")
