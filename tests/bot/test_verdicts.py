"""What Slack's answers say of a card."""

import pytest

from bot.payloads import Malformed
from bot.slack import Channel, SlackRefused
from bot.slack_events import Changed, parse_changed
from bot.verdicts import obstacle_in, verdict_of
from engine import Gone, Unreachable


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("message_not_found", Gone),
        ("cant_update_message", Gone),
        ("thread_not_found", Gone),
        ("channel_not_found", Unreachable),
        ("not_in_channel", Unreachable),
        ("is_archived", Unreachable),
        ("is_inactive", Unreachable),
        ("a_word_nobody_knows", Unreachable),
    ],
)
def test_only_what_is_surely_gone_is_posted_anew(code: str, verdict: type) -> None:
    """Whatever else Slack says, the card may be there still: a second one would be a double."""
    assert type(verdict_of(SlackRefused("chat.update", code))) is verdict


def test_an_obstacle_is_named() -> None:
    """A channel that is open to us has none."""
    open_one = Channel("C1", is_externally_shared=False)
    assert obstacle_in(open_one) is None
    archived = Channel("C1", is_externally_shared=False, is_archived=True)
    without_us = Channel("C1", is_externally_shared=False, has_us=False)
    said = [obstacle_in(one) or "" for one in (None, archived, without_us)]
    words = ["channel_not_found", "is_archived", "not_in_channel"]
    assert [text.partition(":")[0] for text in said] == words


@pytest.mark.parametrize(
    ("event", "read"),
    [
        ({"channel": "C0A", "user": "U0BOT"}, Changed(channel="C0A", user="U0BOT")),
        ({"channel": "G0A", "actor_id": "U0ANA"}, Changed(channel="G0A", user=None)),
        ({"channel": {"id": "C0A", "name": "new"}}, Changed(channel="C0A", user=None)),
    ],
)
def test_events_about_channels_are_read(event: object, read: Changed) -> None:
    """By id, or, where it has another name, as a whole."""
    assert parse_changed(event) == read


@pytest.mark.parametrize("event", [None, [], {}, {"channel": 7}, {"channel": {}}, {"channel": "x"}])
def test_anything_else_is_malformed(event: object) -> None:
    """It changes nothing, and breaks nothing."""
    assert isinstance(parse_changed(event), Malformed)
