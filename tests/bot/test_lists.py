"""What `/checkpoints` answers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import lists, notices
from bot.cards import Message
from bot.tokens import ListKind, ListState, parse_list_state
from bot.typed import NotUnderstood
from engine import (
    Caller,
    Checkpoint,
    CheckpointView,
    Cursor,
    Entitlement,
    Identity,
    IdentityKind,
    Page,
    Role,
    Standing,
    Surface,
)
from tests.bot import hostile
from tests.bot.views import (
    CHECKPOINT_ID,
    DECIDED_AT,
    DIGEST,
    EXPIRES_AT,
    SECRET,
    approved,
    assert_message,
    checkpoint,
    stopped,
    waiting,
    words,
)

MORE = Cursor(EXPIRES_AT, CHECKPOINT_ID)
EVE = Caller(
    identity=Identity(IdentityKind.SLACK, "T1", "U0EVE"), surface=Surface.SLACK, name="Eve"
)


def _page(*items: Checkpoint, after: Cursor | None = None) -> Page:
    return Page(items, after, DECIDED_AT)


def _buttons(message: Message, action_id: str) -> list[dict[str, Any]]:
    found = [
        element
        for block in message.blocks
        for element in (*block.get("elements", ()), block.get("accessory") or {})
    ]
    return [element for element in found if element.get("action_id") == action_id]


def test_a_row_says_what_waits_how_long_and_until_when() -> None:
    """Prompt, DAG, tenant, age and deadline fit in a row."""
    message = lists.pending_list(_page(checkpoint()), ListState())
    assert_message(message)
    read = words(message.blocks)
    for expected in (
        "Waiting for a decision:",
        "Deploy 1.2 to production?",
        "deploy · approve_release · acme",
        "waiting 12 min",
        "Expires <!date^",
    ):
        assert expected in read


def test_each_row_has_one_button_that_leads_to_the_details() -> None:
    """Review carries what the card's buttons carry."""
    message = lists.pending_list(_page(checkpoint(), checkpoint()), ListState())
    values = [button["value"] for button in _buttons(message, "review")]
    assert values == [f"{CHECKPOINT_ID}.{DIGEST}"] * 2


def test_a_list_says_how_old_it_is_and_can_be_refreshed() -> None:
    """Slack cannot redraw it unasked, so it tells its time."""
    message = lists.pending_list(_page(checkpoint()), ListState(tenant="acme"))
    assert f"as of <!date^{int(DECIDED_AT.timestamp())}^{{time}}|" in words(message.blocks)
    [refresh] = _buttons(message, "refresh")
    assert parse_list_state(refresh["value"]) == ListState(tenant="acme")


def test_a_long_list_turns_pages() -> None:
    """Next leads on with the same filters; later pages lead back to the first."""
    state = ListState(kind=ListKind.MINE, tenant="acme", dag="deploy")
    [following] = _buttons(lists.pending_list(_page(checkpoint(), after=MORE), state), "next")
    led_to = parse_list_state(following["value"])
    assert led_to == replace(state, cursor=MORE)
    last = lists.pending_list(_page(checkpoint()), replace(state, cursor=MORE))
    assert _buttons(last, "next") == []
    [first] = _buttons(last, "refresh")
    assert first["text"]["text"] == "First page"
    assert parse_list_state(first["value"]) == state


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ListState(), "Nothing waits for a decision right now."),
        (ListState(kind=ListKind.MINE), "Nothing waits for you right now."),
        (
            ListState(tenant="acme", dag="deploy"),
            "Nothing waits for a decision, tenant acme, dag deploy right now.",
        ),
        (ListState(cursor=MORE), "Nothing more waits for a decision right now."),
    ],
)
def test_an_empty_list_says_so_kindly(state: ListState, expected: str) -> None:
    """No rows is an answer, with the filters it holds for."""
    message = lists.pending_list(_page(), state)
    assert_message(message)
    assert expected in words(message.blocks)
    assert expected in message.text


@pytest.mark.parametrize("view", [waiting(), approved()])
def test_one_checkpoint_is_shown_in_short(view: CheckpointView) -> None:
    """`show` gives the request with Review, secrets masked."""
    message = lists.show(view)
    assert_message(message)
    assert len(_buttons(message, "review")) == 1
    assert SECRET not in message.text + str(message.blocks)


def test_whoami_names_every_role_with_its_source() -> None:
    """People see what they may do where, and why."""
    roles = {
        "globex": Entitlement(Role.ADMIN, "signoff roles"),
        "acme": Entitlement(Role.VIEWER, "signoff.toml"),
    }
    message = lists.whoami(EVE, roles)
    assert_message(message)
    assert message.text == (
        "You are Eve (slack:T1:U0EVE).\nacme: Viewer (signoff.toml)\nglobex: Admin (signoff roles)"
    )


def test_whoami_tells_somebody_without_a_role_how_to_get_one() -> None:
    """Nothing is not left unexplained."""
    message = lists.whoami(replace(EVE, standing=Standing.GUEST), {})
    assert_message(message)
    assert "a guest" in message.text
    assert "You hold no role in any tenant" in message.text
    assert "signoff roles grant" in words(message.blocks)


def test_whoami_survives_hundreds_of_tenants() -> None:
    """Many roles are counted, not refused by Slack."""
    roles = {f"t{number}": Entitlement(Role.VIEWER, "x" * 500) for number in range(300)}
    message = lists.whoami(EVE, roles)
    assert_message(message)
    assert "and 270 more tenants" in words(message.blocks)


def test_help_is_under_the_registered_name() -> None:
    """A renamed command is explained by its name."""
    message = lists.usage("/approvals")
    assert_message(message)
    assert "/approvals whoami" in message.text


def test_a_list_says_that_everything_stands_still() -> None:
    """In its head, with who and why; somebody erased has no name any more."""
    page = replace(_page(checkpoint()), standstill=stopped())
    message = lists.pending_list(page, ListState())
    assert_message(message)
    assert "by Ana: site down" in words(message.blocks)
    assert "Signoff stands still since 2026-01-02 14:02 UTC by Ana: site down." in message.text
    nameless = replace(page, standstill=stopped(name="", reason=""))
    assert "by (name erased)" in words(lists.pending_list(nameless, ListState()).blocks)


def test_a_notice_is_a_message() -> None:
    """Errors and misunderstandings are answered like anything else."""
    message = lists.notice(notices.not_understood(NotUnderstood("<!here>", "help")))
    assert_message(message)
    assert "I do not understand <!here>" in words(message.blocks)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(hostile.view(), min_size=1, max_size=3), hostile.text, hostile.text)
def test_whatever_others_write_slack_takes_the_list(
    views: list[CheckpointView], name: str, source: str
) -> None:
    """Hostile prompts and names make valid lists that cannot act."""
    rows = [replace(view.checkpoint) for view in views] * lists.PAGE_ROWS
    page = replace(_page(*rows, after=MORE), standstill=stopped(name, source))
    assert_message(lists.pending_list(page, ListState(tenant="a" * 100)))
    assert_message(lists.show(views[0]))
    held = {name: Entitlement(Role.ADMIN, source)}
    assert_message(lists.whoami(replace(EVE, name=name), held))
    assert_message(lists.notice(notices.unknown_id(name)))


def test_a_page_is_told_by_the_clock_of_the_database() -> None:
    """Age is measured against the instant the page was read."""
    page = Page((checkpoint(),), None, DECIDED_AT + timedelta(hours=3))
    assert "waiting 3 h 12 min" in words(lists.pending_list(page, ListState()).blocks)
