"""`/signoff link` and `/signoff delegate` as people type them. Times stay words: zones matter."""

import re
from dataclasses import dataclass

from bot.typed_words import DASHES, MOST_SAID, NotUnderstood, near


@dataclass(frozen=True, slots=True)
class LinkAccount:
    """`link CODE`: an account that waits under this code is mine."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """`delegate @bob until friday from monday because leave`."""

    to: str  # the Slack user's id
    until: tuple[str, ...]
    since: tuple[str, ...] = ()  # empty: from now on
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ListDelegations:
    """`delegate list`."""


@dataclass(frozen=True, slots=True)
class EndDelegation:
    """`delegate end ID`."""

    delegation_id: str


PeopleRequest = LinkAccount | Delegate | ListDelegations | EndDelegation

DELEGATE_USAGE = "delegate @NAME until friday because REASON"
_USER = re.compile(r"<@(?P<mentioned>[UW][A-Z0-9]{1,31})(?:\|[^>]*)?>|(?P<bare>[UW][A-Z0-9]{4,31})")
_KEYWORDS = {
    **dict.fromkeys(("until", "till", "til"), "until"),
    "for": "until",
    **dict.fromkeys(("from", "starting"), "from"),
    **dict.fromkeys(("because", "reason", "reason:"), "because"),
}
_SUBCOMMANDS = ("list", "end")
_DASHES = str.maketrans(DASHES)


def read_link(words: list[str]) -> LinkAccount | NotUnderstood:
    """What stands after `link`."""
    if len(words) != 1:
        return NotUnderstood("link", "link CODE")
    return LinkAccount(words[0].translate(_DASHES).strip("`*_.,")[:MOST_SAID])


def read_delegate(words: list[str]) -> PeopleRequest | NotUnderstood:
    """What stands after `delegate`."""
    first = words[0].lower() if words else "list"
    if first in ("list", "ls") and len(words) <= 1:
        return ListDelegations()
    if first in ("end", "stop"):
        if len(words) != 2:  # noqa: PLR2004 (`end ID`)
            return NotUnderstood("end", "delegate end ID")
        return EndDelegation(words[1].strip("`*_.,").lower()[:MOST_SAID])
    user = _USER.fullmatch(words[0].rstrip(","))
    if user is None:
        meant = near(first, _SUBCOMMANDS)
        return NotUnderstood(words[0][:MOST_SAID], f"delegate {meant}" if meant else DELEGATE_USAGE)
    return _delegate(user["mentioned"] or user["bare"], words[1:])


def _delegate(user: str, words: list[str]) -> Delegate | NotUnderstood:
    parts: dict[str, list[str]] = {}
    current: list[str] | None = None
    for at, word in enumerate(words):
        keyword = _KEYWORDS.get(word.lower())
        if keyword == "because":
            parts["because"] = words[at + 1 :]
            break
        if keyword is not None and keyword not in parts:
            current = parts.setdefault(keyword, [])
        elif current is None:
            return NotUnderstood(word[:MOST_SAID], DELEGATE_USAGE)
        else:
            current.append(word.translate(_DASHES))
    if not parts.get("until") or parts.get("from") == []:
        return NotUnderstood(" ".join(["delegate", *words])[:MOST_SAID], DELEGATE_USAGE)
    return Delegate(
        to=user,
        until=tuple(parts["until"]),
        since=tuple(parts.get("from", ())),
        reason=" ".join(parts.get("because", ())),
    )
