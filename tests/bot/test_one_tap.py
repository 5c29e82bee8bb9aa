"""Approving with one tap: when a card offers it, and what the dialog says."""

from typing import Any

import pytest
from hypothesis import given, settings

from bot.cards import approval_card
from bot.one_tap import dialog
from engine import CheckpointView, Confirm, Fact, InputField, Policy, ReasonRule, TaskId
from tests.bot import hostile
from tests.bot.views import CHECKPOINT_ID, DIGEST, SECRET, assert_message, gate, waiting

DIALOG = Policy(confirm=Confirm.DIALOG)


def first_button(view: CheckpointView) -> dict[str, Any]:
    [actions] = [block for block in approval_card(view).blocks if block["type"] == "actions"]
    first: dict[str, Any] = actions["elements"][0]
    return first


def test_the_dialog_restates_what_is_approved() -> None:
    """Prompt and facts in full, secrets masked; the button carries the request as any other."""
    view = waiting(policy=DIALOG)
    assert_message(approval_card(view))
    button = first_button(view)
    assert (button["action_id"], button["value"]) == (
        "approve_at_once",
        f"{CHECKPOINT_ID}.{DIGEST}",
    )
    asked = button["confirm"]
    assert asked["title"]["text"] == "Approve deploy · approve_release?"
    assert asked["text"]["text"] == "Deploy 1.2 to production?\nversion: 1.2\ntoken: ••••"
    assert (asked["confirm"]["text"], asked["deny"]["text"]) == ("Approve", "Cancel")
    assert SECRET not in str(button)


def policy(**changes: Any) -> Policy:
    return Policy(confirm=Confirm.DIALOG, **changes)


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(waiting(), id="not asked for"),
        pytest.param(waiting(policy=policy(inputs=(InputField(name="n"),))), id="a form"),
        pytest.param(waiting(policy=policy(quorum=2)), id="a quorum"),
        pytest.param(waiting(policy=policy(approve_reason=ReasonRule.REQUIRED)), id="a reason"),
        pytest.param(waiting(policy=DIALOG, prompt="x" * 301), id="a long prompt"),
        pytest.param(waiting(policy=DIALOG, facts=(Fact("a", "x" * 300),)), id="a long fact"),
        pytest.param(
            waiting(policy=DIALOG, facts=tuple(Fact(f"f{n}", "x" * 20) for n in range(20))),
            id="many facts",
        ),
        pytest.param(
            waiting(policy=DIALOG, dag_name="d" * 80, task_id=TaskId("t" * 64)), id="long names"
        ),
    ],
)
def test_else_approve_opens_the_form(view: CheckpointView) -> None:
    """Where more is asked, or the dialog would have to cut, one tap is not enough."""
    assert dialog(view.checkpoint) is None
    assert (first_button(view)["action_id"], first_button(view).get("confirm")) == ("approve", None)


def test_a_reason_that_may_be_given_needs_no_form() -> None:
    """Whoever wants to say why opens Details and approves there; rejecting always asks."""
    assert dialog(waiting(policy=policy(approve_reason=ReasonRule.NONE)).checkpoint)
    assert dialog(waiting(policy=policy(reject_quorum=3)).checkpoint)


def test_a_gate_elsewhere_may_be_approved_with_one_tap() -> None:
    """As long as it has only one way to go on."""
    assert first_button(waiting(policy=DIALOG, elsewhere=gate()))["action_id"] == "approve_at_once"


@settings(deadline=None, max_examples=80)
@given(hostile.text, hostile.text, hostile.text)
def test_whatever_is_asked_the_dialog_says_it_all_or_is_not_there(
    prompt: str, label: str, value: str
) -> None:
    """No text makes a dialog that Slack refuses, or that shows less than what is approved."""
    view = waiting(policy=DIALOG, prompt=prompt, facts=(Fact(label, value),))
    assert_message(approval_card(view))
    asked = dialog(view.checkpoint)
    assert asked is None or "…" not in asked["text"]["text"] or "…" in prompt + label + value


@settings(deadline=None, max_examples=60)
@given(hostile.view())
def test_every_waiting_card_has_one_way_to_approve(view: CheckpointView) -> None:
    """Whatever the request, a card never offers both the form and the tap."""
    ids = [
        element.get("action_id")
        for block in approval_card(view).blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    assert not {"approve", "approve_at_once"} <= set(ids)
