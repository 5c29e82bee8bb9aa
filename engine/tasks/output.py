"""Reading what a task left in its output file. Whatever it is, it must not harm us."""

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from engine.model import JsonObject

LIMIT = 1 << 20  # bytes

_EXPECTED = "expected one JSON object"


class BadOutput(Exception):
    """What a task left is no output. The text says why, as a sentence about the output."""


def read_output(path: Path) -> JsonObject | None:
    """The output object; None when nothing was left. Raises `BadOutput`."""
    content = _read(path)
    if content is None or not content.strip():
        return None
    try:
        found = json.loads(content, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be stored
    except UnicodeError as error:
        raise BadOutput(f"the output is not UTF-8 text: {_EXPECTED}") from error
    except RecursionError as error:
        raise BadOutput("the output is nested too deeply") from error
    except ValueError as error:
        raise BadOutput(f"the output is not JSON ({error}): {_EXPECTED}") from error
    if not isinstance(found, dict):
        raise BadOutput(f"the output is {_described(found)}: {_EXPECTED}")
    return found


def _read(path: Path) -> bytes | None:
    try:
        # Without waiting: a command may have put a named pipe there.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadOutput(f"the output cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadOutput("the output is not a regular file")
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise BadOutput("the output is larger than 1 MiB: write a file elsewhere and name it here")
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _described(found: Any) -> str:
    match found:
        case list():
            return "a list"
        case str():
            return "a string"
        case bool():
            return "true or false"
        case None:
            return "null"
        case _:
            return "a number"
