"""Modals: the request restated, the form, everything, and why not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import modals
from bot.modals import View
from bot.refusals import refusal
from bot.tokens import parse_form_state, parse_target
from bot.wording import Explanation
from engine import (
    CheckpointView,
    Choice,
    Finding,
    InputField,
    InputType,
    Policy,
    ReasonRule,
    Refused,
    Rule,
)
from tests.bot import hostile
from tests.bot.views import (
    ANA,
    CHECKPOINT_ID,
    DIGEST,
    SECRET,
    approved,
    assert_view,
    expired,
    rejected,
    stopped,
    voice,
    waiting,
    words,
)

ROOMY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
REASON_BLOCK = "reason.1a2b3c4d"
FORM = (
    InputField(name="note", description="What to write down", maximum=50),
    InputField(name="essay", maximum=2_000, default="one\ntwo"),
    InputField(name="percent", type=InputType.NUMBER, minimum=1, maximum=100, default=10),
    InputField(name="dry", type=InputType.BOOLEAN, required=True, default=False),
    InputField(name="region", type=InputType.CHOICE, options=("eu", "us"), default="us"),
    InputField(name="day", type=InputType.DATE, required=True),
)


def _inputs(view: View) -> dict[str, dict[str, Any]]:
    return {b["block_id"]: b for b in view["blocks"] if b["type"] == "input"}


def _form(choice: Choice = Choice.APPROVE, **changes: Any) -> dict[str, dict[str, Any]]:
    view = modals.decision_form(waiting(**changes), choice)
    assert_view(view)
    return _inputs(view)


def test_the_first_modal_is_static() -> None:
    """Something opens before anything is looked up."""
    view = modals.loading()
    assert_view(view)
    assert "Loading the request…" in words(view["blocks"])


def test_the_form_restates_the_request() -> None:
    """Whoever submits has just read prompt, facts, requester, deadline and digest."""
    view = modals.decision_form(waiting(), Choice.APPROVE)
    assert_view(view)
    read = words(view["blocks"])
    for expected in ("Deploy 1.2", "version", "asked by Eve", "Expires <!date^", "1a2b3c4d"):
        assert expected in read
    assert SECRET not in read


def test_the_form_says_what_submitting_does() -> None:
    """The submit button names the choice and the DAG, cut to what Slack shows."""
    assert modals.decision_form(waiting(), Choice.APPROVE)["submit"]["text"] == "Approve deploy"
    assert modals.decision_form(waiting(), Choice.REJECT)["submit"]["text"] == "Reject deploy"
    long = modals.decision_form(waiting(dag_name="d" * 80), Choice.APPROVE)
    assert len(long["submit"]["text"]) == 24


@pytest.mark.parametrize("choice", list(Choice))
def test_the_form_carries_only_ids(choice: Choice) -> None:
    """Private metadata names request, digest and choice, and reads back."""
    view = modals.decision_form(waiting(), choice)
    assert view["private_metadata"] == f"{CHECKPOINT_ID}.{DIGEST}.{choice}"
    state = parse_form_state(view["private_metadata"])
    assert state is not None
    assert (state.target, state.choice) == (parse_target(f"{CHECKPOINT_ID}.{DIGEST}"), choice)


def test_a_reason_is_optional_to_approve_and_required_to_reject() -> None:
    """The defaults of the policy show in the form, with who will read the reason."""
    assert _form()[REASON_BLOCK]["optional"] is True
    reject = _form(Choice.REJECT)[REASON_BLOCK]
    assert reject["optional"] is False
    assert reject["element"]["max_length"] == 3_000
    assert reject["hint"]["text"] == "Visible in the channel of the card."


def test_the_reason_says_where_it_will_be_read() -> None:
    """A known place is named."""
    view = modals.decision_form(waiting(), Choice.REJECT, place="#deploys")
    assert _inputs(view)[REASON_BLOCK]["hint"]["text"] == "Visible in #deploys."
    view = modals.decision_form(waiting(channel="#ops"), Choice.REJECT)
    assert _inputs(view)[REASON_BLOCK]["hint"]["text"] == "Visible in #ops."


def test_no_reason_is_asked_for_where_none_is_wanted() -> None:
    """`reason: none` leaves the field out."""
    assert _form(policy=Policy(approve_reason=ReasonRule.NONE)) == {}


def test_each_input_gets_the_element_of_its_type() -> None:
    """Text, number, boolean, choice and date are typed with what Slack has for them."""
    form = _form(policy=Policy(inputs=FORM))
    elements = {block["element"]["action_id"]: block["element"] for block in form.values()}
    assert {name: element["type"] for name, element in elements.items()} == {
        "input:note": "plain_text_input",
        "input:essay": "plain_text_input",
        "input:percent": "number_input",
        "input:dry": "radio_buttons",
        "input:region": "static_select",
        "input:day": "datepicker",
        "reason": "plain_text_input",
    }
    assert elements["input:essay"]["initial_value"] == "one\ntwo"
    assert elements["input:essay"]["multiline"] is True
    assert elements["input:percent"] | {"type": ""} == {
        "type": "",
        "action_id": "input:percent",
        "is_decimal_allowed": True,
        "initial_value": "10",
        "min_value": "1",
        "max_value": "100",
    }
    assert elements["input:dry"]["initial_option"]["value"] == "false"
    assert elements["input:region"]["initial_option"]["value"] == "us"


def test_an_input_says_what_it_is_for() -> None:
    """Label, bounds and default are told."""
    form = _form(policy=Policy(inputs=FORM))
    assert form["input:note.1a2b3c4d"]["label"]["text"] == "note: What to write down"
    assert form["input:percent.1a2b3c4d"]["hint"]["text"] == "From 1 to 100. Left empty: 10."
    assert form["input:day.1a2b3c4d"]["optional"] is False
    assert form["input:dry.1a2b3c4d"]["optional"] is True


def test_a_default_with_unseen_characters_is_not_sent_unseen() -> None:
    """Nobody submits a hidden character they were not shown."""
    field = InputField(name="note", default="a\u202eb")
    block = _form(policy=Policy(inputs=(field,)))["input:note.1a2b3c4d"]
    assert "initial_value" not in block["element"]
    assert block["hint"]["text"] == "Left empty: a⟨U+202E⟩b."


@pytest.mark.parametrize(
    "options", [tuple(f"o{number}" for number in range(101)), ("x" * 151,), ()]
)
def test_a_choice_that_fits_no_menu_is_typed(options: tuple[str, ...]) -> None:
    """More or longer options than Slack's menu takes can still be answered."""
    field = InputField(name="region", type=InputType.CHOICE, options=options)
    block = _form(policy=Policy(inputs=(field,)))["input:region.1a2b3c4d"]
    assert block["element"]["type"] == "plain_text_input"
    assert block["hint"]["text"].startswith("One of: ")


