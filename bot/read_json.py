"""Reading JSON that somebody else wrote: a part is as expected, or the whole is malformed."""

import re
from collections.abc import Mapping

_MOST_TEXT = 4_000


class MisreadError(Exception):
    """A part is missing, or of another type than Slack sends."""


def part(body: object, *path: str) -> object:
    """What stands at this path; None where nothing does."""
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def text(body: object, *path: str) -> str:
    """The text at this path, not empty. Raises `MisreadError`."""
    found = part(body, *path)
    if not isinstance(found, str) or not found or len(found) > _MOST_TEXT:
        raise MisreadError(f"{'.'.join(path)} is missing or no text")
    return found


def optional_text(body: object, *path: str) -> str:
    """The text at this path, empty where there is none. Raises `MisreadError`."""
    return "" if part(body, *path) in (None, "") else text(body, *path)


def matching(pattern: re.Pattern[str], body: object, *path: str) -> str:
    """The text at this path, if it has this form. Raises `MisreadError`."""
    found = text(body, *path)
    if not pattern.fullmatch(found):
        raise MisreadError(f"{'.'.join(path)} is no id")
    return found


def optional_matching(pattern: re.Pattern[str], body: object, *path: str) -> str | None:
    """As `matching`; None where there is nothing."""
    return None if part(body, *path) in (None, "") else matching(pattern, body, *path)
