import asyncio
from typing import Any

import pytest

from bot.sandbox import CannotDo, NeverSeen, Person, Sandbox
from tests.sandbox.apps import SocketApp

Json = dict[str, Any]


async def test_a_click_reaches_the_app_with_slacks_payload(
    sandbox: Sandbox, app: SocketApp, card: Json
) -> None:
    """A click in a message arrives as block_actions with the fields Slack sends."""
    ts = (await app.web.chat_postMessage(**card))["ts"]
    result = await sandbox.person("U0BOB").click("C0APPROVE", ts, "approve")
    payload = app.payloads("block_actions")[0]
    assert result.ok
    assert payload["user"] == {
        "id": "U0BOB",
        "username": "bob",
        "name": "bob",
        "team_id": "T0SANDBOX",
    }
    assert payload["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": "C0APPROVE",
        "is_ephemeral": False,
    }
    assert payload["channel"] == {"id": "C0APPROVE", "name": "approvals"}
    assert payload["message"]["text"] == "Deploy acme-web?"
    assert payload["state"] == {
        "values": {"decide": {"more": {"type": "static_select", "selected_option": None}}}
    }
    [action] = payload["actions"]
    assert action["type"] == "button"
    assert (action["action_id"], action["block_id"], action["value"]) == (
        "approve",
        "decide",
        "cp-1",
    )
    assert payload["enterprise"] is None
    assert payload["is_enterprise_install"] is False
    assert payload["response_url"].startswith(sandbox.url)


async def test_a_choice_is_sent_and_kept(sandbox: Sandbox, app: SocketApp, card: Json) -> None:
    """A select sends its selected_option, and state.values remembers it for that person."""
    ts = (await app.web.chat_postMessage(**card))["ts"]
    bob = sandbox.person("U0BOB")
    await bob.click("C0APPROVE", ts, "more", value="Later")
    payload = app.payloads("block_actions")[0]
    assert payload["actions"][0]["selected_option"]["value"] == "later"
    kept = payload["state"]["values"]["decide"]["more"]["selected_option"]["value"]
    assert kept == "later"
    with pytest.raises(CannotDo, match="not on offer"):
        await bob.click("C0APPROVE", ts, "more", value="Tomorrow")


async def test_a_click_on_an_ephemeral_carries_no_message(
    sandbox: Sandbox, app: SocketApp, card: Json
) -> None:
    """A click in an ephemeral message comes with its container but without the message."""
    await app.web.chat_postEphemeral(user="U0BOB", **card)
    bob = sandbox.person("U0BOB")
    [whisper] = await bob.ephemerals()
    await bob.click("C0APPROVE", whisper["ts"], "approve")
    payload = app.payloads("block_actions")[0]
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload
    assert await sandbox.person("U0ANA").ephemerals() == []


async def test_a_click_nobody_acks_shows_slacks_error(
    sandbox: Sandbox, app: SocketApp, card: Json
) -> None:
    """Without an ack in time the person reads that the app did not respond."""
    ts = (await app.web.chat_postMessage(**card))["ts"]
    app.silent.add("block_actions")
    sandbox.slack.app.ack_timeout = 0.1
    bob = sandbox.person("U0BOB")
    result = await bob.click("C0APPROVE", ts, "approve")
    assert not result.ok
    assert "didn’t respond in time" in str(result.error)
    assert "didn’t respond" in (await bob.messages())[0]["trouble"]
    assert (await sandbox.person("U0ANA").messages())[0]["trouble"] is None
    app.silent.clear()
    sandbox.slack.app.ack_timeout = 3.0
    assert (await bob.click("C0APPROVE", ts, "approve")).ok
    assert (await bob.messages())[0]["trouble"] is None


async def test_without_an_app_the_person_sees_an_error(
    sandbox: Sandbox, client: Any, card: Json
) -> None:
    """With no socket and no request URL a click fails at once."""
    ts = (await client.chat_postMessage(**card))["ts"]
    result = await sandbox.person("U0BOB").click("C0APPROVE", ts, "approve")
    assert not result.ok


async def _with_modal(sandbox: Sandbox, app: SocketApp, card: Json, form: Json) -> Any:
    ts = (await app.web.chat_postMessage(**card))["ts"]
    bob = sandbox.person("U0BOB")
    await bob.click("C0APPROVE", ts, "approve")
    trigger = app.payloads("block_actions")[-1]["trigger_id"]
    await app.web.views_open(trigger_id=trigger, view=form)
    return bob


