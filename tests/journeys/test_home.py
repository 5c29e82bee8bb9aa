"""The Home tab and "My approvals", with the real bot and a local Slack."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from engine import RunState, export_trail
from tests.journeys.seen import button_of, read
from tests.journeys.world import GATE, World, running

pytestmark = pytest.mark.journey

NAMED = GATE.replace("    prompt:", "    approvers: [U0ANA]\n    prompt:")
GROUP = GATE.replace("    prompt:", "    approvers: [S0RELEASE]\n    prompt:")
View = Mapping[str, Any]


def says(*expected: str) -> Callable[[View], bool]:
    """A view that reads so."""
    return lambda view: all(one in read(view) for one in expected)


async def opened(world: World, user: str, *expected: str) -> View:
    """Somebody's Home tab, once it reads as expected."""
    await world.person(user).open_home()
    return await world.person(user).wait_for_home(says(*expected))


async def published(world: World) -> int:
    """How often the bot has drawn a Home tab."""
    query = {"method": "views.publish"}
    url = f"{world.sandbox.url}/calls"
    async with ClientSession() as session, session.get(url, params=query) as answer:
        return len((await answer.json())["calls"])


async def test_what_waits_is_reviewed_and_decided_from_the_home_tab(tmp_path: Path) -> None:
    """Review opens the request, the form lies on it; after the answer the tab is redrawn."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        await world.card()
        await opened(world, "U0BOB", "Waiting for you (1)", "Deploy 1.4.2?", "local-dev: Operator")
        bob = world.person("U0BOB")
        assert (await bob.click_home("review")).ok
        details = await bob.wait_for_modal(lambda view: "Loading" not in read(view))
        assert "Deploy 1.4.2?" in read(details)
        await bob.click_modal("approve_in_modal")
        form = await bob.wait_for_modal(_is_form)
        assert form["depth"] == 2
        assert (await bob.submit({"reason": "Looks good."})).ok
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        after = await bob.wait_for_home(says("Nothing waits for you right now", "You decided"))
        assert "You approved" in read(after)
        assert "✅ Approved" in read(after)


def _is_form(view: View) -> bool:
    return bool(view["callback_id"] == "decision_form")


async def test_an_open_tab_shows_what_comes_and_goes(tmp_path: Path) -> None:
    """A new request appears unasked, and is gone when somebody else has decided it."""
    async with running(tmp_path) as world:
        await opened(world, "U0BOB", "Nothing waits for you right now")
        await world.start()
        await world.person("U0BOB").wait_for_home(says("Waiting for you (1)", "Deploy 1.4.2?"))
        await world.approve("U0ANA", await world.card())
        await world.person("U0BOB").wait_for_home(says("Nothing waits for you right now"))


async def test_a_tab_is_not_drawn_anew_for_what_it_does_not_show(tmp_path: Path) -> None:
    """Whatever happens that its reader has no part in: only what changes the tab draws it."""
    async with running(tmp_path) as world:
        await opened(world, "U0VIC", "Waiting for you", "local-dev: Viewer")
        before = await published(world)
        run_id = await world.start()
        await world.approve("U0ANA", await world.card())
        await world.ended(run_id)
        await world.grant("U0VIC", "other")
        await world.person("U0VIC").wait_for_home(says("other: Operator"))
        assert await published(world) == before + 1


@pytest.mark.parametrize("kind", ["http_500", "ratelimited"])
async def test_a_tab_that_slack_did_not_take_is_drawn_later(tmp_path: Path, kind: str) -> None:
    """At the first opening, and when something changes: then with all that happened since."""
    async with running(tmp_path) as world:
        world.sandbox.faults.add(kind, "views.publish", times=1, retry_after=1)
        await world.person("U0BOB").open_home()
        await world.person("U0BOB").wait_for_home(says("Nothing waits for you"), within=15)
        world.sandbox.faults.add(kind, "views.publish", times=1, retry_after=1)
        for _ in range(2):
            await world.start()
        await world.person("U0BOB").wait_for_home(says("Waiting for you (2)"), within=15)
        assert not world.sandbox.slack.faults.pending()


async def test_nobody_sees_what_is_none_of_their_business(tmp_path: Path) -> None:
    """A Viewer has nothing to decide; whoever holds no role is told whom to ask, and no more."""
    async with running(tmp_path) as world:
        await world.start()
        await world.card()
        viewer = await opened(world, "U0VIC", "Nothing waits for you right now")
        assert "Deploy" not in read(viewer)
        outsider = await opened(world, "U0GUS", "You hold no role here yet")
        assert "Deploy" not in read(outsider)
        assert "local-dev" not in read(outsider)


async def test_whoever_started_a_run_sees_how_its_request_stands(tmp_path: Path) -> None:
    """It does not wait for them; Details tells more, and the end shows by itself."""
    async with running(tmp_path) as world:
        await world.start(by="slack:U0BOB")
        card = await world.card()
        home = await opened(world, "U0BOB", "You asked for", "⏳ Approval needed")
        assert "Nothing waits for you right now" in read(home)
        bob = world.person("U0BOB")
        await bob.click_home("details")
        assert "Deploy 1.4.2?" in read(await bob.wait_for_modal(says("Deploy 1.4.2?")))
        await world.reject("U0ANA", card, "Not on a Friday.")
        await bob.wait_for_home(says("❌ Rejected"))


async def test_a_delegate_finds_what_was_lent_to_them(tmp_path: Path) -> None:
    """With the delegation, and gone once it has ended."""
    async with running(tmp_path) as world:
        await world.start(NAMED)
        await world.card()
        home = await opened(world, "U0BOB", "Nothing waits for you right now")
        assert "/signoff delegate @NAME until friday" in read(home)
        await world.person("U0ANA").slash("/signoff delegate @bob for 3 days because on leave")
        lent = await world.person("U0BOB").wait_for_home(says("Waiting for you (1)"))
        assert "Bob for Ana" in read(lent)
        delegation = next(word for word in read(lent).split() if word.startswith("dl_")).strip(":")
        await world.person("U0ANA").slash(f"/signoff delegate end {delegation}")
        await world.person("U0BOB").wait_for_home(says("Nothing waits for you right now"))


async def test_who_is_named_by_a_group_is_found_without_a_grant_that_names_it(
    tmp_path: Path,
) -> None:
    """Slack is asked who is in the groups that waiting requests name."""
    async with running(tmp_path) as world:
        member = next(iter(world.sandbox.slack.workspace.groups["S0RELEASE"].users))
        await world.take_role("S0RELEASE")
        await world.grant(member, "local-dev")
        await world.start(GROUP)
        await world.card()
        await opened(world, member, "Waiting for you (1)")


async def test_many_are_turned_over_page_by_page(tmp_path: Path) -> None:
    """Next and Back lead on and back; the page one is on stays when something changes."""
    async with running(tmp_path) as world:
        for _ in range(12):
            await world.start()
        await opened(world, "U0BOB")
        bob = world.person("U0BOB")
        first = await bob.wait_for_home(says("Waiting for you (12)"), within=20)
        assert read(first).count("Deploy 1.4.2?") == 10
        await bob.click_home("home_next")
        second = await bob.wait_for_home(lambda view: read(view).count("Deploy 1.4.2?") == 2)
        assert "Waiting for you (12)" in read(second)
        last = button_of(second, "review")["value"].split(".")[0]
        await bob.click_home("home_back")
        await bob.wait_for_home(lambda view: read(view).count("Deploy 1.4.2?") == 10)
        await bob.click_home("home_next")
        await bob.wait_for_home(lambda view: last in str(view))
        await bob.click_home("review")
        await bob.wait_for_modal(lambda view: "Loading" not in read(view))
        await bob.click_modal("approve_in_modal")
        await bob.wait_for_modal(_is_form)
        await bob.submit({"reason": "Fine."})
        await bob.wait_for_home(says("Waiting for you (11)"))


async def test_the_shortcut_opens_what_waits_from_anywhere(tmp_path: Path) -> None:
    """Review and the form are laid on the list, three high; all close with the answer."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        await world.card()
        bob = world.person("U0BOB")
        assert (await bob.shortcut("my_approvals")).ok
        mine = await bob.wait_for_modal(says("Waiting for you (1)", "Deploy 1.4.2?"))
        assert mine["title"]["text"] == "My approvals"
        await bob.click_modal("review")
        await bob.wait_for_modal(lambda view: view["depth"] == 2 and "Loading" not in read(view))
        await bob.click_modal("approve_in_modal")
        assert (await bob.wait_for_modal(_is_form))["depth"] == 3
        assert (await bob.submit({"reason": "Looks good."})).ok
        assert await bob.modal() is None
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        await bob.shortcut("my_approvals")
        await bob.wait_for_modal(says("Nothing waits for you right now"))
        await world.start()
        await world.card()
        await bob.click_modal("home_refresh")
        await bob.wait_for_modal(says("Waiting for you (1)"))


