"""Refusals: what is needed, what you hold, what to do next."""

import pytest

from bot.refusals import refusal, role_refusal
from engine import CheckpointView, Choice, Finding, Policy, Refused, Rule
from tests.bot.views import (
    ANA,
    BOB,
    approved,
    called_off,
    cancelled,
    expired,
    forced,
    rejected,
    voice,
    waiting,
)

ROLE = Finding(Rule.ROLE, False, "Operator in acme", "Viewer (signoff.toml: U0EVE)")
SELF = Finding(Rule.SELF_APPROVAL, False, "not the one who started the run", "the requester")
OPEN = Finding(Rule.OPEN, False, "pending", "approved")


def _said(finding: Finding, view: CheckpointView | None = None, **fields: str) -> str:
    return str(refusal(Refused((finding,), field_errors=fields), view or waiting()))


def test_a_missing_role_says_what_is_needed_held_and_next() -> None:
    """Role, tenant, the role held with its source, and the command that grants it."""
    assert _said(ROLE) == (
        "Your role does not allow this\n"
        "Needs Operator in acme; you hold Viewer (signoff.toml: U0EVE).\n"
        "Ask an Admin of acme for the role: signoff roles grant … --tenant acme."
    )


def test_a_missing_role_is_explained_without_a_checkpoint_too() -> None:
    """Changing roles is refused in the same words."""
    said = str(
        role_refusal(Refused((Finding(Rule.ROLE, False, "Admin in acme", "no role"),)), "acme")
    )
    assert "Needs Admin in acme; you hold no role." in said


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(
            approved(),
            "Already approved\nAlready approved by Ana on 2026-01-02 14:02 UTC.",
            id="approved",
        ),
        pytest.param(
            rejected(),
            "Already rejected\nAlready rejected by Ana on 2026-01-02 14:02 UTC.\n"
            "Reason: not on a Friday",
            id="rejected",
        ),
        pytest.param(
            expired(),
            "Expired\nIt expired on 2026-01-05 13:50 UTC; nobody decided.",
            id="expired",
        ),
        pytest.param(
            expired(voice(ANA), policy=Policy(quorum=2)),
            "Expired\nIt expired on 2026-01-05 13:50 UTC; it had 1 of 2 approvals.",
            id="expired with a vote",
        ),
        pytest.param(
            forced(),
            "Ended early\nAn Operator ended it on 2026-01-02 14:02 UTC, before its deadline.",
            id="forced",
        ),
        pytest.param(
            cancelled(),
            "Cancelled\nIts run ended on 2026-01-02 14:02 UTC, so nothing is asked any more.",
            id="cancelled",
        ),
        pytest.param(
            called_off(),
            "Cancelled\nAna called its run off on 2026-01-02 14:02 UTC, "
            "so nothing is asked any more.",
            id="called-off",
        ),
    ],
)
def test_a_late_answer_learns_how_it_ended(view: CheckpointView, expected: str) -> None:
    """Each end is told with who and when, and that this answer was not recorded."""
    said = _said(OPEN, view)
    assert said.startswith(expected)
    assert "Your answer was not recorded." in said


def test_a_late_answer_to_an_approval_by_several_names_them() -> None:
    """Everybody whose vote counted is named."""
    view = approved(voice(ANA), voice(BOB), policy=Policy(quorum=2))
    assert "Already approved by Ana and Bob on" in _said(OPEN, view)


def test_a_view_older_than_the_end_still_explains() -> None:
    """When the view was read before the end, the reader is sent to look again."""
    assert "Look at the request again." in _said(OPEN, waiting())


