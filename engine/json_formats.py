"""The formats of texts that are checked: those that need no further library, and times."""

import re
from datetime import datetime

from jsonschema import FormatChecker

FORMATS = FormatChecker(formats=("date", "email", "ipv4", "ipv6", "uuid"))
"""Formats by name. Any other one only tells what is meant, as the standard has it."""

_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
_INSTANT = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]{_TIME}")


@FORMATS.checks("date-time")
def is_instant(value: object) -> bool:
    """Whether a text is a date and time with its zone (RFC 3339); other values are not checked."""
    if not isinstance(value, str):
        return True
    if not _INSTANT.fullmatch(value):
        return False
    try:
        return bool(datetime.fromisoformat(value.upper()))
    except ValueError:
        return False


@FORMATS.checks("time")
def is_time(value: object) -> bool:
    """Whether a text is a time with its zone (RFC 3339); other values are not checked."""
    return is_instant(f"1970-01-01T{value}") if isinstance(value, str) else True
