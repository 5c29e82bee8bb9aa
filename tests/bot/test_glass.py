"""A broken glass as people see it: the card, the notice, the forms, and why not."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import glass_modals, modals
from bot.cards import approval_card, button
from bot.glass_notices import broken_notice, review_reminder
from bot.glass_payloads import Breaking, Signature, parse_breaking, parse_signature
from bot.modals import View
from bot.payloads import Malformed
from bot.refusals import refusal
from bot.tokens import BREAK_GLASS, SIGN_REVIEW, parse_target
from engine import (
    NOT_TOLD_APART,
    CheckpointState,
    CheckpointView,
    Choice,
    Effect,
    Finding,
    InputField,
    InputType,
    Policy,
    Refused,
    ReviewView,
    Rule,
)
from tests.bot import hostile
from tests.bot.views import (
    BOB,
    CHECKPOINT_ID,
    DIGEST,
    SECRET,
    assert_message,
    assert_view,
    broken,
    there,
    waiting,
    words,
)

ROOMY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FORM = (
    InputField(name="percent", type=InputType.NUMBER, required=True, minimum=1, maximum=100),
    InputField(name="region", type=InputType.CHOICE, options=("eu", "us"), required=True),
)


def review_of(view: CheckpointView) -> ReviewView:
    assert view.review is not None
    return view.review


def actions(blocks: Any) -> list[str]:
    """The action ids of all buttons."""
    rows = [block for block in blocks if block["type"] == "actions"]
    return [element["action_id"] for row in rows for element in row["elements"]]


def inputs(view: View) -> dict[str, dict[str, Any]]:
    return {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}


# The card and Details


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        (CheckpointState.APPROVED, "🔨 Approved by break-glass: deploy · approve_release"),
        (CheckpointState.REJECTED, "🔨 Rejected by break-glass: deploy · approve_release"),
    ],
)
def test_the_card_has_a_mark_of_its_own(state: CheckpointState, headline: str) -> None:
    """Header, spoken text and small print say who did it, why and over which rules."""
    card = approval_card(broken(state))
    assert_message(card)
    assert card.text.startswith(headline)
    shown = words(card.blocks)
    for expected in (
        *(headline, "Ana", "the site is down"),
        "overrode its list of approvers, how many people must agree",
    ):
        assert expected in shown
    assert "Bob" not in shown  # whose vote did not bring it about


def test_on_another_engine_the_mark_stays_while_it_is_waited_for() -> None:
    """The header says both: that the engine has not followed, and that the glass was broken."""
    card = approval_card(there(broken(), Effect.PENDING))
    assert card.text.startswith("⏳ Approved by break-glass, waiting for Airflow")


def test_details_tell_of_the_glass_and_its_review() -> None:
    """The decision is marked, and how the review stands is said."""
    seen = words(modals.details(broken(), viewer_may_see_secrets=False)["blocks"])
    assert "🔨 ✅ Ana (Admin)" in seen
    assert "Its review is open" in seen
    signed = modals.details(broken(signed_by=BOB), viewer_may_see_secrets=False)
    assert_view(signed)
    assert "Reviewed by Bob" in words(signed["blocks"])
    assert "agreed, it was down" in words(signed["blocks"])


def test_the_button_is_in_details_for_those_alone_who_may() -> None:
    """While it waits, and only for whom the caller says it is; never on the card."""
    offered = modals.details(waiting(), viewer_may_see_secrets=True, may_break_glass=True)
    assert_view(offered)
    assert BREAK_GLASS in actions(offered["blocks"])
    assert button(BREAK_GLASS, waiting().checkpoint)["style"] == "danger"
    hidden = modals.details(waiting(), viewer_may_see_secrets=True)
    ended = modals.details(broken(), viewer_may_see_secrets=True, may_break_glass=True)
    for view in (hidden["blocks"], ended["blocks"], approval_card(waiting()).blocks):
        assert BREAK_GLASS not in actions(view)


# The notice


def test_the_notice_names_who_why_and_which_rules() -> None:
    """With the digest, and a button that leads to the review."""
    view = broken()
    notice = broken_notice(view, review_of(view))
    assert_message(notice)
    for text in (notice.text, words(notice.blocks)):
        for expected in (
            "🔨 Ana broke the glass and approved deploy · approve_release",
            *("the site is down", "how many people must agree", "its list of approvers"),
            "Its review is open: another person has to look at it and sign.",
        ):
            assert expected in text
    assert "digest 1a2b3c4d" in words(notice.blocks)
    assert actions(notice.blocks) == [SIGN_REVIEW]
    [row] = [block for block in notice.blocks if block["type"] == "actions"]
    target = parse_target(row["elements"][0]["value"])
    assert target is not None
    assert (target.checkpoint_id, target.digest) == (CHECKPOINT_ID, DIGEST)


def test_the_notice_is_redrawn_as_reviewed() -> None:
    """By whom, when and with which note; the button is gone."""
    view = broken(signed_by=BOB)
    notice = broken_notice(view, review_of(view))
    assert_message(notice)
    assert "Reviewed by Bob." in notice.text
    assert "agreed, it was down" in words(notice.blocks)
    assert actions(notice.blocks) == []


def test_the_reminder_leads_to_the_review() -> None:
    """A reply in the thread, with the same button."""
    view = broken()
    reminder = review_reminder(view, review_of(view))
    assert_message(reminder)
    assert "The review of this break-glass is open" in reminder.text
    assert actions(reminder.blocks) == [SIGN_REVIEW]


@ROOMY
@given(hostile.broken_view())
def test_nothing_hostile_acts_in_a_notice_or_a_form(view: CheckpointView) -> None:
    """Whatever reason, note or name somebody wrote, Slack takes it and it stays text."""
    review = review_of(view)
    assert_message(broken_notice(view, review))
    assert_message(review_reminder(view, review))
    assert_view(glass_modals.review_form(view, review))


@ROOMY
@given(hostile.view(), hostile.text)
def test_nothing_hostile_acts_in_the_form_to_break_it(view: CheckpointView, place: str) -> None:
    """Prompt, facts, fields and channel names are text there, too."""
    assert_view(glass_modals.break_form(view, place))


# The forms


def test_the_form_warns_and_restates_the_request() -> None:
    """It says what happens, asks what shall be done and why, and carries the digest."""
    form = glass_modals.break_form(waiting(policy=Policy(inputs=FORM)), "#deploys")
    assert_view(form)
    shown = words(form)
    for expected in (
        "⚠️ You are about to overrule who decides on deploy · approve_release",
        "the channel is told: who, why, and which rules gave way",
        "Another person has to review it afterwards",
        *("Deploy 1.2 to production?", "Approve deploy", "Reject deploy"),
        "At least 10 characters. Visible in #deploys.",
    ):
        assert expected in shown
    assert SECRET not in str(form)
    assert form["private_metadata"] == f"{CHECKPOINT_ID}.{DIGEST}"
    fields = inputs(form)
    assert fields["input:percent.1a2b3c4d"]["optional"] is True  # a rejection needs none
    assert fields["reason.1a2b3c4d"].get("optional", False) is False
    assert fields["choice.1a2b3c4d"].get("optional", False) is False


def test_the_form_of_a_review_shows_what_was_done() -> None:
    """Who, what for, why, over which rules, and the digest."""
    view = broken()
    form = glass_modals.review_form(view, review_of(view))
    assert_view(form)
    shown = words(form)
    for expected in (
        *("Ana broke the glass and approved", "the site is down", "digest 1a2b3c4d"),
        *("its list of approvers", "Deploy 1.2 to production?", "What you found", "Sign"),
    ):
        assert expected in shown


def refused(*rules: Rule, needed: str = "x", found: str = "y", **fields: str) -> Refused:
    return Refused(tuple(Finding(r, False, needed, found) for r in rules), field_errors=fields)


def test_what_concerns_a_field_alone_is_said_under_it() -> None:
    """The form stays open, with a sentence where something is wrong."""
    asked = waiting(policy=Policy(inputs=FORM)).checkpoint
    short = refused(Rule.REASON, needed="at least 10 characters", found="3 characters")
    assert glass_modals.errors_on_fields(short, asked) == {
        "reason.1a2b3c4d": "The reason needs at least 10 characters; it has 3 characters."
    }
    form = refused(Rule.INPUTS, percent="must be at most 100")
    assert glass_modals.errors_on_fields(form, asked) == {
        "input:percent.1a2b3c4d": "percent must be at most 100."
    }
    assert glass_modals.errors_on_fields(refused(Rule.REASON, Rule.ROLE), asked) is None
    assert glass_modals.errors_on_fields(refused(Rule.INPUTS, other="is unknown"), asked) is None


@pytest.mark.parametrize(
    ("refused", "view", "said"),
    [
        (refused(Rule.BREAK_GLASS), waiting(), "Decide as usual"),
        (refused(Rule.REVIEW), broken(signed_by=BOB), "It was signed by Bob."),
        (
            refused(Rule.REVIEWER, found="the one who broke the glass"),
            broken(),
            "You are the one who broke the glass.",
        ),
        (
            refused(Rule.REVIEWER, found=NOT_TOLD_APART),
            broken(),
            "signoff people link",
        ),
    ],
    ids=["not-needed", "signed", "breaker", "unknown"],
)
def test_a_refusal_says_what_to_do(refused: Refused, view: CheckpointView, said: str) -> None:
    """Each of the rules of the glass has its own sentence."""
    assert said in str(refusal(refused, view))


# What Slack sends


def body(values: dict[str, Any], metadata: str = f"{CHECKPOINT_ID}.{DIGEST}") -> dict[str, Any]:
    return {
        "user": {"id": "U0ANA", "team_id": "T1TEAM", "name": "ana"},
        "view": {"private_metadata": metadata, "state": {"values": values}},
    }


REASON = {"reason.x": {"reason": {"type": "plain_text_input", "value": "the site is down"}}}
YES = {"choice.x": {"choice": {"selected_option": {"value": "approve"}}}}


def test_a_form_to_break_the_glass_is_read() -> None:
    """Who, the request, what shall happen, why, and what was filled in."""
    field = {"input:percent.x": {"input:percent": {"value": "10"}}}
    sent = parse_breaking(body(REASON | YES | field))
    assert isinstance(sent, Breaking)
    assert (sent.choice, sent.reason, sent.inputs) == (
        Choice.APPROVE, "the site is down", {"percent": "10"},
    )  # fmt: skip
    assert (sent.who.user_id, sent.target.digest) == ("U0ANA", DIGEST)


def test_a_form_of_a_review_is_read() -> None:
    """Who, the request, and the note."""
    sent = parse_signature(body(REASON))
    assert isinstance(sent, Signature)
    assert (sent.note, sent.target.checkpoint_id) == ("the site is down", CHECKPOINT_ID)


@pytest.mark.parametrize(
    "forged",
    [
        {},
        None,
        body(REASON),
        body(REASON | {"c": {"choice": {"selected_option": {"value": "expire"}}}}),
        body(REASON | {"c": {"choice": {"selected_option": {"value": ["approve"]}}}}),
        body(REASON | {"c": "approve"}),
        body(REASON | YES, metadata="cp_x.y"),
        body(REASON | YES, metadata=f"{CHECKPOINT_ID}.{DIGEST}.approve"),
        {**body(REASON | YES), "user": {"id": "nobody"}},
    ],
    ids=[
        *("empty", "none", "no-choice", "other-choice", "list", "no-block"),
        *("broken-target", "other-form", "no-user"),
    ],
)
def test_what_is_not_our_form_is_malformed(forged: Any) -> None:
    """Nothing is guessed, and nothing raises."""
    assert isinstance(parse_breaking(forged), Malformed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_reading_never_raises(anything: Any) -> None:
    """Whatever comes, there is a value or it is malformed."""
    for values in (anything, {"x": {"choice": anything}}, {"x": {"reason": anything}}):
        for parse in (parse_breaking, parse_signature):
            assert isinstance(parse(body(values)), Breaking | Signature | Malformed)