def test_inputs_are_for_approving_only() -> None:
    """A rejection needs no form."""
    assert list(_form(Choice.REJECT, policy=Policy(inputs=FORM))) == [REASON_BLOCK]


def test_block_ids_change_with_the_request() -> None:
    """What was typed for an older request does not survive into the newer form."""
    assert set(_form()) != set(_form(request_digest="e" * 64))


def test_a_form_can_be_drawn_again_with_a_notice() -> None:
    """A failed look-up keeps the same fields, so that nothing has to be typed twice."""
    notice = Explanation("Not recorded, try again", (("Slack did not answer.",),), "Again.")
    view = modals.decision_form(waiting(), Choice.REJECT, notice=notice)
    assert_view(view)
    assert view["blocks"][0]["text"]["text"] == "Not recorded, try again"
    assert set(_inputs(view)) == set(_form(Choice.REJECT))


@pytest.mark.parametrize("ended", [approved(), rejected(), expired()])
def test_what_has_ended_shows_its_end_instead_of_a_form(ended: CheckpointView) -> None:
    """Nobody fills in a form that can only be refused."""
    view = modals.decision_form(ended, Choice.APPROVE)
    assert_view(view)
    assert "submit" not in view
    assert view == modals.settled_view(ended)


def test_a_refusal_stays_in_the_modal() -> None:
    """Headline, reason and next step are shown where the click was made."""
    finding = Finding(Rule.ROLE, False, "Operator in acme", "no role")
    view = modals.refusal_view(refusal(Refused((finding,)), waiting()))
    assert_view(view)
    assert "Needs Operator in acme; you hold no role." in words(view)


