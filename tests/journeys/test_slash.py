"""Both slash commands, each subcommand typed by people at their Slack."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.typed import Help, NotUnderstood, understood
from bot.typed_runs import understood_run
from engine import Caller, Identity, IdentityKind, Role, Surface, checkpoint_view, expire_now
from tests.journeys.seen import button_of, buttons, read
from tests.journeys.world import CHANNEL, HOST, MANIFEST, World, running

OLA = Caller(identity=Identity(IdentityKind.OS, HOST, "ola"), surface=Surface.CLI, name="ola")

pytestmark = [pytest.mark.journey, pytest.mark.timeout(120)]


async def answer(world: World, user: str, text: str) -> dict[str, Any]:
    """What somebody is answered, in private, to a command; later, on a busy machine."""
    who = world.person(user)
    before = {message["ts"] for message in await who.ephemerals()}
    result = await who.slash(text)
    assert result.ok, result.error
    assert result.acked_ms < 3_000

    def is_answer(message: dict[str, Any]) -> bool:
        is_new = message["ephemeral"] and message["ts"] not in before
        return is_new and "The answer follows here" not in message["text"]

    return await who.wait_for_message(is_answer, within=15)


async def typed(world: World, user: str, text: str) -> str:
    return read(await answer(world, user, text))


async def decided(world: World, *, approve: bool = True) -> str:
    """A run whose question Ana answers; the checkpoint's id."""
    run = await world.start()
    checkpoint = (await world.paused(run)).checkpoints[0]
    card = await world.person("U0ANA").wait_for_message(
        lambda m: checkpoint.id in str(m["blocks"]) and not m["thread_ts"], within=10
    )
    await (world.approve if approve else world.reject)("U0ANA", card)
    await world.ended(run)
    return checkpoint.id


def _details(message: dict[str, Any]) -> list[str]:
    found = [b["value"] for b in buttons(message) if b["action_id"] == "details"]
    return [value.split(".")[0] for value in found]


