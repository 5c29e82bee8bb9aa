"""Instants as people type them: `friday`, `tomorrow 18:00`, `3 days`, `2026-12-01T18:00`."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"h": "hours", "d": "days", "w": "weeks", "m": "minutes"}
_SPAN = re.compile(
    r"(?P<count>\d{1,4}|an?)\s*(?P<unit>m|min|mins|minutes?|h|hours?|d|days?|w|weeks?)"
)
_CLOCK = re.compile(r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(?P<half>am|pm)?")
_FILLERS = frozenset({"on", "at", "the", "end", "of", "next", "this"})
_AGO = frozenset({"ago", "last", "on", "the"})
_EARLIEST = 1970  # no record is older, and no zone leads out of the calendar
_NOON, _SHORTEST_DAY = 12, 3


def read_time(words: Sequence[str], now: datetime, *, is_end: bool) -> datetime | None:
    """The instant these words name, aware and in the zone of `now`; None for what names none.

    A day without a time of day is meant whole: an end is its end, a beginning its beginning.
    """
    said = [word.lower().strip(",.") for word in words if word.lower() not in _FILLERS]
    text = " ".join(said)
    if text == "now":
        return now
    if match := _SPAN.fullmatch(text):
        count = 1 if match["count"].startswith("a") else int(match["count"])
        return now + timedelta(**{_UNITS[match["unit"][0]]: count})
    return _iso(text, now, is_end=is_end) or _spoken(said, now, is_end=is_end)


def read_past(text: str, now: datetime) -> datetime | None:
    """The instant since which something is asked for, in the past; None for what names none.

    `7d` and `3 days` are before `now`; a day is its beginning, the latest of its name.
    """
    said = [word for word in text.lower().replace(",", " ").split() if word not in _AGO]
    spelt = " ".join(said)
    if match := _SPAN.fullmatch(spelt):
        count = 1 if match["count"].startswith("a") else int(match["count"])
        return now - timedelta(**{_UNITS[match["unit"][0]]: count})
    found = _iso(spelt, now, is_end=False)
    if found is None and len(said) == 1:
        day = _latest(said[0], now.date())
        found = None if day is None else _whole(day, now, is_end=False)
    is_past = found is not None and found.year >= _EARLIEST and found <= now
    return found if is_past else None


def _latest(word: str, today: date) -> date | None:
    if word == "yesterday":
        return today - timedelta(days=1)
    day = None if word == "tomorrow" else _day(word, today)
    return day if day is None or day <= today else day - timedelta(days=7)


def _iso(text: str, now: datetime, *, is_end: bool) -> datetime | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return _whole(day, now, is_end=is_end)
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=now.tzinfo)


def _spoken(said: Sequence[str], now: datetime, *, is_end: bool) -> datetime | None:
    """`friday`, `friday 18:00`, `18:00`, `tomorrow 6pm`."""
    day = _day(said[0], now.date()) if said else None
    rest = "".join(said if day is None else said[1:])
    if day is not None and not rest:
        return _whole(day, now, is_end=is_end)
    clock = _clock(rest)
    if clock is None:
        return None
    found = datetime.combine(day or now.date(), clock, now.tzinfo)
    return found + timedelta(days=1) if day is None and found <= now else found


def _day(word: str, today: date) -> date | None:
    if word in ("today", "tonight"):
        return today
    if word == "tomorrow":
        return today + timedelta(days=1)
    if len(word) < _SHORTEST_DAY:
        return None
    for weekday, name in enumerate(_DAYS):
        if name.startswith(word):
            return today + timedelta(days=(weekday - today.weekday()) % 7)
    return None


def _clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(text)
    if match is None or not (match["minute"] or match["half"]):
        return None  # a bare number is no time of day
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if match["half"] == "pm" else 0)
    try:
        return time(hour, minute)
    except ValueError:
        return None


def _whole(day: date, now: datetime, *, is_end: bool) -> datetime | None:
    try:
        day = day + timedelta(days=1) if is_end else day
        return datetime.combine(day, time(), now.tzinfo)
    except OverflowError:
        return None
