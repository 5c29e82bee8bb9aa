"""A page of one's own: the Home tab, and the modal of "My approvals"."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import home, notices
from bot.home_payloads import (
    HomeTurn,
    Opened,
    Shortcut,
    parse_home_turn,
    parse_opened,
    parse_shortcut,
)
from bot.payloads import Malformed, Who
from bot.tokens import HomeState, ListKind, ListState, parse_home_state, parse_list_state
from engine import (
    Caller,
    CheckpointView,
    Choice,
    Cursor,
    Delegation,
    DelegationView,
    Entitlement,
    Identity,
    IdentityKind,
    Overview,
    Page,
    PersonFile,
    Role,
    Said,
    Surface,
    Tally,
)
from engine.identity import DelegationId, PersonId
from tests.bot import hostile
from tests.bot.views import (
    ASKED_AT,
    CHECKPOINT_ID,
    DECIDED_AT,
    EXPIRES_AT,
    SECRET,
    approved,
    assert_view,
    broken,
    checkpoint,
    expired,
    stopped,
    words,
)

MORE = Cursor(EXPIRES_AT, CHECKPOINT_ID)
EVE = Caller(
    identity=Identity(IdentityKind.SLACK, "T1", "U0EVE"), surface=Surface.SLACK, name="Eve"
)
OPERATOR = {"acme": Entitlement(Role.OPERATOR, "signoff.toml: U0EVE")}
FIRST = HomeState()
WHO = Who(realm="T1", user_id="U0EVE", name="eve")


def seen(*waits: Any, **changes: Any) -> Overview:
    """What an Operator sees of whom these wait for."""
    made = Overview(
        roles=OPERATOR,
        waiting=Page(waits, None, DECIDED_AT),
        tally=Tally(len(waits), is_all=True),
        asked=(),
        said=(),
        filed=None,
    )
    return replace(made, **changes)


def filed(reason: str = "on leave", name: str = "Ana") -> PersonFile:
    """Eve, to whom Ana lends her place."""
    lent = Delegation(
        id=DelegationId("dl_0123456789ab"),
        delegator=PersonId("pn_ana"),
        delegate=PersonId("pn_eve"),
        starts_at=ASKED_AT,
        ends_at=EXPIRES_AT,
        reason=reason,
    )
    return PersonFile(
        id=PersonId("pn_eve"),
        name="Eve",
        disabled_at=None,
        accounts=(EVE.identity, Identity(IdentityKind.OS, "host", "eve")),
        delegations=(DelegationView(delegation=lent, delegator=name, delegate="Eve"),),
    )


def buttons(view: Any, action_id: str) -> list[dict[str, Any]]:
    found = [
        element
        for block in view["blocks"]
        for element in (*block.get("elements", ()), block.get("accessory") or {})
    ]
    return [element for element in found if element.get("action_id") == action_id]


def drawn(overview: Overview, state: HomeState = FIRST) -> dict[str, Any]:
    view = home.home_view(EVE, overview, state)
    assert_view(view)
    return view


def test_it_shows_what_waits_with_review_and_until_when() -> None:
    """As a list does; the number stands in the heading, and how old it is above."""
    view = drawn(seen(checkpoint(), checkpoint()))
    read = words(view)
    for expected in (
        "Waiting for you (2)",
        "Deploy 1.2 to production?",
        "deploy · approve_release · acme",
        "waiting 12 min",
        "Expires <!date^",
        "as of <!date^",
    ):
        assert expected in read
    assert len(buttons(view, "review")) == 2
    assert SECRET not in json.dumps(view)


def test_what_expires_soon_is_marked_with_the_time_left() -> None:
    """And counted above, so that it is not overlooked."""
    late = EXPIRES_AT - timedelta(hours=2)
    page = Page((checkpoint(), checkpoint()), None, late)
    read = words(drawn(seen(checkpoint(), checkpoint(), waiting=page)))
    assert "⌛ 2 expire soon" in read
    assert read.count("⌛ 2 h left") == 2
    assert "⌛" not in words(drawn(seen(checkpoint())))


def test_a_count_of_a_part_says_that_there_is_more() -> None:
    """Only so many rows are looked at."""
    part = seen(checkpoint(), tally=Tally(500, is_all=False))
    assert "Waiting for you (500+)" in words(drawn(part))


def test_pages_lead_on_and_back() -> None:
    """The way travels in the buttons, and is what was walked."""
    page = Page((checkpoint(),), MORE, DECIDED_AT)
    first = drawn(seen(checkpoint(), waiting=page))
    assert buttons(first, "home_back") == []
    [following] = buttons(first, "home_next")
    second = parse_home_state(following["value"])
    assert second == FIRST.then(MORE)
    [back] = buttons(drawn(seen(checkpoint()), second), "home_back")
    assert parse_home_state(back["value"]) == FIRST
    [refresh] = buttons(drawn(seen(checkpoint()), second), "home_refresh")
    assert parse_home_state(refresh["value"]) == second


def test_the_way_back_is_long_but_fits_into_a_button() -> None:
    """Slack takes 2,000 characters."""
    state = FIRST
    for _ in range(100):
        state = state.then(MORE)
    assert len(str(state)) <= 2_000
    assert parse_home_state(str(state)) == state
    for _ in range(100):
        state = state.before
    assert state == FIRST


def test_what_was_asked_and_answered_leads_to_details() -> None:
    """With how it stands now, broken glass and elsewhere told apart."""
    view = drawn(
        seen(
            asked=(checkpoint(), expired().checkpoint, broken().checkpoint),
            said=(Said(approved().checkpoint, Choice.APPROVE, DECIDED_AT),),
        )
    )
    read = words(view)
    for expected in (
        "You asked for",
        "⏳ Approval needed",
        "⌛ Expired",
        "🔨 Approved by break-glass",
        "You decided",
        "You approved <!date^",
        "✅ Approved",
    ):
        assert expected in read
    assert len(buttons(view, "details")) == 4
    assert "You asked for" not in words(drawn(seen()))


@pytest.mark.parametrize(
    ("overview", "state", "expected"),
    [
        (seen(), FIRST, "Nothing waits for you right now"),
        (seen(), FIRST.then(MORE), "Nothing more waits for you"),
        (seen(waiting=Page((), MORE, DECIDED_AT)), FIRST, "Next looks further"),
    ],
)
def test_an_empty_page_says_why(overview: Overview, state: HomeState, expected: str) -> None:
    """Kindly, and never that nothing waits where nobody has looked."""
    assert expected in words(drawn(overview, state))


def test_whoever_holds_no_role_is_told_whom_to_ask() -> None:
    """Instead of lists that would always be empty."""
    nobody = seen(roles={}, admins=("Ana", "S0ADMINS"))
    read = words(drawn(nobody))
    assert "You hold no role here yet" in read
    assert "Ask an Admin for one: Ana, S0ADMINS." in read
    assert "Waiting for you" not in read
    modal = home.mine_modal(nobody, FIRST)
    assert_view(modal)
    assert "You hold no role here yet" in words(modal)
    assert "Ask an Admin for one." in words(drawn(seen(roles={})))


def test_delegations_and_accounts_are_told_and_how_to_delegate() -> None:
    """Both ways: what is lent, and how to lend."""
    read = words(drawn(seen(filed=filed())))
    assert "Eve for Ana" in read
    assert "Known as" in read
    assert "/signoff delegate @NAME until friday" in read
    assert "You delegate to nobody, and nobody to you" in words(drawn(seen()))


def test_settings_and_deciding_several_are_a_button_away() -> None:
    """Several from two on, of the page one looks at."""
    state = FIRST.then(MORE)
    view = drawn(seen(checkpoint(), checkpoint()), state)
    assert len(buttons(view, "notifications")) == 1
    [several] = buttons(view, "several")
    assert parse_list_state(several["value"]) == ListState(kind=ListKind.MINE, cursor=MORE)
    assert buttons(drawn(seen(checkpoint())), "several") == []


def test_a_standstill_is_told() -> None:
    """It says why nothing goes on after an approval."""
    page = replace(Page((checkpoint(),), None, DECIDED_AT), standstill=stopped())
    assert "by Ana: site down" in words(drawn(seen(checkpoint(), waiting=page)))


def test_the_modal_of_the_shortcut_shows_what_waits_alone() -> None:
    """It opens at once, and becomes the list."""
    assert_view(home.loading())
    assert "One moment …" in words(home.loading())
    page = Page((checkpoint(),) * home.PAGE_ROWS, MORE, DECIDED_AT)
    view = home.mine_modal(seen(*page.items, waiting=page), FIRST)
    assert_view(view)
    assert view["title"]["text"] == "My approvals"
    assert len(buttons(view, "review")) == home.PAGE_ROWS
    assert len(buttons(view, "home_next")) == 1
    assert "You asked for" not in words(view)


def test_trouble_is_told_with_a_way_to_try_again() -> None:
    """Slack did not say who somebody is."""
    view = home.trouble_view(notices.look_up_failed(), FIRST)
    assert_view(view)
    assert len(buttons(view, "home_refresh")) == 1


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(hostile.view(), min_size=1, max_size=3), hostile.text, hostile.text)
def test_whatever_others_write_slack_takes_the_page(
    views: list[CheckpointView], name: str, reason: str
) -> None:
    """The fullest page of hostile texts is within Slack's limits and cannot act."""
    rows = [view.checkpoint for view in views]
    page = replace(
        Page(tuple((rows * home.PAGE_ROWS)[: home.PAGE_ROWS]), MORE, DECIDED_AT),
        standstill=stopped(name, reason),
    )
    lent = filed(reason, name)
    full = seen(
        *page.items,
        roles={f"{name}{n}": Entitlement(Role.ADMIN, reason) for n in range(50)},
        waiting=page,
        asked=tuple((rows * home.LATEST)[: home.LATEST]),
        said=tuple(Said(one, Choice.REJECT, DECIDED_AT) for one in (rows * 5)[: home.LATEST]),
        filed=replace(lent, delegations=lent.delegations * 30),
    )
    state = FIRST
    for _ in range(20):
        state = state.then(MORE)
    view = home.home_view(replace(EVE, name=name), full, state)
    assert_view(view)
    assert_view(home.mine_modal(full, state))
    assert_view(home.home_view(EVE, replace(full, roles={}, admins=(name,) * 5), state))
    assert len(json.dumps(view)) <= 250_000


