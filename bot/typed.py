"""A slash command as people type it: understood forgivingly, or not at all."""

import difflib
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.tokens import ListKind, ListState, is_checkpoint_id


@dataclass(frozen=True, slots=True)
class Listing:
    """`list` and `mine`, with filters."""

    state: ListState


@dataclass(frozen=True, slots=True)
class Show:
    """`show ID`. The id is as typed, in lower case; nothing may have it."""

    checkpoint_id: str


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """`whoami`."""


@dataclass(frozen=True, slots=True)
class Help:
    """`help`."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """What was not understood, and what was probably meant, as one would type it."""

    said: str
    nearest: str | None = None


Request = Listing | Show | WhoAmI | Help | NotUnderstood

_SUBCOMMANDS = ("list", "mine", "show", "whoami", "help")
_FILTERS = ("tenant", "dag")
_ALIASES = {
    **dict.fromkeys(("", "ls", "pending"), "list"),
    **dict.fromkeys(("my", "me"), "mine"),
    **dict.fromkeys(("who", "who-am-i"), "whoami"),
    **dict.fromkeys(("?", "-h", "--help", "usage"), "help"),
    **dict.fromkeys(("get", "view", "details"), "show"),
}
MOST_SAID = 64
_MOST_VALUE = 100

# Phones and Slack itself turn quotes and dashes into typographic ones.
QUOTES = {**dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‘’‚‛", "'"), "\u00a0": " "}
DASHES = {**dict.fromkeys("‐‑‒–−", "-"), **dict.fromkeys("—―", "--")}
_TYPOGRAPHY = {**QUOTES, **DASHES}
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_FILTER = re.compile(r"-{0,2}(?P<name>[a-z]+)(?P<mark>[:=]?)(?P<value>.*)", re.IGNORECASE)


def understood(text: str) -> Request:
    """What a person asked for."""
    words = split(text, _TYPOGRAPHY)
    first = words[0].lower() if words else ""
    if is_checkpoint_id(first):
        return _show([first, *words[1:]])
    is_filter = bool(words) and _filter_name(words[0]) is not None
    verb = "list" if is_filter else _ALIASES.get(first, first)
    rest = words if is_filter else words[1:]
    match verb:
        case "list" | "mine":
            return _listing(ListKind(verb), rest)
        case "show":
            return _show(rest)
        case "whoami":
            return WhoAmI()
        case "help":
            return Help()
        case _:
            return NotUnderstood(words[0][:MOST_SAID], near(first, _SUBCOMMANDS))


def split(text: str, typography: Mapping[str, str]) -> list[str]:
    """The words as a shell would split them, with these characters read as those."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = "".join(typography.get(character, character) for character in text)
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is never closed
        return text.split()


def _show(words: list[str]) -> Show | NotUnderstood:
    if not words:
        return NotUnderstood("show", "show ID")
    if len(words) > 1:
        return NotUnderstood(words[1][:MOST_SAID])
    return Show(words[0].strip("`<>*_.,").lower()[:MOST_SAID])


def _listing(kind: ListKind, words: list[str]) -> Listing | NotUnderstood:
    found: dict[str, str] = {}
    remaining = iter(words)
    for word in remaining:
        name, value = _filter(word, remaining)
        if name is None:
            return NotUnderstood(word[:MOST_SAID], _meant_filter(word))
        if not value or len(value) > _MOST_VALUE or found.setdefault(name, value) != value:
            return NotUnderstood(word[:MOST_SAID], f"{kind.value} {name}:NAME")
    return Listing(ListState(kind=kind, tenant=found.get("tenant"), dag=found.get("dag")))


def _filter(word: str, remaining: Iterator[str]) -> tuple[str | None, str]:
    """`tenant:acme`, `--tenant=acme`, `tenant: acme` and `--tenant acme` are all the same."""
    name = _filter_name(word)
    if name is None:
        return None, ""
    match = _FILTER.fullmatch(word)
    value = match["value"] if match else ""
    return name, value or next(remaining, "")


def _filter_name(word: str) -> str | None:
    match = _FILTER.fullmatch(word)
    if match is None or (not match["mark"] and not word.startswith("-")):
        return None
    name = match["name"].lower()
    return name if name in _FILTERS and (match["mark"] or not match["value"]) else None


def _meant_filter(word: str) -> str | None:
    match = _FILTER.fullmatch(word)
    if match is None or not (match["mark"] or word.startswith("-")):
        return "list tenant:NAME dag:NAME"
    return near(match["name"].lower(), _FILTERS, ":NAME")


def near(word: str, words: tuple[str, ...], ending: str = "") -> str | None:
    """The one of these words that was probably meant, with its ending."""
    close = difflib.get_close_matches(word[:MOST_SAID], words, n=1)
    return close[0] + ending if close else None
