"""How a quorum stands: who has decided, who is missing, who may still decide, whose vote lapsed."""

from dataclasses import replace

import pytest

from bot import quorum
from bot.cards import approval_card
from bot.details import details_blocks
from bot.modals import counted_view
from engine import Choice, Finding, Policy, Role, Rule, StillAsked, Voice
from tests.bot.views import ANA, BOB, assert_message, assert_view, voice, waiting, words

TWO = Policy(quorum=2)
GONE = Finding(Rule.ROLE, False, "Operator in acme", "no role", BOB.id)
ANYBODY = StillAsked(Role.OPERATOR, but_requester=True)


def _lapsed(finding: Finding = GONE) -> Voice:
    return replace(voice(BOB), lapsed=(finding,))


def test_a_card_says_who_decided_how_many_are_missing_and_who_is_still_asked() -> None:
    """All of it in plain text: nobody is mentioned."""
    asked = StillAsked(Role.OPERATOR, ("Bob", "S0RELEASE"))
    view = replace(waiting([voice(ANA)], policy=TWO), still_asked=asked)
    message = approval_card(view)
    assert_message(message)
    read = words(message.blocks)
    assert "1 of 2: Ana ✅" in read
    assert "1 missing, any of: Bob, S0RELEASE" in read
    assert "<@" not in read + message.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ANYBODY, "2 missing, any Operator but whoever started the run"),
        (StillAsked(Role.ADMIN), "2 missing, any Admin"),
        (StillAsked(Role.OPERATOR, ()), "2 missing, but nobody named may still decide"),
    ],
)
def test_who_is_still_asked_is_said_in_words(asked: StillAsked, said: str) -> None:
    """Without an approver list it is the role; where nobody is left, that is said."""
    assert quorum.missing(replace(waiting(policy=TWO), still_asked=asked)) == (said,)


def test_where_one_answer_of_anybody_is_enough_nothing_is_added() -> None:
    """The small print says already which role it needs."""
    assert quorum.missing(replace(waiting(), still_asked=ANYBODY)) == ()


def test_a_vote_that_lapsed_is_not_counted_and_named() -> None:
    """The card neither counts it nor hides it."""
    view = replace(waiting([_lapsed(), voice(ANA)], policy=TWO), still_asked=ANYBODY)
    read = words(approval_card(view).blocks)
    assert "1 of 2: Ana ✅" in read
    assert "not counted any more: Bob" in read
    assert "1 missing" in read


def test_whoever_decides_is_told_whose_earlier_vote_lapsed_and_why() -> None:
    """So that nobody wonders why two approvals are not enough."""
    view = replace(waiting([_lapsed(), voice(ANA)], policy=TWO), still_asked=ANYBODY)
    shown = counted_view(view, Choice.APPROVE)
    assert_view(shown)
    said = "Bob's approval no longer counts: needs Operator in acme, holds no role."
    assert said in words(shown)
    assert said not in words(counted_view(view, Choice.REJECT))
    assert said in words(details_blocks(view, show_secrets=False))


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Finding(Rule.STANDING, False, "a full member", "deactivated"), "account is deactivated"),
        (Finding(Rule.STANDING, False, "a full member", "guest"), "a guest account now"),
        (Finding(Rule.APPROVERS, False, "S0RELEASE", "x"), "not among its approvers any more"),
        (Finding(Rule.LOOK_UP, False, "x", "y"), "could not be looked up again there"),
    ],
)
def test_why_a_vote_lapsed_is_said_in_words(finding: Finding, said: str) -> None:
    """Each rule has its sentence."""
    (line,) = quorum.lapsed(waiting([_lapsed(finding)], policy=TWO))
    assert said in line


def test_details_say_who_may_still_decide_in_full() -> None:
    """The card names eight; Details name them all."""
    names = tuple(f"S0GROUP{number}" for number in range(20))
    asked = StillAsked(Role.OPERATOR, names)
    view = replace(waiting(policy=TWO), still_asked=asked)
    assert "S0GROUP19" not in words(approval_card(view).blocks)
    assert "and 12 more" in words(approval_card(view).blocks)
    assert "S0GROUP19" in words(details_blocks(view, show_secrets=False))
