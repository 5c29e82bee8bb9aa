"""What Slack sends becomes a value, or is malformed; never an exception."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.payloads import (
    Click,
    Command,
    Malformed,
    PageTurn,
    Place,
    Submission,
    Who,
    parse_click,
    parse_command,
    parse_page_turn,
    parse_start,
    parse_submission,
    parse_who,
)
from bot.tokens import (
    ListKind,
    ListState,
    Target,
    option_index,
    parse_form_state,
    parse_list_state,
    parse_target,
)
from bot.typed import Help, Listing
from bot.typed_runs import StartRun
from engine import Choice, Cursor, Identity, IdentityKind
from tests.bot.views import CHECKPOINT_ID, DIGEST, EXPIRES_AT

VALUE = f"{CHECKPOINT_ID}.{DIGEST}"
TARGET = Target(CHECKPOINT_ID, DIGEST)
ANA = Who(realm="T1TEAM", user_id="U0ANA", name="ana")
VIEW = {
    "id": "V1",
    "hash": "156.abc",
    "root_view_id": "V0",
    "callback_id": "decision_form",
    "private_metadata": f"{VALUE}.approve",
    "state": {
        "values": {
            "reason.1a2b3c4d": {"reason": {"type": "plain_text_input", "value": "looks good"}},
            "input:percent.1a2b3c4d": {"input:percent": {"type": "number_input", "value": "10"}},
            "input:dry.1a2b3c4d": {
                "input:dry": {
                    "type": "radio_buttons",
                    "selected_option": {
                        "text": {"type": "plain_text", "text": "No"},
                        "value": "false",
                    },
                }
            },
            "input:day.1a2b3c4d": {
                "input:day": {"type": "datepicker", "selected_date": "2026-01-31"}
            },
            "input:on.1a2b3c4d": {
                "input:on": {
                    "type": "multi_static_select",
                    "selected_options": [
                        {"text": {"type": "plain_text", "text": "EU"}, "value": "eu"},
                        {"text": {"type": "plain_text", "text": "US"}, "value": "us"},
                    ],
                }
            },
            "input:off.1a2b3c4d": {
                "input:off": {"type": "multi_static_select", "selected_options": []}
            },
            "input:note.1a2b3c4d": {"input:note": {"type": "plain_text_input", "value": None}},
        }
    },
}
CLICK: dict[str, Any] = {
    "type": "block_actions",
    "team": {"id": "T9HOME"},
    "user": {"id": "U0ANA", "username": "ana", "name": "ana", "team_id": "T1TEAM"},
    "enterprise": None,
    "trigger_id": "1.2.3",
    "response_url": "https://hooks.slack.com/actions/1",
    "container": {
        "type": "message",
        "message_ts": "1767362520.000100",
        "channel_id": "C0DEPLOY",
        "is_ephemeral": False,
    },
    "actions": [{"action_id": "approve", "value": VALUE, "type": "button"}],
}
IN_VIEW: dict[str, Any] = {
    **{key: value for key, value in CLICK.items() if key != "response_url"},
    "container": {"type": "view", "view_id": "V1"},
    "view": VIEW,
}
SENT: dict[str, Any] = {
    "type": "view_submission",
    "user": CLICK["user"],
    "enterprise": None,
    "trigger_id": "1.2.3",
    "view": VIEW,
}
TURN: dict[str, Any] = {
    **CLICK,
    "actions": [{"action_id": "next", "value": str(ListState(tenant="acme"))}],
}
TYPED: dict[str, Any] = {
    "command": "/checkpoints",
    "text": "",
    "team_id": "T1TEAM",
    "user_id": "U0ANA",
    "user_name": "ana",
    "channel_id": "C0DEPLOY",
    "trigger_id": "1.2.3",
    "response_url": "https://hooks.slack.com/commands/1",
}
PARSERS = (parse_click, parse_page_turn, parse_submission, parse_command, parse_start, parse_who)


def test_a_click_in_a_message() -> None:
    """Who, which request as shown, and where the button stood."""
    assert parse_click(CLICK) == Click(
        who=ANA,
        action_id="approve",
        target=TARGET,
        trigger_id="1.2.3",
        place=Place(channel="C0DEPLOY", message_ts="1767362520.000100", is_ephemeral=False),
        is_in_modal=False,
    )


def test_a_click_in_a_view() -> None:
    """It stands in no message, and what it opens goes on top of the view."""
    click = parse_click(IN_VIEW)
    assert isinstance(click, Click)
    assert (click.place, click.is_in_modal) == (None, True)
    at_home = parse_click({**IN_VIEW, "view": {"type": "home"}})
    assert isinstance(at_home, Click)
    assert (at_home.place, at_home.is_in_modal) == (None, False)


def test_somebody_of_another_workspace_is_not_taken_for_one_of_ours() -> None:
    """In a shared channel, the team of the body is ours and the team of the user is theirs."""
    who = parse_who(CLICK)
    assert isinstance(who, Who)
    assert who.identity == Identity(IdentityKind.SLACK, "T1TEAM", "U0ANA")


def test_an_enterprise_is_one_realm() -> None:
    """On Grid a person is the same in every workspace of the enterprise."""
    who = parse_who({**CLICK, "enterprise": {"id": "E1GRID", "name": "Grid"}})
    assert who == Who(realm="E1GRID", user_id="U0ANA", name="ana")


def test_a_submission_brings_reason_and_inputs_by_name() -> None:
    """Fields are read as text, or as lists of options; what was left empty is absent."""
    sent = parse_submission(SENT)
    assert isinstance(sent, Submission)
    assert (sent.who, sent.target, sent.choice) == (ANA, TARGET, Choice.APPROVE)
    assert sent.reason == "looks good"
    assert sent.inputs == {"percent": "10", "dry": "false", "day": "2026-01-31", "on": ["eu", "us"]}


@pytest.mark.parametrize(
    "entry",
    [
        {"selected_options": "eu"},
        {"selected_options": {"value": "eu"}},
        {"selected_options": ["eu"]},
        {"selected_options": [{"value": ""}]},
        {"selected_options": [{"value": 7}]},
        {"selected_options": [{"value": "eu"}] * 101},
        {"selected_option": ["eu"]},
        {"value": ["eu"]},
        {"value": 7},
    ],
)
def test_a_tampered_field_is_refused(entry: object) -> None:
    """What is neither a text nor a list of options did not come from our form."""
    values = {"input:on.1a2b3c4d": {"input:on": entry}}
    sent = {**SENT, "view": {**VIEW, "state": {"values": values}}}
    assert isinstance(parse_submission(sent), Malformed)


@pytest.mark.parametrize(
    ("action_id", "index"),
    [
        *(("option:0", 0), ("option:12", 12), ("option:123", None), ("option:-1", None)),
        *(("option:", None), ("option:0 ", None), ("option:\u0663", None), ("approve", None)),
    ],
)
def test_a_button_for_an_option_carries_its_place(action_id: str, index: int | None) -> None:
    """Never its text; anything else is no such button."""
    assert option_index(action_id) == index


def test_a_page_turn_brings_the_state_of_the_list() -> None:
    """Refresh and Next know which page they lead to."""
    assert parse_page_turn(TURN) == PageTurn(
        who=ANA, state=ListState(tenant="acme"), response_url=CLICK["response_url"]
    )


def test_a_command_brings_what_was_asked_for() -> None:
    """The command under its registered name, and by whom."""
    assert parse_command({**TYPED, "text": "help"}) == Command(
        who=ANA,
        request=Help(),
        command="/checkpoints",
        response_url="https://hooks.slack.com/commands/1",
        trigger_id="1.2.3",
    )
    on_grid = parse_command({**TYPED, "enterprise_id": "E1GRID"})
    assert isinstance(on_grid, Command)
    assert (on_grid.who.realm, on_grid.request) == ("E1GRID", Listing(ListState()))


def test_a_command_that_starts_a_run_is_read_as_that() -> None:
    """The same account and places, another grammar."""
    typed = parse_start({**TYPED, "command": "/signoff", "text": "run deploy version=1.4"})
    assert isinstance(typed, Command)
    assert (typed.who, typed.command) == (ANA, "/signoff")
    assert typed.request == StartRun("deploy", {"version": "1.4"})


@pytest.mark.parametrize(
    "value",
    [
        "",
        VALUE + "0",
        VALUE.upper(),
        f"{CHECKPOINT_ID}",
        f"{CHECKPOINT_ID}.{DIGEST[:-1]}",
        f"{CHECKPOINT_ID}.{DIGEST[:-1]}g",
        f"cp_0123456789a.{DIGEST}",
        f"cp_0123456789abc.{DIGEST}",
        f"run_123456789ab.{DIGEST}",
        f"{VALUE}\n",
        f" {VALUE}",
        f"{VALUE}.approve",
        None,
        7,
        {"checkpoint": CHECKPOINT_ID},
    ],
)
def test_a_tampered_button_names_nothing(value: object) -> None:
    """Anything but our own form of id and digest is refused before it is looked up."""
    assert parse_target(value) is None
    action = {"action_id": "approve", "value": value}
    assert isinstance(parse_click({**CLICK, "actions": [action]}), Malformed)


@pytest.mark.parametrize("metadata", ["", VALUE, f"{VALUE}.escalate", f"{VALUE}.approve.", None])
def test_a_tampered_form_names_nothing(metadata: object) -> None:
    """Private metadata that is not ours is refused."""
    assert parse_form_state(metadata) is None
    sent = {**SENT, "view": {**VIEW, "private_metadata": metadata}}
    assert isinstance(parse_submission(sent), Malformed)


@given(
    st.sampled_from(ListKind),
    st.none() | st.text(max_size=100),
    st.none() | st.text(max_size=100),
    st.none() | st.just(Cursor(EXPIRES_AT, CHECKPOINT_ID)),
)
def test_the_state_of_a_list_survives_a_button(
    kind: ListKind, tenant: str | None, dag: str | None, cursor: Cursor | None
) -> None:
    """What Refresh and Next carry reads back equal, and fits a button."""
    state = ListState(kind=kind, tenant=tenant, dag=dag, cursor=cursor)
    assert parse_list_state(str(state)) == state
    assert len(str(state)) <= 2_000


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{}",
        "[]",
        "null",
        '["every",null,null,null]',
        '["list",7,null,null]',
        '["list",null,null,["2026-01-05T13:50:00","cp_0123456789ab"]]',
        '["list",null,null,["soon","cp_0123456789ab"]]',
        '["list",null,null,["0001-01-01T00:00:00+23:00","cp_0123456789ab"]]',
        '["list",null,null,["2026-01-05T13:50:00+00:00","1; drop"]]',
        "[" * 1_999,
        "9" * 3_000,
        None,
    ],
)
def test_a_tampered_list_state_is_refused(value: object) -> None:
    """Wrong kinds, naive or impossible times and strange ids lead nowhere."""
    assert parse_list_state(value) is None
    action = {"action_id": "next", "value": value}
    assert isinstance(parse_page_turn({**TURN, "actions": [action]}), Malformed)


def test_a_huge_state_is_not_parsed() -> None:
    """A value longer than Slack allows did not come from our button."""
    assert parse_list_state(json.dumps(["list", "x" * 3_000, None, None])) is None


def _paths(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = (
        body.items()
        if isinstance(body, dict)
        else enumerate(body)
        if isinstance(body, list)
        else ()
    )
    for key, inner in pairs:
        yield from _paths(inner, (*path, key))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@example([])
@example({"actions": [], "user": "ana", "view": []})
@example({"user": {"id": ["U1"], "team_id": {}}, "actions": {"0": 1}})
def test_arbitrary_json_is_malformed(body: object) -> None:
    """Nothing that is not a Slack payload gets through, and nothing raises."""
    for parse in PARSERS:
        assert isinstance(parse(body), Malformed)


@settings(max_examples=300)
@given(st.sampled_from([CLICK, IN_VIEW, SENT, TURN, TYPED]), st.data())
def test_a_payload_with_one_part_replaced_never_raises(
    original: dict[str, Any], data: st.DataObject
) -> None:
    """Any part replaced by anything gives a value or is malformed, without quoting it."""
    body = copy.deepcopy(original)
    *way, last = data.draw(st.sampled_from(sorted(_paths(body), key=str)))
    holder: Any = body
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(JSON)
    for parse in PARSERS:
        parsed = parse(body)
        assert isinstance(parsed, (Click, PageTurn, Submission, Command, Who, Malformed))


@pytest.mark.parametrize("missing", ["user", "actions", "trigger_id"])
def test_what_a_click_cannot_do_without(missing: str) -> None:
    """A click without a user, an action or a trigger is malformed, and why is said."""
    parsed = parse_click({key: value for key, value in CLICK.items() if key != missing})
    assert isinstance(parsed, Malformed)
    assert missing in parsed.why
