"""Instants and durations as people read them: local where Slack can, UTC everywhere else."""

from datetime import UTC, datetime, timedelta

_SLACK_FORMAT = "{date_short_pretty} at {time}"
_CLOCK_FORMAT = "{time}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_BRIEF = 10  # seconds, below which tenths are told


def utc(at: datetime) -> str:
    """`2026-01-02 14:02 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def slack_date(at: datetime) -> str:
    """The mrkdwn that Slack shows in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{_SLACK_FORMAT}|{utc(at)}>"


def slack_clock(at: datetime) -> str:
    """As `slack_date`, the time of day alone."""
    return f"<!date^{int(at.timestamp())}^{_CLOCK_FORMAT}|{utc(at)}>"


def date_element(at: datetime) -> dict[str, object]:
    """The same inside a rich text block."""
    return {
        "type": "date",
        "timestamp": int(at.timestamp()),
        "format": _SLACK_FORMAT,
        "fallback": utc(at),
    }


def duration(span: timedelta) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`; never negative."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _two(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def precisely(span: timedelta) -> str:
    """`3.1 s`, and from ten seconds on as `duration`."""
    seconds = max(0.0, span.total_seconds())
    return f"{seconds:.1f} s" if seconds < _BRIEF else duration(span)


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = f" {small} {small_unit}" if small else ""
    return f"{large} {large_unit}{rest}"
