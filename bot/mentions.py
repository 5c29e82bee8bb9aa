"""Whom a message mentions. The only mentions there are: ours, of accounts a policy names.

Text from DAGs and people never becomes one, whatever it looks like.
"""

import re
from collections.abc import Sequence
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


def mentioning(message: Message, called: Called) -> Message:
    """The message with a last line that mentions them, in the blocks and in `text`."""
    if not called:
        return message
    mentions = _mentions(called)
    named = _named(called.named)
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
