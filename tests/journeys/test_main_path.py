"""The main job, end to end: pause, card, click, record, resume; and what nobody answers expires."""

import logging
from pathlib import Path
from typing import Any

import pytest

from engine import CheckpointState, RunCause, RunState
from tests.journeys.seen import button_of, buttons, read
from tests.journeys.world import CHANNEL, GATE, running

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("http", [False, True], ids=["socket-mode", "http"])
async def test_an_approval_resumes_the_run(tmp_path: Path, http: bool) -> None:
    """A click on Approve is recorded with its reason, redraws the card and lets the run finish."""
    async with running(tmp_path, http=http) as world:
        run_id = await world.start()
        card = await world.card()
        sent = await world.approve("U0BOB", card, "Checked with Ana.")
        assert sent.ok
        ended = await world.ended(run_id)
        assert ended.run.state is RunState.SUCCEEDED
        assert world.shipped == 1
        settled = await world.card(state="Approved")
        assert settled["ts"] == card["ts"]
        assert "Checked with Ana." in read(settled)
        view = await world.checkpoint(settled)
        assert view.checkpoint.state is CheckpointState.APPROVED
        assert [voice.reason for voice in view.voices] == ["Checked with Ana."]


async def test_the_outcome_of_the_run_stands_in_the_thread(tmp_path: Path) -> None:
    """Approvers learn what became of what they approved, in the thread and not in the channel."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        await world.approve("U0BOB", card)
        said = await world.person("U0VIC").wait_for_message(lambda m: "succeeded" in m["text"])
        assert said["thread_ts"] == card["ts"]
        assert not said["broadcast"]


async def test_a_rejection_ends_the_run(tmp_path: Path) -> None:
    """A rejected run ends as failed, because it was rejected, and nothing behind the gate runs."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        await world.reject("U0BOB", await world.card(), "Freeze until Monday.")
        ended = await world.ended(run_id)
        assert (ended.run.state, ended.run.cause) == (RunState.FAILED, RunCause.REJECTED)
        assert world.shipped == 0
        assert "Freeze until Monday." in read(await world.card(state="Rejected"))


async def test_an_expiry_redraws_the_card_and_tells_the_channel(tmp_path: Path) -> None:
    """What nobody answered expires: card, thread and channel say so, and the run fails."""
    dag = GATE.replace("    prompt:", "    expires_in: 1s\n    prompt:")
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        card = await world.card(state="Expired")
        # The run's own end says it in the thread, too; this one is for the channel.
        await world.person("U0VIC").wait_for_message(
            lambda m: (
                m["thread_ts"] == card["ts"] and m["broadcast"] and "nobody decided" in m["text"]
            )
        )
        ended = await world.ended(run_id)
        assert (ended.run.state, ended.run.cause) == (RunState.FAILED, RunCause.EXPIRED)
        view = await world.checkpoint(card)
        assert view.voices == ()
        assert view.checkpoint.ended_at == view.checkpoint.expires_at


async def test_the_list_leads_to_the_same_form(tmp_path: Path) -> None:
    """`/checkpoints list` shows what waits; Review leads to the form, and that to a decision."""
    async with running(tmp_path) as world:
        run_id = await world.start()
        await world.card()
        bob = world.person("U0BOB")
        await bob.slash("/checkpoints list")
        listed = await bob.wait_for_message(lambda m: m["ephemeral"])
        assert "Deploy 1.4.2?" in read(listed)
        await bob.click(CHANNEL, listed["ts"], "review")
        await bob.wait_for_modal(lambda view: "approve_in_modal" in str(view))
        await bob.click_modal("approve_in_modal")
        await bob.wait_for_modal(lambda view: bool(view.get("submit")))
        await bob.submit({"reason": "From the list."})
        assert await bob.modal() is None
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED


async def test_a_list_can_be_refreshed(tmp_path: Path) -> None:
    """Refresh redraws the list where it stands, and says as of when it is."""
    async with running(tmp_path) as world:
        bob = world.person("U0BOB")
        await bob.slash("/checkpoints")
        empty = await bob.wait_for_message(lambda m: m["ephemeral"])
        assert "Nothing waits" in read(empty)
        await world.start()
        await world.card()
        await bob.click(CHANNEL, empty["ts"], "refresh")
        await bob.wait_for_message(lambda m: m["ephemeral"] and "Deploy 1.4.2?" in read(m))


async def test_details_show_everything_about_the_request(tmp_path: Path) -> None:
    """Details tell the policy and the full digest, and offer the decision."""
    async with running(tmp_path) as world:
        await world.start()
        card = await world.card()
        details = await world.open_form("U0VIC", card, "details")
        view = await world.checkpoint(card)
        assert view.checkpoint.request_digest in read(details)
        assert button_of(details, "approve_in_modal")