def test_a_local_time_in_a_refusal_is_shown_in_the_readers_zone() -> None:
    """Rich text carries the instant, not a written time."""
    finding = Finding(Rule.OPEN, False, "pending", "approved")
    view = modals.refusal_view(refusal(Refused((finding,)), approved()))
    assert_view(view)
    assert '"type": "date"' in str(view).replace("'", '"')


def test_an_error_is_shown_as_one() -> None:
    """Something broken is told apart from a refusal."""
    view = modals.error_view(Explanation("Not recorded, try again"))
    assert_view(view)
    assert view["title"]["text"] == "Something went wrong"


def test_a_counted_vote_is_confirmed() -> None:
    """One of two sees that their answer was recorded."""
    view = modals.counted_view(waiting([voice(ANA)], policy=Policy(quorum=2)), Choice.APPROVE)
    assert_view(view)
    assert "Approval recorded: 1 of 2" in words(view)


def test_a_counted_vote_is_told_that_everything_stands_still() -> None:
    """It counts; the run goes on only afterwards."""
    asked = replace(waiting([voice(ANA)], policy=Policy(quorum=2)), standstill=stopped())
    view = modals.counted_view(asked, Choice.APPROVE)
    assert_view(view)
    assert "by Ana: site down" in words(view)


REASON = Finding(Rule.REASON, False, "required", "none")
INPUTS = Finding(Rule.INPUTS, False, "every field valid", "percent must be a number")
ROLE = Finding(Rule.ROLE, False, "Operator in acme", "no role")
PERCENT = {"percent": "must be a number"}


def test_what_is_wrong_with_a_field_is_said_at_the_field() -> None:
    """Errors of reason and inputs go to their blocks."""
    view = waiting(policy=Policy(inputs=FORM))
    refused = Refused((INPUTS, REASON), field_errors=PERCENT)
    assert modals.field_errors(refused, view, Choice.APPROVE) == {
        "input:percent.1a2b3c4d": "percent must be a number.",
        REASON_BLOCK: "A reason is required.",
    }


@pytest.mark.parametrize(
    ("refused", "policy"),
    [
        pytest.param(Refused((ROLE, REASON)), Policy(), id="the role is missing too"),
        pytest.param(Refused(()), Policy(), id="nothing is wrong"),
        pytest.param(Refused((INPUTS,), PERCENT), Policy(), id="no such field in the form"),
        pytest.param(Refused((INPUTS,)), Policy(inputs=FORM), id="no field is named"),
        pytest.param(
            Refused((REASON,)), Policy(approve_reason=ReasonRule.NONE), id="no reason in the form"
        ),
    ],
)
def test_what_concerns_no_field_is_refused_as_a_whole(refused: Refused, policy: Policy) -> None:
    """Slack drops errors for blocks that are not there, so they are told otherwise."""
    assert modals.field_errors(refused, waiting(policy=policy), Choice.APPROVE) is None


@ROOMY
@given(hostile.view(), st.sampled_from(Choice))
def test_whatever_others_write_slack_takes_the_view(view: CheckpointView, choice: Choice) -> None:
    """No prompt, fact, name, field or reason makes a view that Slack refuses or that acts."""
    everything = (
        modals.decision_form(view, choice),
        modals.details(view, viewer_may_see_secrets=True),
        modals.settled_view(view),
        modals.counted_view(view, choice),
        modals.refusal_view(refusal(Refused((ROLE, REASON)), view)),
    )
    for shown in everything:
        assert_view(shown)


@ROOMY
@given(hostile.view(), st.sampled_from(Choice))
def test_no_form_holds_a_secret(view: CheckpointView, choice: Choice) -> None:
    """Secrets are masked in forms, and in details for whoever may not see them."""
    assert SECRET not in str(modals.decision_form(view, choice))
    assert SECRET not in str(modals.details(view, viewer_may_see_secrets=False))