async def test_review_opens_what_its_button_opens(tmp_path: Path) -> None:
    """By id, and without one the next that waits for whoever types; Approve is there."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        checkpoint = (await world.checkpoint(card)).checkpoint
        bob = world.person("U0BOB")
        for text in (f"/checkpoints review {checkpoint.id.upper()}", "/checkpoints review"):
            result = await bob.slash(text)
            assert result.ok
            assert result.acked_ms < 3_000
            modal = await bob.wait_for_modal(lambda view: "Loading" not in str(view))
            assert checkpoint.request_digest in read(modal)
            assert button_of(modal, "approve_in_modal")
            await bob.close_modal()
        await bob.slash("/checkpoints review cp_000000000000")
        assert "There is no checkpoint" in read(
            await bob.wait_for_modal(lambda view: "Loading" not in str(view))
        )


async def test_review_without_anything_to_review_says_so(tmp_path: Path) -> None:
    """For who has decided everything, and for who may decide nothing."""
    async with running(tmp_path) as world:
        await world.start()
        await world.card()
        vic = world.person("U0VIC")
        await vic.slash("/checkpoints review")
        seen = await vic.wait_for_modal(lambda view: "Loading" not in str(view))
        assert "Nothing waits for you right now" in read(seen)


async def test_history_is_narrowed_and_opens_details(tmp_path: Path) -> None:
    """What ended, the newest first; by state, person and time, in any order."""
    async with running(tmp_path) as world:
        first = await decided(world)
        second = await decided(world, approve=False)
        everything = await answer(world, "U0VIC", "/checkpoints history")
        assert _details(everything) == [second, first]
        assert "What ended, the newest first:" in read(everything)
        for text, ids in (
            ("history state:rejected", [second]),
            ("approved history", [first]),
            ("by:@ana history dag:deploy", [second, first]),
            ("history by @bob", []),
            ("history by:me", []),
            ("history since:7d “tenant:local-dev”", [second, first]),
            ("history dag:“other", []),
        ):
            said = await answer(world, "U0BOB", f"/checkpoints {text}")
            assert _details(said) == ids, text
        assert "Nothing ended, dag other." in read(said)
        vic = world.person("U0VIC")
        await vic.click(CHANNEL, everything["ts"], "details")
        opened = await vic.wait_for_modal(lambda view: "Loading" not in str(view))
        assert "Rejected" in read(opened)


async def test_history_turns_pages(tmp_path: Path) -> None:
    """Next leads to what is older, First page back."""
    gates = "".join(f"  - {{id: gate_{n}, type: checkpoint}}\n" for n in range(10))
    async with running(tmp_path) as world:
        run = await world.start(f"name: many\ntasks:\n{gates}")
        for checkpoint in (await world.paused(run)).checkpoints:
            await world.store.write(partial(expire_now, checkpoint_id=checkpoint.id, caller=OLA))
        ana = world.person("U0ANA")
        first = await answer(world, "U0ANA", "/checkpoints history state:expired")
        assert len(_details(first)) == 8
        await ana.click(CHANNEL, first["ts"], "next")
        second = await ana.wait_for_message(lambda m: m["ephemeral"] and len(_details(m)) == 2)
        assert not set(_details(first)) & set(_details(second))
        await ana.click(CHANNEL, second["ts"], "refresh")
        again = await ana.wait_for_message(lambda m: m["ephemeral"] and len(_details(m)) == 8)
        assert _details(again) == _details(first)


async def test_stats_count_and_time_what_people_decided(tmp_path: Path) -> None:
    """Bars for the ends, the rate, how long it took, and what waits now."""
    async with running(tmp_path) as world:
        await decided(world)
        await decided(world, approve=False)
        await world.paused(await world.start())
        said = await typed(world, "U0VIC", "/checkpoints stats")
        assert "approved   ████████████████████  1" in said
        assert "asked 3" in said
        assert "approval rate 50%" in said
        assert "waiting now 1" in said
        assert "asked 0" in await typed(world, "U0VIC", "/checkpoints stats dag:other since:today")


async def test_a_list_is_narrowed_to_people(tmp_path: Path) -> None:
    """By who started the run, or who has answered; a name nobody has is told."""
    async with running(tmp_path) as world:
        await world.start(by="slack:U0BOB")
        await world.card()
        assert "deploy · approve" in await typed(world, "U0ANA", "/checkpoints from:@bob list")
        assert "Nothing waits" in await typed(world, "U0ANA", "/checkpoints mine from:@ana")
        assert "Nothing waits" in await typed(world, "U0ANA", "/checkpoints list by:me")
        assert "who @nobody.here is" in await typed(world, "U0ANA", "/checkpoints by:@nobody.here")


async def test_runs_tell_what_they_wait_for(tmp_path: Path) -> None:
    """The newest first, with Review where somebody is asked; mine and by state."""
    async with running(tmp_path) as world:
        await decided(world)
        waits = await world.start(by="slack:U0BOB")
        await world.paused(waits)
        said = await answer(world, "U0VIC", "/signoff runs")
        assert "Recent runs, the newest first:" in read(said)
        assert "waits for approve" in read(said)
        assert "Run of deploy succeeded" in read(said)
        mine = await typed(world, "U0BOB", "/signoff runs mine")
        assert waits in mine
        assert "succeeded" not in mine
        assert waits not in await typed(world, "U0BOB", "/signoff tenant:local-dev runs succeeded")
        assert "There are no runs" in await typed(world, "U0BOB", "/signoff runs dag:other")
        await world.person("U0VIC").click(CHANNEL, said["ts"], "review")
        opened = await world.person("U0VIC").wait_for_modal(lambda view: "Loading" not in str(view))
        assert "deploy" in read(opened)


@pytest.mark.parametrize("command", ["/checkpoints", "/signoff"])
async def test_whoami_tells_why(tmp_path: Path, command: str) -> None:
    """Each role with its grant, how old it is, and why it is yours."""
    async with running(tmp_path) as world:
        ola = await typed(world, "U0OLA", f"{command} whoami")
        assert "local-dev: Operator (signoff.toml: S0RELEASE)" in ola
        assert "because you are in S0RELEASE" in ola
        assert ", grant " in ola
        assert "because it names you" in await typed(world, "U0BOB", f"{command} who")
        assert "Ask an Admin for a role" in await typed(world, "U0NIA", f"{command} whoami")


@pytest.mark.parametrize("command", ["/checkpoints", "/signoff"])
async def test_doctor_tells_admins_where_and_others_whom_to_tell(
    tmp_path: Path, command: str
) -> None:
    """A card that cannot be posted: by name for an Admin of its tenant only."""
    async with running(tmp_path) as world:
        await world.person("U0ANA").remove_bot(CHANNEL)
        run = await world.start()
        checkpoint = (await world.paused(run)).checkpoints[0]
        await world.until_held(checkpoint.id)
        for_ana = await typed(world, "U0ANA", f"{command} doctor")
        assert f"posting of {checkpoint.id} is held" in for_ana
        for_bob = await typed(world, "U0BOB", f"{command} doctor")
        assert checkpoint.id not in for_bob
        assert "1 thing could not be told" in for_bob
        assert "Tell an Admin" in for_bob
        await world.grant("U0BOB", "acme", Role.ADMIN)
        elsewhere = await typed(world, "U0BOB", f"{command} doctor")
        assert "1 thing of other tenants" in elsewhere
        assert checkpoint.id not in elsewhere


async def test_who_holds_no_role_sees_nothing_of_the_past(tmp_path: Path) -> None:
    """Neither what ended nor runs nor numbers."""
    async with running(tmp_path) as world:
        named = await decided(world)
        for text in ("/checkpoints history", "/checkpoints stats", "/signoff runs"):
            said = await typed(world, "U0NIA", text)
            assert "You hold no role in any tenant" in said
            assert "deploy" not in said
        view = await world.read(partial(checkpoint_view, checkpoint_id=named))
        assert view is not None
        other = await typed(world, "U0ANA", "/checkpoints history tenant:acme")
        assert "Nothing ended, tenant acme." in other


async def test_what_is_nearly_right_is_met_with_what_was_meant(tmp_path: Path) -> None:
    """The nearest subcommand, filter or state."""
    async with running(tmp_path) as world:
        for text, meant in (
            ("/checkpoints histroy", "Did you mean /checkpoints history?"),
            ("/checkpoints history state:aproved", "state:approved"),
            ("/checkpoints history dag:nightly load", 'history dag:"nightly load"'),
            ("/checkpoints history since:whenever", "Say 7d, yesterday, monday"),
            ("/signoff whoam", "Did you mean /signoff whoami?"),
            ("/signoff runs stat:failed", "state:"),
        ):
            assert meant in await typed(world, "U0BOB", text), text
        for command in ("/checkpoints", "/signoff"):
            assert f"{command} doctor: what is wrong" in await typed(
                world, "U0BOB", f"{command} help"
            )


def test_the_manifests_hints_name_what_is_understood() -> None:
    """Every word that Slack suggests while typing is one that is answered."""
    commands = yaml.safe_load(MANIFEST.read_text())["features"]["slash_commands"]
    readers = {"/checkpoints": understood, "/signoff": understood_run}
    for command in commands:
        read_it = readers[command["command"]]
        for hint in command["usage_hint"].strip("[]").split("|"):
            text = hint.replace("ID", "cp_0123456789ab").replace("@NAME until ...", "list")
            found = read_it(text.replace("key=value ...", "key=value"))
            assert not isinstance(found, NotUnderstood), hint
            assert isinstance(found, Help) == (hint == "help"), hint