def test_a_changed_request_asks_to_look_again() -> None:
    """The short digests show that it is another request."""
    said = _said(Finding(Rule.DIGEST, False, "1a2b3c4d" + "0" * 56, "f" * 64))
    assert "You were looking at ffffffff; the request is 1a2b3c4d." in said
    assert said.endswith("Look at it again, then decide.")


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ("guest", "Guests decide nothing"),
        ("external", "People of another workspace decide nothing"),
        ("bot", "A bot decides nothing"),
        ("deactivated", "This account is deactivated"),
        ("something new", "Needs a full member, or a grant by id."),
    ],
)
def test_each_kind_of_account_is_told_why(standing: str, expected: str) -> None:
    """Guests, strangers, bots and deactivated accounts get their own sentence."""
    finding = Finding(Rule.STANDING, False, "a full member, or a grant by id", standing)
    assert expected in _said(finding)


def test_somebody_not_named_learns_who_is() -> None:
    """An approver list is told to whom it excludes."""
    finding = Finding(Rule.APPROVERS, False, "S0RELEASE, ana@example.com", "slack:T1:U0EVE")
    assert "Only these may decide: S0RELEASE, ana@example.com. You are slack:T1:U0EVE." in _said(
        finding
    )


def test_the_requester_is_sent_to_somebody_else() -> None:
    """Self-approval is refused with whom to ask."""
    said = _said(SELF)
    assert said.startswith("You started this run")
    assert "Ask somebody else who is Operator in acme." in said


def test_an_account_that_cannot_be_compared_is_sent_to_slack() -> None:
    """On the CLI, an account of another kind may be the requester's own."""
    said = _said(Finding(Rule.KNOWN_PERSON, False, "comparable", "unknown"))
    assert "The run was started as os:host:eve." in said
    assert "Decide in Slack instead" in said


def test_a_missing_reason_is_asked_for() -> None:
    """A reason that is required and missing is said to be required."""
    assert "A reason is required." in _said(Finding(Rule.REASON, False, "required", "none"))


def test_a_reason_that_is_too_long_is_told_by_how_much() -> None:
    """The limit and the length are both named."""
    finding = Finding(Rule.REASON, False, "at most 3,000 characters", "3,500 characters")
    assert "The reason may have at most 3,000 characters; it has 3,500 characters." in _said(
        finding
    )


def test_a_reason_that_is_no_text_is_not_called_too_long() -> None:
    """What no database takes is named as what it is, however short."""
    finding = Finding(Rule.REASON, False, "plain text", "a NUL or half a character")
    said = _said(finding)
    assert said.startswith("The reason is no text")
    assert "it holds a NUL or half a character." in said


def test_a_wrong_field_is_named() -> None:
    """Every field that does not fit gets its own line."""
    finding = Finding(Rule.INPUTS, False, "every field valid", "percent must be a number")
    said = _said(finding, percent="must be a number", day="is required")
    assert "percent must be a number.\nday is required." in said
    assert "percent must be a number" in _said(finding)


def test_a_failed_look_up_asks_to_try_again() -> None:
    """Not knowing who acts is no verdict on them."""
    finding = Finding(Rule.LOOK_UP, False, "an answer from the surface", "timed out")
    assert "Try again" in _said(finding)


def test_several_reasons_are_all_told() -> None:
    """Somebody with the wrong role who also started the run reads both at once."""
    said = str(refusal(Refused((ROLE, SELF)), waiting()))
    assert said.startswith("Your role does not allow this")
    assert "Whoever starts a run may not decide its checkpoints." in said


def test_what_has_ended_is_told_alone() -> None:
    """Nobody is sent for a role to decide what is over."""
    said = str(refusal(Refused((OPEN, ROLE)), approved()))
    assert said.startswith("Already approved")
    assert "Operator" not in said


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("text", ["", "\x00\u202e<!channel>", "x" * 9_000])
def test_no_finding_is_too_odd_to_explain(rule: Rule, text: str) -> None:
    """Whatever a finding holds, the explanation is there and shows what is unseen."""
    voices = [voice(choice=choice) for choice in Choice]
    said = _said(Finding(rule, False, text, text), waiting(voices))
    assert said.strip()
    assert "\u202e" not in said
