"""Reading a moment the way people type one."""

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(?P<count>\d{1,6})(?P<unit>[dhm])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def moment_of(text: str, now: datetime) -> datetime | None:
    """`2026-01-31`, `2026-01-31T14:00Z` or `7d` before now; None when it is none of them.

    A time without a zone is in UTC.
    """
    text = text.strip()
    if match := _SPAN.fullmatch(text):
        span = int(match["count"]) * _UNITS[match["unit"]]
        return now - min(span, now - datetime.min.replace(tzinfo=UTC))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
