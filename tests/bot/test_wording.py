"""Sentences about checkpoints, and what the bot says of itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings

from bot import notices, wording
from bot.times import duration, slack_clock, slack_date, utc
from bot.typed import NotUnderstood
from engine import CheckpointView, Choice, Policy
from tests.bot import hostile
from tests.bot.views import (
    ANA,
    BOB,
    DECIDED_AT,
    approved,
    called_off,
    cancelled,
    expired,
    forced,
    rejected,
    voice,
    waiting,
)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=45), "45 s"),
        (timedelta(minutes=12, seconds=59), "12 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 4 h"),
        (timedelta(days=2), "2 d"),
    ],
)
def test_durations_are_as_short_as_they_can_be(span: timedelta, expected: str) -> None:
    """Two units at most, cut and not rounded, and never less than nothing."""
    assert duration(span) == expected


def test_times_are_local_in_slack_and_utc_elsewhere() -> None:
    """Slack gets an instant to show in the reader's zone, with UTC to fall back on."""
    at = datetime(2026, 1, 2, 15, 2, tzinfo=timezone(timedelta(hours=1)))
    assert utc(at) == "2026-01-02 14:02 UTC"
    unix = int(datetime(2026, 1, 2, 14, 2, tzinfo=UTC).timestamp())
    assert (
        slack_date(at) == f"<!date^{unix}^{{date_short_pretty}} at {{time}}|2026-01-02 14:02 UTC>"
    )
    assert slack_clock(at) == f"<!date^{unix}^{{time}}|2026-01-02 14:02 UTC>"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "Ana"),
        (2, "Ana and Ana"),
        (3, "Ana, Ana and Ana"),
        (10, "Ana, Ana, Ana, Ana, Ana, Ana, Ana and 3 more"),
    ],
)
def test_names_are_listed_as_in_speech(count: int, expected: str) -> None:
    """A few people are named, more are counted."""
    assert wording.names_of([voice(ANA)] * count) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(waiting(), "Expires 2026-01-05 13:50 UTC", id="waiting"),
        pytest.param(approved(), "Ana · 2026-01-02 14:02 UTC · after 12 min", id="approved"),
        pytest.param(
            rejected(voice(BOB, Choice.REJECT)),
            "Bob · 2026-01-02 14:02 UTC · after 12 min",
            id="rejected",
        ),
        pytest.param(expired(), "Expired 2026-01-05 13:50 UTC · nobody decided", id="expired"),
        pytest.param(
            expired(
                voice(ANA), voice(BOB, Choice.REJECT), policy=Policy(quorum=2, reject_quorum=2)
            ),
            "Expired 2026-01-05 13:50 UTC · not decided: 1 of 2 approvals, 1 against",
            id="expired with votes",
        ),
        pytest.param(
            forced(),
            "Ended early, 2026-01-02 14:02 UTC · before its deadline, at an Operator's word"
            " · nobody decided",
            id="forced",
        ),
        pytest.param(
            cancelled(), "Its run ended 2026-01-02 14:02 UTC · nobody decided", id="cancelled"
        ),
        pytest.param(
            called_off(),
            "Its run was called off 2026-01-02 14:02 UTC · by Ana · nobody decided",
            id="called-off",
        ),
    ],
)
def test_every_end_has_its_own_words(view: CheckpointView, expected: str) -> None:
    """Four ends, never confused, each with its time."""
    assert wording.side_by_side(wording.ending(view)) == expected


def test_a_later_third_vote_is_not_counted_beyond_what_was_needed() -> None:
    """`2 of 2` stays so, however many votes stand."""
    view = approved(voice(ANA), voice(BOB), voice(BOB), policy=Policy(quorum=2))
    assert wording.tally(view, Choice.APPROVE) == "2 of 2"


def test_an_explanation_reads_well_in_a_terminal() -> None:
    """Headline, reasons and next step stand on their own lines, times in UTC."""
    said = wording.Explanation(
        "Already approved", (("By Ana on ", wording.Moment(DECIDED_AT, after=".")),), "Too late."
    )
    assert str(said) == "Already approved\nBy Ana on 2026-01-02 14:02 UTC.\nToo late."


def test_an_unknown_id_leads_to_the_list() -> None:
    """Whoever mistypes an id learns how one looks and where to find it."""
    said = str(notices.unknown_id("cp_\u202e1"))
    assert "There is no checkpoint cp_⟨U+202E⟩1" in said
    assert "/checkpoints list" in said


def test_what_broke_can_be_found_in_the_log() -> None:
    """An error shows the short reference that the log has too, and says nothing was recorded."""
    said = str(notices.not_recorded("4f1a2b3c"))
    assert said.startswith("Not recorded, try again")
    assert "4f1a2b3c" in said


def test_a_failed_look_up_says_that_nothing_was_recorded() -> None:
    """Nobody is left to guess whether their click counted."""
    assert str(notices.look_up_failed()).endswith("Nothing was recorded.")


def test_a_mistyped_command_is_met_with_what_was_meant() -> None:
    """The nearest command is offered under its registered name."""
    said = str(notices.not_understood(NotUnderstood("lisst", "list"), "/approvals"))
    assert "I do not understand lisst" in said
    assert "Did you mean /approvals list?" in said
    assert "/approvals help" in said


def test_a_vote_that_does_not_suffice_is_confirmed() -> None:
    """One of two is told that it counts, and that it can still be changed."""
    said = str(notices.counted(waiting([voice(ANA)], policy=Policy(quorum=2)), Choice.APPROVE))
    assert "Approval recorded: 1 of 2" in said
    assert "change your mind" in said


def test_help_names_every_command() -> None:
    """Nothing that can be typed is left out."""
    said = "\n".join(wording.plain_line(line) for line in notices.help_lines("/approvals"))
    for verb in ("list", "mine", "show ID", "whoami", "help"):
        assert f"/approvals {verb}: " in said


@settings(max_examples=60, deadline=None)
@given(hostile.view())
def test_no_sentence_holds_unseen_characters(view: CheckpointView) -> None:
    """What a terminal is given is visible, whatever others wrote."""
    named = replace(ANA, name="a\u202eb\x1b[31m")
    for said in (wording.header(view), wording.run_outcome(view.run), wording.name_of(named)):
        assert not set("\x00\x1b\u202e\u200b\n") & set(said)
