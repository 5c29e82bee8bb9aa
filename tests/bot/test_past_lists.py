"""What ended, runs and numbers, as private answers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import doctor_notices, lists, notices, past_lists
from bot.cards import Message
from bot.page_states import PastKind, PastState, parse_page_state
from bot.stats import bar, stats
from bot.tokens import ListState
from bot.wording import plain_line
from engine import (
    Ailments,
    ApprovalTally,
    CheckpointState,
    CheckpointView,
    Entitlement,
    Mark,
    PastPage,
    Principal,
    ReviewSummary,
    Role,
    RunLine,
    RunPage,
    RunState,
    Waits,
)
from tests.bot import hostile
from tests.bot.test_lists import EVE
from tests.bot.views import (
    ANA,
    CHECKPOINT_ID,
    DECIDED_AT,
    DIGEST,
    approved,
    assert_message,
    checkpoint,
    rejected,
    run,
    stopped,
    words,
)

HISTORY, RUNS, STATS = (PastState(kind=kind) for kind in PastKind)
MORE = Mark(DECIDED_AT, CHECKPOINT_ID)
WEEK = ApprovalTally(
    tenants=("acme",),
    dag=None,
    since=DECIDED_AT - timedelta(days=7),
    as_of=DECIDED_AT,
    asked=5,
    ended={
        CheckpointState.APPROVED: 3,
        CheckpointState.REJECTED: 1,
        CheckpointState.EXPIRED: 0,
        CheckpointState.CANCELLED: 0,
    },
    by_rule=1,
    waits=Waits(2, timedelta(minutes=4), timedelta(hours=2)),
    pending=1,
    oldest=DECIDED_AT - timedelta(hours=3),
)
WELL = Ailments(
    given_up=(),
    held=(),
    others=0,
    standstill=None,
    has_worker=True,
    unreachable=(),
    reviews=ReviewSummary(0, None),
)


def _buttons(message: Message, action_id: str) -> list[dict[str, Any]]:
    found = [
        element
        for block in message.blocks
        for element in (*block.get("elements", ()), block.get("accessory") or {})
    ]
    return [element for element in found if element.get("action_id") == action_id]


def test_a_row_of_history_says_how_it_ended_and_by_whom() -> None:
    """State, subject, tenant, who and when; its button opens the details."""
    page = PastPage((approved(), rejected()), None, DECIDED_AT)
    message = past_lists.history(page, HISTORY)
    assert_message(message)
    read = words(message.blocks)
    for expected in ("✅ Approved: deploy", "❌ Rejected", "acme", "after 12 min", "as of <!date^"):
        assert expected in read
    assert [b["value"] for b in _buttons(message, "details")] == [f"{CHECKPOINT_ID}.{DIGEST}"] * 2


def test_history_leads_on_and_back_with_its_filters() -> None:
    """Next carries the mark, First page does not; both keep what it is narrowed to."""
    state = replace(HISTORY, state="approved", by="U0ANA", since=DECIDED_AT, tenant="acme")
    message = past_lists.history(PastPage((approved(),), MORE, DECIDED_AT), state)
    [following] = _buttons(message, "next")
    assert parse_page_state(following["value"]) == replace(state, cursor=MORE)
    last = past_lists.history(PastPage((), None, DECIDED_AT), replace(state, cursor=MORE))
    assert_message(last)
    assert "Nothing ended before that, tenant acme, state approved, by U0ANA" in last.text
    assert _buttons(last, "next") == []
    [first] = _buttons(last, "refresh")
    assert (first["text"]["text"], parse_page_state(first["value"])) == ("First page", state)


def test_a_run_says_what_it_waits_for_and_offers_to_review_it() -> None:
    """An ended one says when it ended, and offers nothing."""
    waits = RunLine(run(), ANA, (checkpoint(),) * 5)
    ended = RunLine(run(RunState.SUCCEEDED, ended_at=DECIDED_AT), ANA, ())
    message = past_lists.runs(RunPage((waits, ended), None, DECIDED_AT), RUNS)
    assert_message(message)
    read = words(message.blocks)
    assert "waits for approve_release, approve_release, approve_release, 2 more" in read
    assert "by Ana" in read
    assert "ended <!date^" in read
    assert len(_buttons(message, "review")) == 1


def test_stats_draw_bars_and_say_the_rest_in_words() -> None:
    """The most common end fills its bar; screen readers get the numbers."""
    message = stats(WEEK, STATS)
    assert_message(message)
    read = words(message.blocks)
    assert "Approvals in the last 7 days:" in read
    assert f"approved   {'█' * 20}  3 (1 by rule)" in read
    assert f"rejected   {'█' * 6}{'░' * 14}  1" in read
    for expected in (
        "asked 5",
        "approval rate 75%",
        "median 4 min, p95 2 h",
        "waiting now 1, the oldest for 3 h",
    ):
        assert expected in read
        assert expected in message.text
    [again] = _buttons(message, "refresh")
    assert parse_page_state(again["value"]) == STATS


def test_stats_of_nothing_divide_by_nothing() -> None:
    """No rate, no times; the bars are empty."""
    nothing = replace(
        WEEK, asked=0, ended=dict.fromkeys(WEEK.ended, 0), waits=None, pending=0, oldest=None
    )
    read = words(stats(nothing, STATS).blocks)
    for expected in ("nothing was decided", "nothing waits now", "░" * 20):
        assert expected in read
    assert "█" not in read


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_bar_is_empty_for_nothing_only(count: int, most: int) -> None:
    """Something is seen of a single one among a million."""
    drawn = bar(min(count, most), most)
    assert len(drawn) == 20
    assert ("█" in drawn) is (count > 0)


def test_whoami_says_which_grant_and_why() -> None:
    """A group with how old the word is, an address, an account; each with its age."""
    held = {
        tenant: Entitlement(
            Role.OPERATOR,
            "signoff.toml",
            principal=Principal.parse(principal),
            grant_number=number,
            granted_at=DECIDED_AT,
        )
        for number, (tenant, principal) in enumerate(
            (("a", "S0OPS"), ("b", "eve@example.com"), ("c", "U0EVE"))
        )
    }
    caller = replace(EVE, group_ages={"S0OPS": 12.0})
    _, by_group, by_mail, by_id = map(plain_line, notices.whoami_lines(caller, held))
    since = "since 2026-01-02 14:02 UTC"
    assert by_group.startswith("a: Operator (signoff.toml), because you are in S0OPS, as of 12 s")
    assert by_mail == f"b: Operator (signoff.toml), because of your address, {since}, grant 1"
    assert by_id == f"c: Operator (signoff.toml), because it names you, {since}, grant 2"
    assert_message(lists.whoami(caller, held))


HERE = doctor_notices.Here(host="host", connections=(2, 2))


def test_a_doctor_says_that_all_is_fine() -> None:
    """To anybody."""
    for said in (
        doctor_notices.for_admins(WELL, HERE),
        doctor_notices.for_others(WELL, HERE),
    ):
        assert said.headline == "All is fine"


@pytest.mark.parametrize(
    ("changes", "clock", "for_admin", "for_other"),
    [
        ({"standstill": stopped()}, None, "by Ana: site down", "by Ana: site down"),
        ({"has_worker": False}, None, "No worker runs on host", "is not well"),
        ({}, "it jumped", "it jumped", "is not well"),
        ({"others": 2}, None, "2 things of other tenants", "2 things could not be told"),
        ({"reviews": ReviewSummary(1, DECIDED_AT)}, None, "1 review waits", "All is fine"),
    ],
)
def test_a_doctor_tells_admins_more(
    changes: dict[str, Any], clock: str | None, for_admin: str, for_other: str
) -> None:
    """Others learn that something is wrong, and whom to tell."""
    found = replace(WELL, **changes)
    here = replace(HERE, clock=clock)
    told = doctor_notices.for_admins(found, here)
    assert for_admin in str(told)
    assert_message(lists.notice(told))
    other = doctor_notices.for_others(found, here)
    assert for_other in str(other)
    assert_message(lists.notice(other))


def test_a_doctor_says_that_connections_are_missing() -> None:
    """How many to Admins, that something is not well to others; over HTTP there are none."""
    thin = replace(HERE, connections=(1, 2))
    assert "1 of 2 connections to Slack are open" in str(doctor_notices.for_admins(WELL, thin))
    assert "not well" in str(doctor_notices.for_others(WELL, thin))
    assert (
        doctor_notices.for_admins(WELL, replace(HERE, connections=None)).headline == "All is fine"
    )


_instants = st.none() | st.just(DECIDED_AT)
_names = st.none() | st.text(max_size=100)


@given(_names, _names, st.none() | st.just("failed"), st.none() | st.just("U0ANA"), _instants)
def test_the_state_of_the_past_survives_a_button(
    tenant: str | None, dag: str | None, state: str | None, by: str | None, since: Any
) -> None:
    """What Refresh and Next carry reads back equal, and fits a button."""
    made = PastState(
        kind=PastKind.RUNS,
        tenant=tenant,
        dag=dag,
        state=state,
        by=by,
        since=since,
        cursor=Mark(DECIDED_AT, "run_0123456789ab"),
    )
    assert parse_page_state(str(made)) == made
    assert len(str(made)) <= 2_000


@pytest.mark.parametrize(
    "value",
    [
        '["future",null,null,null,null,null,null]',
        '["history",7,null,null,null,null,null]',
        '["history",null,null,"failed",null,null,null]',
        '["runs",null,null,"approved",null,null,null]',
        '["runs",null,null,{},null,null,null]',
        '["history",null,null,null,"<!channel>",null,null]',
        '["history",null,null,null,"@bob",null,null]',
        '["history",null,null,null,null,"2026-01-05T13:50:00",null]',
        '["history",null,null,null,null,"monday",null]',
        '["history",null,null,null,null,null,["2026-01-05T13:50:00+00:00","1; drop"]]',
        '["history",null,null,null,null,null,[7,"cp_0123456789ab"]]',
        '["list",null,null,null,"<!here>",null]',
        '["list",null,null,null,"U0BOB"]',
    ],
)
def test_a_tampered_state_leads_nowhere(value: str) -> None:
    """States of another kind, people that are none, times without a zone, strange ids."""
    assert parse_page_state(value) is None


def test_a_list_for_people_survives_a_button() -> None:
    """And one from before people could be named is read still."""
    for state in (ListState(by="U0BOB"), ListState(asked_by="U0ANA", tenant="acme"), ListState()):
        assert parse_page_state(str(state)) == state
    assert parse_page_state('["mine",null,"deploy",null]') is not None


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(hostile.view(), min_size=1, max_size=3), hostile.text)
def test_whatever_others_write_slack_takes_it(views: list[CheckpointView], name: str) -> None:
    """Hostile prompts, names and DAGs make valid answers that cannot act."""
    typed = name.encode(errors="ignore").decode()[:100]  # no half of a character comes from Slack
    page = PastPage(tuple(views * past_lists.PAST_ROWS)[: past_lists.PAST_ROWS], MORE, DECIDED_AT)
    assert_message(past_lists.history(page, replace(HISTORY, tenant=typed)))
    lines = [
        RunLine(view.run, replace(ANA, name=name), (view.checkpoint,)) for view in views
    ] * past_lists.RUN_ROWS
    runs = RunPage(tuple(lines[: past_lists.RUN_ROWS]), MORE, DECIDED_AT)
    assert_message(past_lists.runs(runs, replace(RUNS, dag=typed)))
    assert_message(stats(WEEK, replace(STATS, tenant=typed, dag=typed)))
