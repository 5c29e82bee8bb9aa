"""Whom a message mentions. The only mentions there are: ours, of accounts a policy names.

Text from DAGs and people never becomes one, whatever it looks like.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.cards import Message
from bot.literal import Block, cut, escaped, one_line, plain

_MOST_MENTIONS = 20
_MOST_NAMED = 5
_MOST_NAME = 80
_USER = re.compile(r"[UW][A-Z0-9]{2,30}")
_GROUP = re.compile(r"S[A-Z0-9]{2,30}")


@dataclass(frozen=True, slots=True)
class Called:
    """Whom to mention: accounts and user groups by id, and others by name, as plain text."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.users or self.groups or self.named)


NOBODY = Called()
Members = Mapping[str, frozenset[str] | None]
"""The accounts in each group; None where Slack did not say."""


def within(called: Called, members: Members, meant: Called, most: int) -> tuple[Called, int]:
    """At most so many people mentioned, groups counted as their members; and how many they were.

    Whom the author's `notify` means does not count. The others are named in plain text, groups
    whose members nobody could tell among them.
    """
    free = frozenset((*meant.users, *_all_in(meant.groups, members)))
    reached: set[str] = set()
    users: list[str] = []
    for user in dict.fromkeys(called.users):
        if user in free or user in reached or len(reached) < most:
            reached |= {user} - free
            users.append(user)
    groups: list[str] = []
    for group in dict.fromkeys(called.groups):
        inside = members.get(group)
        if group in meant.groups or (inside is not None and len(reached | (inside - free)) <= most):
            reached |= (inside or frozenset()) - free
            groups.append(group)
    left_users = [user for user in dict.fromkeys(called.users) if user not in users]
    left_groups = [group for group in dict.fromkeys(called.groups) if group not in groups]
    named = (*called.named, *left_groups, *left_users)
    found = len({*called.users, *_all_in(called.groups, members)} - free)
    unknown = any(members.get(group) is None for group in left_groups)
    return Called(tuple(users), tuple(groups), named), max(found, most + 1) if unknown else found


def _all_in(groups: Sequence[str], members: Members) -> frozenset[str]:
    return frozenset(user for group in groups for user in members.get(group) or ())


def mentioning(message: Message, called: Called) -> Message:
    """The message with a last line that mentions them, in the blocks and in `text`."""
    mentions = _mentions(called)
    named = _named(called.named)
    if not mentions and not named:
        return message
    elements: list[Block] = []
    if mentions:
        mrkdwn = f"For {' '.join(mentions)}"
        elements.append({"type": "mrkdwn", "text": mrkdwn, "verbatim": True})
    if named:
        elements.append(plain(f"and {named}" if mentions else f"For {named}", 1_000))
    said = " ".join((*mentions, *([escaped(named, 1_000)] if named else [])))
    line: Block = {"type": "context", "elements": elements}
    return Message(f"{message.text} For {said}", (*message.blocks, line))


def _mentions(called: Called) -> list[str]:
    users = [f"<@{user}>" for user in dict.fromkeys(called.users) if _USER.fullmatch(user)]
    groups = [
        f"<!subteam^{group}>" for group in dict.fromkeys(called.groups) if _GROUP.fullmatch(group)
    ]
    return [*groups, *users][:_MOST_MENTIONS]


def _named(names: Sequence[str]) -> str:
    shown = [cut(one_line(name), _MOST_NAME) for name in dict.fromkeys(names)]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return f"{', '.join(shown[:_MOST_NAMED])}{more}"