# What comes back


def turned(value: object, kind: str = "home") -> dict[str, Any]:
    return {
        "user": {"id": "U0EVE", "team_id": "T1", "username": "eve"},
        "view": {"id": "V1", "type": kind},
        "actions": [{"action_id": "home_next", "value": value}],
    }


def test_a_turn_says_who_where_and_to_which_page() -> None:
    """In the Home tab, or in the modal."""
    state = FIRST.then(MORE)
    assert parse_home_turn(turned(str(state))) == HomeTurn(
        who=WHO, state=state, view_id="V1", is_in_modal=False
    )
    in_modal = parse_home_turn(turned(str(FIRST), "modal"))
    assert isinstance(in_modal, HomeTurn)
    assert in_modal.is_in_modal


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "[",
        "{}",
        '["x"]',
        '[["2026-01-02T00:00:00", "cp_0123456789ab"]]',  # of no zone
        '[["2026-01-02T00:00:00+00:00", "cp_x"]]',
        json.dumps([[EXPIRES_AT.isoformat(), CHECKPOINT_ID]] * 21),
    ],
)
def test_a_forged_page_is_malformed(value: object) -> None:
    """Nothing in a button's value is believed."""
    assert isinstance(parse_home_turn(turned(value)), Malformed)


def test_an_opening_is_of_the_home_tab_or_of_another() -> None:
    """Slack tells both by the same event, which names a user alone."""
    event = {"user": "U0EVE", "tab": "home", "channel": "D1"}
    who = Who(realm="T1", user_id="U0EVE", name="")
    assert parse_opened(event, "T1") == Opened(who=who, is_home=True)
    assert parse_opened({**event, "tab": "messages"}, "T1") == Opened(who=who, is_home=False)
    assert isinstance(parse_opened({"tab": "home"}, "T1"), Malformed)


def test_a_shortcut_says_who_and_opens_a_modal() -> None:
    """It has a trigger and no channel."""
    body = {"user": {"id": "U0EVE", "team_id": "T1", "name": "eve"}, "trigger_id": "1.2"}
    assert parse_shortcut(body) == Shortcut(who=WHO, trigger_id="1.2")
    assert isinstance(parse_shortcut({**body, "trigger_id": None}), Malformed)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_whatever_a_button_says_is_read_or_malformed(stored: object) -> None:
    """Never an exception."""
    parse_home_state(stored)
    parse_home_state(json.dumps(stored))
