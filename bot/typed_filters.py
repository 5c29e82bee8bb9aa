"""Filters as people type them, between the other words and in any order.

`tenant:acme`, `--tenant=acme`, `tenant: acme` and `--tenant acme` are all the same; so are
`by:@bob` and `by @bob`.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

from bot.typed_words import MOST_SAID, NotUnderstood, near

FILTERS = ("tenant", "dag", "state", "by", "from", "since")
ME = "me"
"""Whoever types, as a person that a filter names."""

_WORDS_TOO = frozenset({"by", "from", "since"})  # which need no mark: `since monday`
_MOST_VALUE = 100
_FILTER = re.compile(
    r"-{0,2}(?P<name>[a-z]+)(?P<mark>[:=]?)(?P<value>.*)", re.IGNORECASE | re.DOTALL
)
_USER = re.compile(r"<@(?P<mentioned>[UW][A-Z0-9]{1,31})>|(?P<bare>[UW][A-Z0-9]{4,31})")
_NAME = re.compile(r"@?(?P<name>[^\s@<>&|]{1,80})")
_STATE_WORDS = {
    **dict.fromkeys(("approve", "ok", "yes"), "approved"),
    **dict.fromkeys(("reject", "denied", "no"), "rejected"),
    "expire": "expired",
    **dict.fromkeys(("cancel", "canceled"), "cancelled"),
    **dict.fromkeys(("success", "done"), "succeeded"),
    **dict.fromkeys(("failure", "broken"), "failed"),
    **dict.fromkeys(("waiting", "waits"), "paused"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was asked for. People are a Slack user's id, `me`, or `@name`; times are words."""

    tenant: str | None = None
    dag: str | None = None
    state: str | None = None
    by: str | None = None
    asked_by: str | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The filters among some words, by name as typed, and the words that are none."""

    found: tuple[tuple[str, str, str], ...]  # the name, its value, the word it began with
    rest: tuple[str, ...]


def take(words: Sequence[str]) -> Taken:
    """Part filters from other words."""
    found: list[tuple[str, str, str]] = []
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        name, value = _filter(word, has_more=at + 1 < len(words))
        at += 1
        if name is None:
            rest.append(word)
            continue
        if value is None:
            value = words[at] if at < len(words) else ""
            at += 1
        found.append((name, value, word))
    return Taken(tuple(found), tuple(rest))


def read_filters(
    taken: Taken, verb: str, allowed: Collection[str], states: Collection[str] = ()
) -> Filters | NotUnderstood:
    """The filters of a subcommand, each once and of a kind that it takes."""
    values: dict[str, str] = {}
    for name, value, word in taken.found:
        if name not in allowed:
            return NotUnderstood(word[:MOST_SAID], f"{verb} {_usage(allowed)}".strip())
        read = _value(name, value, states)
        if read is None or values.setdefault(name, read) != read:
            return NotUnderstood(word[:MOST_SAID], f"{verb} {_example(name, value, states)}")
    if "from" in values:
        values["asked_by"] = values.pop("from")
    return Filters(**{one.name: values.get(one.name) for one in fields(Filters)})


def meant_filter(word: str, verb: str, allowed: Collection[str]) -> str | None:
    """What was probably meant by a word that stands where a filter should."""
    match = _FILTER.fullmatch(word)
    if match is None or not (match["mark"] or word.startswith("-")):
        return f"{verb} {_usage(allowed)}".strip()
    return near(match["name"].lower(), allowed, ":NAME")


def state_of(word: str, states: Collection[str]) -> str | None:
    """The one of these states that a word names."""
    said = word.lower()
    meant = said if said in states else _STATE_WORDS.get(said)
    return meant if meant in states else None


def _filter(word: str, *, has_more: bool) -> tuple[str | None, str | None]:
    """The filter that a word begins, and its value; no value where the next word is it."""
    match = _FILTER.fullmatch(word)
    if match is None:
        return None, None
    name, value = match["name"].lower(), match["value"] or None
    if name not in FILTERS or (value is not None and not match["mark"]):
        return None, None
    is_word = name in _WORDS_TOO and has_more
    is_marked = bool(match["mark"]) or word.startswith("-")
    return (name, value) if is_marked or is_word else (None, None)


def _value(name: str, value: str, states: Collection[str]) -> str | None:
    if not value or len(value) > _MOST_VALUE:
        return None
    if name == "state":
        return state_of(value, states)
    return _person(value) if name in ("by", "from") else value


def _person(said: str) -> str | None:
    said = said.rstrip(",")
    if said.lower().lstrip("@") in (ME, "myself", "i"):
        return ME
    if user := _USER.fullmatch(said):
        return user["mentioned"] or user["bare"]
    named = _NAME.fullmatch(said)
    return f"@{named['name']}" if named else None


def _usage(allowed: Collection[str]) -> str:
    return " ".join(f"{name}:{_SAMPLES.get(name, 'NAME')}" for name in list(allowed)[:2])


def _example(name: str, value: str, states: Collection[str]) -> str:
    if name == "state" and states:
        return f"state:{near(value.lower(), states) or next(iter(states))}"
    return f"{name}:{_SAMPLES.get(name, 'NAME')}"


_SAMPLES = {"by": "@NAME", "from": "@NAME", "since": "7d", "state": "STATE"}
