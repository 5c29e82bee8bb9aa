"""What the thread is told of a vote, where one is not enough."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings

from bot.votes import told, voice_of
from engine import CheckpointView, Choice, Policy, Role, StillAsked
from tests.bot import hostile
from tests.bot.views import (
    ANA,
    BOB,
    DECIDED_AT,
    approved,
    assert_message,
    voice,
    waiting,
    words,
)

TWO = Policy(quorum=2, reject_quorum=2)
ANAS = replace(voice(ANA, reason="looks right"), decision=7)
BOBS = replace(voice(BOB, at=DECIDED_AT + timedelta(minutes=5)), decision=8)


def test_a_vote_is_told_with_its_reason_and_how_far_it_has_come() -> None:
    """The reason is quoted, and how many are missing stands below it."""
    view = waiting([ANAS], policy=TWO)
    view = replace(view, still_asked=StillAsked(Role.OPERATOR, named=None, but_requester=False))
    message = told(view, ANAS)
    assert_message(message)
    read = words(message.blocks)
    assert "✅ Ana approved (1 of 2)" in read
    assert "looks right" in read
    assert "1 missing, any Operator" in read
    assert message.text.startswith("✅ Ana approved (1 of 2): looks right")


def test_a_vote_told_late_counts_as_it_did_then() -> None:
    """The second vote does not make the first one `2 of 2`."""
    view = approved(ANAS, BOBS, policy=TWO)
    assert "Ana approved (1 of 2)" in told(view, ANAS).text
    assert "Bob approved (2 of 2)" in told(view, BOBS).text


def test_a_vote_against_says_so() -> None:
    """And counts those against."""
    no = replace(voice(BOB, Choice.REJECT, "not on a Friday"), decision=9)
    message = told(waiting([ANAS, no], policy=TWO), no)
    assert "❌ Bob rejected (1 of 2)" in words(message.blocks)


def test_a_vote_without_a_reason_quotes_none() -> None:
    """Nothing stands where nothing was said."""
    assert len(told(waiting([BOBS], policy=TWO), BOBS).blocks) == 2


def test_whoever_has_voted_anew_is_told_of_once() -> None:
    """The earlier vote is none of those that count."""
    view = waiting([replace(ANAS, decision=12)], policy=TWO)
    assert voice_of(view, 7) is None
    assert voice_of(view, 12) is view.voices[0]


@given(hostile.view())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_a_reason_says_slack_takes_the_message(view: CheckpointView) -> None:
    """And nothing in it can act."""
    for said in view.voices[:1]:
        assert_message(told(view, said))
