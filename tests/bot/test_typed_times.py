"""Instants as people type them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.typed_times import read_past, read_time

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=BERLIN)  # a Wednesday


@pytest.mark.parametrize(
    ("said", "until", "since"),
    [
        ("friday", "2026-03-07 00:00", "2026-03-06 00:00"),
        ("Fri", "2026-03-07 00:00", "2026-03-06 00:00"),
        ("wednesday", "2026-03-05 00:00", "2026-03-04 00:00"),
        ("friday 18:00", "2026-03-06 18:00", "2026-03-06 18:00"),
        ("on friday at 6pm", "2026-03-06 18:00", "2026-03-06 18:00"),
        ("the end of friday", "2026-03-07 00:00", "2026-03-06 00:00"),
        ("18:00", "2026-03-04 18:00", "2026-03-04 18:00"),
        ("9.15", "2026-03-05 09:15", "2026-03-05 09:15"),
        ("12 am", "2026-03-05 00:00", "2026-03-05 00:00"),
        ("tomorrow", "2026-03-06 00:00", "2026-03-05 00:00"),
        ("tomorrow 18:00", "2026-03-05 18:00", "2026-03-05 18:00"),
        ("tonight", "2026-03-05 00:00", "2026-03-04 00:00"),
        ("3 days", "2026-03-07 10:30", "2026-03-07 10:30"),
        ("a week", "2026-03-11 10:30", "2026-03-11 10:30"),
        ("2h", "2026-03-04 12:30", "2026-03-04 12:30"),
        ("2026-12-01", "2026-12-02 00:00", "2026-12-01 00:00"),
        ("2026-12-01T18:00", "2026-12-01 18:00", "2026-12-01 18:00"),
        ("2026-12-01 18:00", "2026-12-01 18:00", "2026-12-01 18:00"),
        ("2026-12-01T17:00Z", "2026-12-01 18:00", "2026-12-01 18:00"),
        ("now", "2026-03-04 10:30", "2026-03-04 10:30"),
    ],
)
def test_a_time_is_understood_in_the_persons_zone(said: str, until: str, since: str) -> None:
    """A day is meant whole: an end is its end, a beginning its beginning."""
    for expected, is_end in ((until, True), (since, False)):
        found = read_time(said.split(), NOW, is_end=is_end)
        assert found == datetime.fromisoformat(expected).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    "said", ["", "18", "soon", "25:00", "13pm", "friday soon", "2026-13-01", "fr", "9999-12-31"]
)
def test_what_names_no_instant_is_none(said: str) -> None:
    """A bare number is neither an hour nor a day."""
    assert read_time(said.split(), NOW, is_end=True) is None


@given(st.lists(st.text(max_size=12), max_size=4), st.booleans())
def test_whatever_is_typed_it_is_an_aware_time_or_none(said: list[str], is_end: bool) -> None:
    """Nothing that somebody types breaks it."""
    found = read_time(said, NOW.astimezone(UTC), is_end=is_end)
    assert found is None or found.utcoffset() is not None


def test_a_span_is_counted_from_now() -> None:
    """Whatever the zone says of the hour."""
    found = read_time(["90", "minutes"], NOW, is_end=True)
    assert found == NOW + timedelta(minutes=90)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", "2026-11-18T10:00"),
        ("3 days ago", "2026-11-22T10:00"),
        ("12h", "2026-11-24T22:00"),
        ("today", "2026-11-25T00:00"),
        ("yesterday", "2026-11-24T00:00"),
        ("wednesday", "2026-11-25T00:00"),
        ("Monday", "2026-11-23T00:00"),
        ("last thu", "2026-11-19T00:00"),
        ("2026-11-01", "2026-11-01T00:00"),
        ("2026-11-25T09:00", "2026-11-25T09:00"),
        ("tomorrow", None),
        ("2026-11-26", None),
        ("soon", None),
        ("", None),
        ("0001-01-01", None),
        ("2000w", "1988-07-27T10:00"),
    ],
)
def test_since_is_in_the_past(text: str, expected: str | None) -> None:
    """A Wednesday at ten, in the reader's zone: days begin there; the future is no answer."""
    zone = ZoneInfo("Asia/Tokyo")
    found = read_past(text, datetime(2026, 11, 25, 10, tzinfo=zone))
    assert found == (
        None if expected is None else datetime.fromisoformat(expected).replace(tzinfo=zone)
    )


@given(st.text() | st.from_regex(r"[0-9]{1,5} ?(m|h|d|w|weeks)", fullmatch=True))
def test_no_word_about_the_past_raises(text: str) -> None:
    """It is a moment that has been, or none."""
    now = datetime(2026, 11, 25, 10, tzinfo=ZoneInfo("America/New_York"))
    found = read_past(text, now)
    assert found is None or found <= now
