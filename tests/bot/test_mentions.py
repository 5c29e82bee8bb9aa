"""Mentions are ours alone, and stand in the one message that was asked to hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards import approval_card
from bot.mentions import NOBODY, Called, mentioning
from engine import CheckpointView
from tests.bot import hostile, views
from tests.bot.test_cards import ROOMY
from tests.bot.views import assert_mentions, assert_message, words


def test_people_and_groups_are_mentioned_by_id() -> None:
    """Groups first; each once, in `text` too, as that is what a notification reads."""
    card = approval_card(views.waiting())
    called = Called(users=("U0ANA", "U0BOB", "U0ANA"), groups=("S0TEAM",))
    assert_mentions(mentioning(card, called), "<!subteam^S0TEAM>", "<@U0ANA>", "<@U0BOB>")


def test_whoever_cannot_be_mentioned_is_named_as_plain_text() -> None:
    """An address that Slack does not know, a user of a machine, too many of a role."""
    named = mentioning(approval_card(views.waiting()), Called(named=("<!channel>@example.com",)))
    assert "For <!channel>@example.com" in words(named.blocks)
    assert_message(named)
    both = mentioning(approval_card(views.waiting()), Called(("U0ANA",), (), ("os:eve",)))
    assert_mentions(both, "<@U0ANA>")
    assert "and os:eve" in words(both.blocks)


def test_a_message_for_nobody_is_as_it_was() -> None:
    """No empty line."""
    card = approval_card(views.waiting())
    assert mentioning(card, NOBODY) is card


@pytest.mark.parametrize("forged", ["U0ANA> <!channel", "here", "!channel", "S0TEAM|x", "u0ana"])
def test_what_is_no_id_mentions_nobody(forged: str) -> None:
    """Whatever a policy or Slack says."""
    message = mentioning(approval_card(views.waiting()), Called((forged,), (forged,)))
    assert "<@" not in message.text
    assert "subteam" not in message.text


def test_no_message_mentions_more_than_twenty() -> None:
    """However long the list."""
    called = Called(users=tuple(f"U0{n:03}" for n in range(50)))
    message = mentioning(approval_card(views.waiting()), called)
    assert message.text.count("<@") == 20


@ROOMY
@given(hostile.view(), st.lists(hostile.text, max_size=9))
def test_hostile_text_never_mentions(view: CheckpointView, named: list[str]) -> None:
    """In the card or among the names: only the ids given are mentioned."""
    message = mentioning(approval_card(view), Called(("U0ANA",), (), tuple(named)))
    assert_mentions(message, "<@U0ANA>")