@pytest.fixture
async def opened(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> tuple[Person, SocketApp]:
    """Return Bob with the form before him, and the app that opened it."""
    return await _with_modal(sandbox, app, card, form), app


async def test_a_modal_is_filled_in_and_submitted(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """A submission arrives with state.values, ids and metadata, and an empty ack closes it."""
    bob = await _with_modal(sandbox, app, card, form)
    shown = await bob.wait_for_modal(lambda view: view["callback_id"] == "reject")
    result = await bob.submit({"Reason": "not today", "percent": "5"})
    view = app.payloads("view_submission")[0]["view"]
    assert result.ok
    assert result.modal is None
    assert (view["id"], view["hash"]) == (shown["id"], shown["hash"])
    assert view["private_metadata"] == "cp-1"
    assert view["state"]["values"] == {
        "reason": {"text": {"type": "plain_text_input", "value": "not today"}},
        "percent": {"number": {"type": "number_input", "value": "5"}},
    }
    assert view["root_view_id"] == view["id"]
    assert view["previous_view_id"] is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("reason", "required")),
        ({"reason": "x" * 21}, ("reason", "20 characters")),
        ({"reason": "x", "percent": "1.5"}, ("percent", "whole number")),
        ({"reason": "x", "percent": "101"}, ("percent", "100 or less")),
        ({"reason": "x", "percent": "ten"}, ("percent", "number")),
    ],
)
async def test_the_client_refuses_a_bad_form_itself(
    opened: tuple[Person, SocketApp], values: Json, expected: tuple[str, str]
) -> None:
    """What Slack's client refuses never reaches the app."""
    bob, app = opened
    result = await bob.submit(values)
    assert not result.ok
    assert expected[1] in result.errors[expected[0]]
    assert app.payloads("view_submission") == []


def several(**more: Any) -> Json:
    """A field in which several options can be chosen."""
    options = [
        {"text": {"type": "plain_text", "text": text}, "value": text.lower()}
        for text in ("Canary", "Full", "Dry")
    ]
    element = {"type": "multi_static_select", "action_id": "on", "options": options, **more}
    label = {"type": "plain_text", "text": "On"}
    return {"type": "input", "block_id": "several", "label": label, "element": element}