async def test_whoami_tells_roles_and_where_they_come_from(tmp_path: Path) -> None:
    """`whoami` names the role, the tenant and the grant; without a role it says what to do."""
    async with running(tmp_path) as world:
        ola, nia = world.person("U0OLA"), world.person("U0NIA")
        await ola.slash("/checkpoints whoami")
        assert "S0RELEASE" in read(await ola.wait_for_message(lambda m: m["ephemeral"]))
        await nia.slash("/checkpoints whoami")
        assert "no role" in read(await nia.wait_for_message(lambda m: m["ephemeral"]))


async def test_a_long_list_has_pages(tmp_path: Path) -> None:
    """Past a page of pending checkpoints, Next leads to the rest and First page back."""
    gates = "".join(f"  - {{id: gate_{n}, type: checkpoint}}\n" for n in range(10))
    async with running(tmp_path) as world:
        await world.paused(await world.start(f"name: many\ntasks:\n{gates}"))
        bob = world.person("U0BOB")
        await bob.slash("/checkpoints list dag:many")
        first = await bob.wait_for_message(lambda m: m["ephemeral"])
        assert len(_reviews(first)) == 8
        await bob.click(CHANNEL, first["ts"], "next")
        second = await bob.wait_for_message(lambda m: m["ephemeral"] and len(_reviews(m)) == 2)
        assert not set(_reviews(first)) & set(_reviews(second))
        await bob.click(CHANNEL, second["ts"], "refresh")
        await bob.wait_for_message(lambda m: m["ephemeral"] and _reviews(m) == _reviews(first))


def _reviews(message: dict[str, Any]) -> list[str]:
    return [button["value"] for button in buttons(message) if button["action_id"] == "review"]


async def test_lists_are_filtered_and_mine_are_those_i_may_decide(tmp_path: Path) -> None:
    """Filters narrow a list; `mine` leaves out what only somebody else may decide."""
    for_admins = GATE.replace("    prompt:", "    required_role: Admin\n    prompt:")
    async with running(tmp_path) as world:
        await world.paused(await world.start(for_admins))
        await world.paused(await world.start(GATE.replace("name: deploy", "name: other")))
        bob = world.person("U0BOB")
        for typed, expected in (
            ("/checkpoints list", 2),
            ("/checkpoints dag:other", 1),
            ("/checkpoints list tenant:acme", 0),
            ("/checkpoints mine", 1),
            ("/checkpoints mine dag:deploy", 0),
        ):
            before = {m["ts"] for m in await bob.ephemerals()}
            await bob.slash(typed)
            (listed,) = [m for m in await bob.ephemerals() if m["ts"] not in before]
            assert (typed, len(_reviews(listed))) == (typed, expected)


@pytest.mark.postgres
async def test_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """Pause, card, click, resume and outcome work on PostgreSQL as they do on SQLite."""
    async with running(tmp_path, database_url=postgres_url) as world:
        run_id = await world.start()
        card = await world.card()
        assert (await world.approve("U0BOB", card)).ok
        assert (await world.ended(run_id)).run.state is RunState.SUCCEEDED
        await world.card(state="Approved")
        said = await world.person("U0VIC").wait_for_message(lambda m: "succeeded" in m["text"])
        assert said["thread_ts"] == card["ts"]
        assert world.shipped == 1


@pytest.mark.parametrize("http", [False, True], ids=["socket-mode", "http"])
async def test_the_log_holds_nothing_people_typed(
    tmp_path: Path, http: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Even at DEBUG neither reasons nor tokens are logged."""
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path, http=http) as world:
        run_id = await world.start()
        await world.approve("U0BOB", await world.card(), "Between you and me.")
        await world.ended(run_id)
    assert "Between you and me" not in caplog.text
    assert "xoxb-" not in caplog.text
    assert "xapp-" not in caplog.text


async def test_an_expired_question_is_asked_again_with_one_tap(tmp_path: Path) -> None:
    """Ask again on an expired card brings a new card; approved there, the same run succeeds."""
    dag = GATE.replace("    prompt:", "    expires_in: 2s\n    prompt:")
    async with running(tmp_path) as world:
        run_id = await world.start(dag)
        old = await world.card(state="Expired")
        await world.ended(run_id)
        bob = world.person("U0BOB")
        await bob.click(CHANNEL, old["ts"], "ask_again")
        await bob.wait_for_modal(lambda view: "asked again" in read(view))
        await bob.close_modal()
        card = await world.card()
        assert card["ts"] != old["ts"]
        await world.approve("U0BOB", card)
        ended = await world.ended(run_id)
        assert ended.run.state is RunState.SUCCEEDED
        assert [c.state.value for c in ended.checkpoints] == ["expired", "approved"]
        assert world.shipped == 1
        expired = await world.card(state="Expired")
        assert "ask_again" not in {button["action_id"] for button in buttons(expired)}