async def test_several_are_decided_from_the_home_tab(tmp_path: Path) -> None:
    """The button of lists, which has no message to answer to here."""
    async with running(tmp_path) as world:
        for _ in range(2):
            await world.start()
        await opened(world, "U0BOB", "Waiting for you (2)")
        bob = world.person("U0BOB")
        await bob.click_home("several")
        view = await bob.wait_for_modal(lambda view: view["callback_id"] == "pick_form")
        assert read(view).count("Deploy 1.4.2?") >= 2


async def test_a_forged_page_is_refused_and_on_record(tmp_path: Path) -> None:
    """The state of a button is read strictly: what names no page leads nowhere."""
    async with running(tmp_path) as world:
        await opened(world, "U0BOB", "Nothing waits for you right now")
        bob = world.person("U0BOB")
        modals = world.sandbox.slack.modals
        view = modals.home("U0BOB")
        assert view is not None
        blocks = [dict(block) for block in view.definition["blocks"]]
        blocks[0]["elements"] = [
            {**one, "value": '[["soon","cp_x"]]'} if one["action_id"] == "home_refresh" else one
            for one in blocks[0]["elements"]
        ]
        modals.change(view, definition={**view.definition, "blocks": blocks})
        await bob.click_home("home_refresh")
        await bob.wait_for_modal(says("This button leads nowhere"))
        trail = await world.read(lambda tx: [row["event"] for row in export_trail(tx)])
        assert "unknown_requested" in trail
