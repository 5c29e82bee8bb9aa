"""A slash command as people type it: understood forgivingly, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.page_states import PastKind
from bot.tokens import ListKind, ListState, is_checkpoint_id
from bot.typed_filters import FILTERS, Taken, meant_filter, read_filters, take
from bot.typed_past import Looking, read_looking
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

__all__ = [
    "DASHES",
    "MOST_SAID",
    "QUOTES",
    "Doctor",
    "Help",
    "Listing",
    "Looking",
    "NotUnderstood",
    "Request",
    "Review",
    "Show",
    "WhoAmI",
    "near",
    "split",
    "understood",
]


@dataclass(frozen=True, slots=True)
class Listing:
    """`list` and `mine`, with filters. People in the state are as typed: an id, `me`, `@name`."""

    state: ListState


@dataclass(frozen=True, slots=True)
class Show:
    """`show ID`. The id is as typed, in lower case; nothing may have it."""

    checkpoint_id: str


@dataclass(frozen=True, slots=True)
class Review:
    """`review ID`; without an id, the next one that waits for whoever asks."""

    checkpoint_id: str | None = None


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """`whoami`."""


@dataclass(frozen=True, slots=True)
class Doctor:
    """`doctor`."""


@dataclass(frozen=True, slots=True)
class Help:
    """`help`."""


Request = Listing | Show | Review | Looking | WhoAmI | Doctor | Help | NotUnderstood

SUBCOMMANDS = (
    "list",
    "mine",
    "show",
    "review",
    "history",
    "stats",
    "whoami",
    "doctor",
    "help",
)
_PLAIN: Mapping[str, WhoAmI | Doctor | Help] = {
    "whoami": WhoAmI(),
    "doctor": Doctor(),
    "help": Help(),
}
_LISTS = ("list", "mine", "history", "stats")
_NARROWING = ("tenant", "dag", "by", "from")
_ALIASES = {
    **dict.fromkeys(("", "ls", "pending"), "list"),
    **dict.fromkeys(("my", "me"), "mine"),
    **dict.fromkeys(("who", "who-am-i"), "whoami"),
    **dict.fromkeys(("?", "-h", "--help", "usage"), "help"),
    **dict.fromkeys(("get", "view", "details"), "show"),
    **dict.fromkeys(("open", "decide", "next"), "review"),
    **dict.fromkeys(("past", "ended"), "history"),
    **dict.fromkeys(("statistics", "stat", "summary"), "stats"),
    **dict.fromkeys(("health", "check"), "doctor"),
}


def understood(text: str) -> Request:
    """What a person asked for: the subcommand and its filters in any order."""
    taken = take(split(without_labels(text), TYPOGRAPHY))
    first = taken.rest[0].lower() if taken.rest else ""
    verb, rest = verb_of(taken.rest, _ALIASES, SUBCOMMANDS, _LISTS)
    if is_checkpoint_id(first):
        verb, rest = "show", taken.rest
    match verb:
        case "list" | "mine":
            return _listing(ListKind(verb), taken, rest)
        case "history" | "stats":
            return read_looking(PastKind(verb), taken, rest)
        case "show" | "review" | "whoami" | "doctor" | "help":
            return _unfiltered(verb, taken, rest)
        case _:
            return NotUnderstood(taken.rest[0][:MOST_SAID], _meant(first))


def _unfiltered(verb: str, taken: Taken, words: Sequence[str]) -> Request:
    """What takes no filters."""
    if taken.found:
        return NotUnderstood(taken.found[0][2][:MOST_SAID], verb)
    return _PLAIN.get(verb) or _one(verb, words)


def _meant(word: str) -> str | None:
    """A subcommand or a filter that is nearly this word."""
    if ":" in word or "=" in word:
        return near(word.replace("=", ":").split(":")[0].lstrip("-"), FILTERS, ":NAME")
    return near(word, SUBCOMMANDS)


def _one(verb: str, words: Sequence[str]) -> Show | Review | NotUnderstood:
    if len(words) > 1:
        return NotUnderstood(words[1][:MOST_SAID])
    named = words[0].strip("`<>*_.,").lower()[:MOST_SAID] if words else None
    if verb == "review":
        return Review(named)
    return NotUnderstood("show", "show ID") if named is None else Show(named)


def _listing(kind: ListKind, taken: Taken, words: Sequence[str]) -> Listing | NotUnderstood:
    read = read_filters(taken, kind.value, _NARROWING)
    if isinstance(read, NotUnderstood):
        return read
    if words:
        return NotUnderstood(words[0][:MOST_SAID], meant_filter(words[0], kind.value, _NARROWING))
    state = ListState(
        kind=kind, tenant=read.tenant, dag=read.dag, by=read.by, asked_by=read.asked_by
    )
    return Listing(state)
