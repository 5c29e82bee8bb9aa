"""Reading a document of TOML: everything wrong with it is noted, each by its key."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import InvalidPrincipal, Principal

Where = tuple[str, ...]
"""The path of a key. An entry of a list stands in it as `gates[1]`, counted from one."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+(\[\d+\])?")
_TENANT = re.compile(r"(?!\s)[^\x00-\x1f\x7f]{1,80}(?<!\s)")
_CHANNEL = re.compile(r"#?[^\s#@<>,|&]{1,80}")

_CHANNEL_IS = 'a channel such as "#approvals" or "C0123ABCD"'


def is_channel(text: str) -> bool:
    """Whether this could be a Slack channel's name or id."""
    return _CHANNEL.fullmatch(text) is not None


def is_tenant(text: str) -> bool:
    """Whether this could be the name of a tenant."""
    return _TENANT.fullmatch(text) is not None


class TomlReader:
    """Reads parts of one file. What is wrong is noted in `problems`, and left out."""

    def __init__(self, path: Path) -> None:
        self.source = path.name
        self.home = path.parent
        self.problems: list[str] = []

    def principal(self, text: str, where: Where) -> Principal | None:
        """Whom a text names; None after a problem."""
        try:
            return Principal.parse(text)
        except InvalidPrincipal as nobody:
            self.wrong(where, str(nobody))
            return None

    def channel(self, table: Mapping[str, Any], where: Where) -> str | None:
        """The channel that a table names; None when it names none."""
        value = table.get("channel")
        if value is None or (isinstance(value, str) and is_channel(value)):
            return value
        self.wrong((*where, "channel"), f"expected {_CHANNEL_IS}, got {value!r}")
        return None

    def texts(self, value: object, where: Where, expected: str) -> list[str]:
        """A list of texts; empty after a problem."""
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.wrong(where, f"expected {expected}, got {value!r}")
        return []

    def text(self, table: Mapping[str, Any], where: Where, key: str, expected: str) -> str | None:
        """The text of a key; None when it is not there, and after a problem."""
        value = table.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self.wrong((*where, key), f"expected {expected}, got {value!r}")
        return None

    def flag(self, table: Mapping[str, Any], where: Where, key: str) -> bool:
        """Whether a key is `true`; without it, and after a problem, it is not."""
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.wrong((*where, key), f"expected true or false, got {value!r}")
        return value is True

    def is_tenant(self, name: str) -> bool:
        """Whether the key of a table can be the name of a tenant."""
        if is_tenant(name):
            return True
        self.wrong(("tenants", name), "expected a tenant name of at most 80 characters")
        return False

    def table(
        self, value: object, where: Where, known: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """The entries of a table whose keys are known; `known=None` takes any key."""
        if not isinstance(value, dict):
            self.wrong(where, f"expected a table, got {value!r}")
            return {}
        for key in value:
            if known is not None and key not in known:
                hint = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
                self.wrong((*where, key), f"unknown key{hint}")
        return {key: entry for key, entry in value.items() if known is None or key in known}

    def wrong(self, where: Where, message: str) -> None:
        """Note a problem, by the path of its key."""
        self.problems.append(f"{self.source}: {path_of(where)}: {message}")


def path_of(where: Where) -> str:
    """The path of a key, as people read it: `tenants."a b".roles.admin`."""
    return ".".join(map(_key, where))


def did_you_mean(word: str, words: tuple[str, ...]) -> str:
    """`; did you mean 'channel'?`, or nothing when no word comes near."""
    lowered = {known.lower(): known for known in words}
    near = difflib.get_close_matches(word.lower(), lowered, n=1)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def _key(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else json.dumps(part)