async def test_several_options_are_sent_in_the_order_they_were_chosen(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """A multi select sends its selected_options, by value or by what the person reads."""
    asking = {**form, "blocks": [*form["blocks"], several()]}
    bob = await _with_modal(sandbox, app, card, asking)
    await bob.submit({"Reason": "why", "percent": "5", "On": ["Full", "canary", "full"]})
    view = app.payloads("view_submission")[0]["view"]
    entry = view["state"]["values"]["several"]["on"]
    assert entry["type"] == "multi_static_select"
    assert [option["value"] for option in entry["selected_options"]] == ["full", "canary"]


async def test_what_a_multi_select_does_not_take(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """Nothing chosen, too much chosen and what is not on offer never reach the app."""
    asking = {**form, "blocks": [*form["blocks"], several(max_selected_items=1)]}
    bob = await _with_modal(sandbox, app, card, asking)
    rest = {"Reason": "why", "percent": "5"}
    empty = await bob.submit({**rest, "On": []})
    assert empty.modal["errors"] == {"several": "Please complete this required field."}
    many = await bob.submit({**rest, "On": ["canary", "full"]})
    assert many.modal["errors"] == {"several": "Choose 1 at most."}
    with pytest.raises(CannotDo, match="not an option"):
        await bob.submit({**rest, "On": ["half"]})
    assert app.payloads("view_submission") == []


async def test_field_errors_keep_the_modal_open(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """response_action errors shows them under the inputs and keeps what was typed."""
    bob = await _with_modal(sandbox, app, card, form)
    app.answers["view_submission"] = lambda _: {
        "response_action": "errors",
        "errors": {"reason": "Say more."},
    }
    result = await bob.submit({"reason": "no"})
    assert result.errors == {"reason": "Say more."}
    assert result.modal is not None
    assert result.modal["state"]["values"]["reason"]["text"]["value"] == "no"


async def test_a_submission_answers_with_update_push_and_clear(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """response_action update replaces, push stacks up to three, clear closes everything."""
    bob = await _with_modal(sandbox, app, card, form)
    changed = {**form, "callback_id": "second"}
    app.answers["view_submission"] = lambda _: {"response_action": "update", "view": changed}
    result = await bob.submit({"reason": "one"})
    assert result.modal is not None
    assert result.modal["callback_id"] == "second"
    app.answers["view_submission"] = lambda _: {"response_action": "push", "view": form}
    assert (await bob.submit({"reason": "two"})).modal["depth"] == 2
    assert (await bob.submit({"reason": "three"})).modal["depth"] == 3
    fourth = await bob.submit({"reason": "four"})
    assert not fourth.ok
    assert "push_limit_reached" in str(fourth.error)
    app.answers["view_submission"] = lambda _: {"response_action": "clear"}
    assert (await bob.submit({"reason": "five"})).modal is None


@pytest.mark.parametrize(
    "ack",
    [
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "update", "view": {"type": "modal", "blocks": []}},
        {"response_action": "update"},
        {"response_action": "dance"},
    ],
)
async def test_a_bad_ack_is_trouble_connecting(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json, ack: Json
) -> None:
    """An ack Slack cannot follow shows the connection error and keeps the input."""
    bob = await _with_modal(sandbox, app, card, form)
    app.answers["view_submission"] = lambda _: ack
    result = await bob.submit({"reason": "kept"})
    assert not result.ok
    assert result.modal is not None
    assert result.modal["trouble"] == "We had some trouble connecting. Try again?"
    assert result.modal["state"]["values"]["reason"]["text"]["value"] == "kept"


async def test_a_late_ack_keeps_the_modal_and_its_input(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """A submission nobody acks in time shows the connection error."""
    bob = await _with_modal(sandbox, app, card, form)
    app.silent.add("view_submission")
    sandbox.slack.app.ack_timeout = 0.1
    result = await bob.submit({"reason": "kept"})
    assert "trouble connecting" in str(result.error)
    assert result.modal is not None


async def test_closing_a_modal_tells_the_app_if_it_asked(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """view_closed follows notify_on_close, one per view, cleared when the stack is closed."""
    bob = await _with_modal(sandbox, app, card, form)
    await bob.close_modal()
    assert app.payloads("view_closed")[0]["is_cleared"] is False
    assert await bob.modal() is None
    with pytest.raises(CannotDo):
        await bob.close_modal()


async def test_an_update_keeps_what_was_typed_under_the_same_ids(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """views.update keeps an answer whose block_id and action_id stay, and drops others."""
    bob = await _with_modal(sandbox, app, card, form)
    await bob.fill({"reason": "typed", "percent": "7"})
    view = await bob.modal()
    assert view is not None
    form["blocks"][1]["block_id"] = "percent-2"
    await app.web.views_update(view_id=view["id"], hash=view["hash"], view=form)
    values = (await bob.modal())["state"]["values"]
    assert values["reason"]["text"]["value"] == "typed"
    assert values["percent-2"]["number"]["value"] is None


async def test_a_button_in_a_modal_sends_the_view(
    sandbox: Sandbox, app: SocketApp, card: Json, form: Json
) -> None:
    """block_actions from a modal carries the view and its state, and may push another."""
    form["blocks"].append(card["blocks"][0])
    bob = await _with_modal(sandbox, app, card, form)
    await bob.click_modal("approve", values={"reason": "half"})
    payload = app.payloads("block_actions")[-1]
    assert payload["container"]["type"] == "view"
    assert payload["view"]["state"]["values"]["reason"]["text"]["value"] == "half"
    assert "response_url" not in payload
    await app.web.views_push(trigger_id=payload["trigger_id"], view=form)
    pushed = await bob.modal()
    assert pushed["depth"] == 2


async def test_a_command_arrives_with_ids_for_names(sandbox: Sandbox, app: SocketApp) -> None:
    """should_escape turns known names into ids and leaves the unknown as they are."""
    await sandbox.person("U0BOB").slash("/checkpoints show @ana #general @nobody <b>")
    fields = await app.next("slash_commands")
    assert fields["text"] == "show <@U0ANA|ana> <#C0GENERAL|general> @nobody &lt;b&gt;"
    assert fields["command"] == "/checkpoints"
    assert (fields["user_id"], fields["channel_name"]) == ("U0BOB", "approvals")
    await sandbox.person("U0BOB").slash("/plain @ana")
    assert (await app.next("slash_commands", 2))["text"] == "@ana"


@pytest.mark.parametrize(("kind", "seen_by_ana"), [("ephemeral", 0), ("in_channel", 1)])
async def test_a_command_is_answered_in_its_ack(
    sandbox: Sandbox, app: SocketApp, kind: str, seen_by_ana: int
) -> None:
    """The ack's text shows to the person alone, or to everybody with in_channel."""
    app.answers["slash_commands"] = lambda _: {"response_type": kind, "text": "Nothing waits."}
    bob = sandbox.person("U0BOB")
    assert (await bob.slash("/checkpoints")).ok
    await bob.wait_for_message(lambda m: m["text"] == "Nothing waits.")
    assert len(await sandbox.person("U0ANA").messages()) == seen_by_ana


async def test_commands_that_fail_say_so_privately(sandbox: Sandbox, app: SocketApp) -> None:
    """Unknown, threaded, unanswered and badly answered commands show Slack's own errors."""
    bob = sandbox.person("U0BOB")
    assert (await bob.slash("/nope")).error == "/nope is not a valid command."
    assert "threads" in str((await bob.slash("/checkpoints", in_thread=True)).error)
    app.answers["slash_commands"] = lambda _: {"blocks": [{"type": "marquee"}]}
    assert "invalid_command_response" in str((await bob.slash("/checkpoints")).error)
    app.silent.add("slash_commands")
    sandbox.slack.app.ack_timeout = 0.1
    assert "operation_timeout" in str((await bob.slash("/checkpoints")).error)
    assert len(await bob.ephemerals()) == 4


async def test_a_global_shortcut_arrives_without_a_channel(
    sandbox: Sandbox, app: SocketApp
) -> None:
    """It says who, which and a trigger that opens a modal; the state lists what is on offer."""
    bob = sandbox.person("U0BOB")
    assert (await bob.state())["shortcuts"] == [
        {
            "name": "My approvals",
            "callback_id": "my_approvals",
            "description": "What waits for you.",
        }
    ]
    assert (await bob.shortcut("my_approvals")).ok
    payload = await app.next("shortcut")
    assert payload["callback_id"] == "my_approvals"
    assert (payload["user"]["id"], payload["team"]["id"]) == ("U0BOB", "T0SANDBOX")
    assert not {"channel", "response_url", "view"} & payload.keys()
    form = {"type": "modal", "title": {"type": "plain_text", "text": "Mine"}}
    await app.web.views_open(
        trigger_id=payload["trigger_id"], view={**form, "blocks": [{"type": "divider"}]}
    )
    assert (await bob.wait_for_modal())["title"]["text"] == "Mine"


async def test_shortcuts_that_are_not_on_offer_or_not_answered(
    sandbox: Sandbox, app: SocketApp
) -> None:
    """Unknown ones, those of messages and other companies' people: none; silence is an error."""
    bob = sandbox.person("U0BOB")
    for callback_id in ("nope", "about"):
        with pytest.raises(CannotDo, match="no shortcut"):
            await bob.shortcut(callback_id)
    with pytest.raises(CannotDo, match="no shortcut"):
        await sandbox.person("U0EVE").shortcut("my_approvals")
    app.silent.add("shortcut")
    sandbox.slack.app.ack_timeout = 0.1
    assert "operation_timeout" in str((await bob.shortcut("my_approvals")).error)


async def test_a_stranger_keeps_their_own_team_id(
    sandbox: Sandbox, app: SocketApp, card: Json
) -> None:
    """A Slack Connect user's clicks name their team in `user` and ours in `team`."""
    ts = (await app.web.chat_postMessage(**{**card, "channel": "C0SHARED"}))["ts"]
    eve = sandbox.person("U0EVE")
    await eve.click("C0SHARED", ts, "approve")
    payload = app.payloads("block_actions")[0]
    assert (payload["user"]["team_id"], payload["team"]["id"]) == ("T0OTHER", "T0SANDBOX")
    assert not (await eve.slash("/checkpoints", channel="C0SHARED")).ok
    with pytest.raises(CannotDo):
        await eve.click("C0APPROVE", ts, "approve")


async def test_the_home_tab_is_published_on_opening(sandbox: Sandbox, app: SocketApp) -> None:
    """app_home_opened tells the tab, and views.publish is seen by that person only."""
    bob = sandbox.person("U0BOB")
    await bob.open_home()
    event = (await app.next("app_home_opened"))["event"]
    assert (event["user"], event["tab"]) == ("U0BOB", "home")
    await app.web.views_publish(
        user_id="U0BOB", view={"type": "home", "blocks": [{"type": "divider"}]}
    )
    assert (await bob.wait_for_home())["type"] == "home"
    assert await sandbox.person("U0ANA").home() is None


async def test_waiting_sees_what_comes_later(sandbox: Sandbox, client: Any) -> None:
    """wait_for_message returns when the message appears, and gives up in time."""
    bob = sandbox.person("U0BOB")
    waiting = asyncio.create_task(bob.wait_for_message(lambda m: m["text"] == "later"))
    await asyncio.sleep(0.05)
    await client.chat_postMessage(channel="#approvals", text="later")
    assert (await waiting)["channel"] == "C0APPROVE"
    with pytest.raises(NeverSeen):
        await bob.wait_for_message(lambda m: m["text"] == "never", 0.05)


async def test_threads_and_broadcasts(sandbox: Sandbox, client: Any) -> None:
    """A reply stands in its thread only, a broadcast one in the channel too."""
    ts = (await client.chat_postMessage(channel="C0APPROVE", text="card"))["ts"]
    await client.chat_postMessage(channel="C0APPROVE", text="a", thread_ts=ts)
    await client.chat_postMessage(channel="C0APPROVE", text="b", thread_ts=ts, reply_broadcast=True)
    bob = sandbox.person("U0BOB")
    assert [m["text"] for m in await bob.messages()] == ["card", "b"]
    assert [m["text"] for m in await bob.thread("C0APPROVE", ts)] == ["a", "b"]
    assert (await bob.messages())[0]["reply_count"] == 2
