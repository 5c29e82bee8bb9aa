"""The message that says how many cards wait for their turn in a channel."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.rollup_messages import MOST_ROWS, rollup
from bot.tokens import REVIEW, SHOW_MINE, ListKind, ListState, parse_list_state
from bot.turns import LATE_RECORDS, NEW_CARDS, NEWS, NUDGES, rank_of
from engine import CheckpointView, Crowd, DeliveryKind
from engine.store.backlogs import Backlog
from tests.bot import hostile
from tests.bot.views import (
    DECIDED_AT,
    SECRET,
    approved,
    assert_message,
    checkpoint,
    waiting,
    words,
)
from tests.journeys.seen import buttons

BACKLOG = Backlog(
    id=1,
    lane="chat.postMessage C1",
    place="C1",
    handle="1.0",
    waiting=500,
    most=500,
    due_at=DECIDED_AT,
)


def crowd(waiting: int, rows: int) -> Crowd:
    return Crowd(backlog=BACKLOG, waiting=waiting, urgent=(checkpoint(),) * rows)


def test_it_says_how_many_wait_and_names_the_most_urgent() -> None:
    """Each with Review, which needs no card; the rest is counted."""
    message = rollup(crowd(500, MOST_ROWS), DECIDED_AT)
    assert_message(message)
    read = words(message.blocks)
    for expected in ("500 requests wait here", "deploy · approve_release", "and 488 more"):
        assert expected in read
    assert "Nothing is lost" in message.text
    pressed = [one["action_id"] for one in buttons(message.blocks)]
    assert pressed == [REVIEW] * MOST_ROWS + [SHOW_MINE]


def test_it_leads_to_what_waits_for_whoever_asks() -> None:
    """The button carries the list that `/checkpoints mine` shows."""
    *_, last = buttons(rollup(crowd(20, 2), DECIDED_AT).blocks)
    assert parse_list_state(last["value"]) == ListState(kind=ListKind.MINE)


def test_one_that_is_left_is_one_request() -> None:
    """And nothing is said of more where all are named."""
    message = rollup(crowd(1, 1), DECIDED_AT)
    assert "1 request waits here" in message.text
    assert "more, with" not in words(message.blocks)


def test_when_nothing_waits_it_says_so_and_has_no_buttons() -> None:
    """How many waited at most stays on record."""
    message = rollup(crowd(0, 0), DECIDED_AT)
    assert_message(message)
    assert "All cards are posted. Up to 500 waited" in message.text
    assert list(buttons(message.blocks)) == []


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(hostile.view(), min_size=1, max_size=3))
def test_whatever_a_dag_says_it_can_be_sent_and_keeps_secrets(views: list[CheckpointView]) -> None:
    """Long and hostile prompts neither break it nor address anybody."""
    found = tuple(view.checkpoint for view in views) * (MOST_ROWS // 3)
    message = rollup(Crowd(backlog=BACKLOG, waiting=99, urgent=found), DECIDED_AT)
    assert_message(message)
    assert SECRET not in words(message.blocks)


@pytest.mark.parametrize(
    ("kind", "rank"),
    [
        (DeliveryKind.POSTING, NEW_CARDS),
        (DeliveryKind.ESCALATION, NEWS),
        (DeliveryKind.GLASS_BROKEN, NEWS),
        (DeliveryKind.REMINDER, NUDGES),
        (DeliveryKind.REVIEW_OPEN, NUDGES),
    ],
)
def test_cards_go_before_news_and_news_before_reminders(kind: DeliveryKind, rank: int) -> None:
    """Nobody can decide on a card that is not there."""
    assert rank_of(waiting(), kind) == rank


def test_the_card_of_what_was_decided_before_it_was_posted_goes_last() -> None:
    """A redraw of one that is posted does not wait with it."""
    settled = approved()
    assert rank_of(replace(settled, postings=()), DeliveryKind.POSTING) == LATE_RECORDS
    assert LATE_RECORDS > NUDGES
