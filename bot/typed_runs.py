"""`/signoff` as people type it: understood forgivingly, or not at all."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.page_states import PastKind
from bot.typed import Doctor, Help, WhoAmI
from bot.typed_filters import take
from bot.typed_past import Looking, read_looking
from bot.typed_people import PeopleRequest, read_delegate, read_link
from bot.typed_words import (
    DASHES,
    MOST_SAID,
    QUOTES,
    TYPOGRAPHY,
    NotUnderstood,
    near,
    split,
    verb_of,
    without_labels,
)


@dataclass(frozen=True, slots=True)
class StartRun:
    """`run DAG key=value …`. The name is empty when none was said; values are as typed."""

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class ShowNotifications:
    """`notifications`."""


RunRequest = (
    StartRun | ShowNotifications | Looking | PeopleRequest | WhoAmI | Doctor | Help | NotUnderstood
)

SUBCOMMANDS = ("run", "runs", "delegate", "link", "notifications", "whoami", "doctor", "help")
_ALIASES = {
    "start": "run",
    **dict.fromkeys(("notify", "notification", "snooze", "settings"), "notifications"),
    **dict.fromkeys(("list", "ls", "recent"), "runs"),
    **dict.fromkeys(("who", "who-am-i", "me"), "whoami"),
    **dict.fromkeys(("health", "check"), "doctor"),
    **dict.fromkeys(("", "?", "-h", "--help", "usage"), "help"),
}
_PLAIN: Mapping[str, ShowNotifications | WhoAmI | Doctor | Help] = {
    "notifications": ShowNotifications(),
    "whoami": WhoAmI(),
    "doctor": Doctor(),
    "help": Help(),
}
_MOST_NAME = 80
_TENANT = re.compile(r"(?:-{1,2}tenant=|-{0,2}tenant:)(?P<tenant>.*)", re.IGNORECASE)
_FLAG = re.compile(r"-{1,2}tenant", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ESCAPED = re.compile(
    r"<(?:(?P<sign>[@#])(?P<id>[A-Z0-9]{2,})|!subteam\^(?P<group>[A-Z0-9]+)"
    r"|(?P<link>(?:https?|mailto):[^|>\s]+))(?:\|(?P<label>[^>]*))?>"
)
_DASHES = str.maketrans(DASHES)


def understood_run(text: str) -> RunRequest:
    """What a person asked for: parts in any order, quotes and dashes as phones make them."""
    words = split(text, QUOTES)
    first = words[0].translate(_DASHES).lower() if words else ""
    match _ALIASES.get(first, first):
        case "run":
            return _start(split(_as_typed(text), QUOTES)[1:])
        case "delegate":
            return read_delegate(words[1:])
        case "link":
            return read_link(words[1:])
        case "whoami" | "doctor" | "help" | "notifications" as verb:
            return _PLAIN[verb]
        case _:
            return _runs(text) or NotUnderstood(words[0][:MOST_SAID], _meant(words[0]))


def _runs(text: str) -> Looking | NotUnderstood | None:
    """`runs`, with filters before and after it; None when it is something else."""
    taken = take(split(without_labels(text), TYPOGRAPHY))
    verb, rest = verb_of(taken.rest, _ALIASES, SUBCOMMANDS, ("runs",))
    return read_looking(PastKind.RUNS, taken, rest) if verb == "runs" else None


def _as_typed(text: str) -> str:
    """Names and links as they were typed: Slack escapes them, and a parameter wants none of that.

    Where Slack leaves the name out, its id is all there is.
    """
    return _ESCAPED.sub(lambda found: f"{found['sign'] or ''}{_name(found)}", text)


def _name(found: re.Match[str]) -> str:
    return found["label"] or found["id"] or found["group"] or found["link"]


def _meant(word: str) -> str | None:
    """A subcommand that is nearly this word, or a DAG to run."""
    subcommand = near(word.lower(), SUBCOMMANDS)
    return subcommand or (f"run {word}" if _WORD.fullmatch(word) else None)


def _start(words: list[str]) -> StartRun | NotUnderstood:
    name: list[str] = []
    params: dict[str, str] = {}
    tenants: list[str] = []
    remaining = iter(_joined(words))
    for word in remaining:
        key, is_pair, value = word.partition("=")
        key = key.translate(_DASHES)
        if match := _TENANT.fullmatch(key + is_pair + value):
            tenants.append(match["tenant"] or next(remaining, ""))
        elif _FLAG.fullmatch(key) and not is_pair:
            tenants.append(next(remaining, ""))
        elif not is_pair:
            name.append(key)
        elif not key.strip("-") or params.setdefault(key.lstrip("-"), value) != value:
            return NotUnderstood(word[:MOST_SAID], "run DAG key=value, each key once")
    if len(set(tenants)) > 1 or "" in tenants:
        return NotUnderstood("tenant:", "run DAG tenant:NAME")
    return StartRun(" ".join(name)[:_MOST_NAME], params, tenants[0] if tenants else None)


def _joined(words: list[str]) -> Iterator[str]:
    """`version = 1.4` is `version=1.4`; `--param version=1.4` says no more."""
    said = [word for word in words if word.translate(_DASHES) != "--param"]
    at = 0
    while at < len(said):
        if said[at + 1 : at + 2] == ["="]:
            yield f"{said[at]}={''.join(said[at + 2 : at + 3])}"
            at += 3
        else:
            yield said[at]
            at += 1
