"""The options of a gate on another engine: which have a button on the card, and which was pressed.

A button carries the option's place in the request, never its text; the request that it is looked
up in is the one whose digest the button carries, too.
"""

import re

from bot.elsewhere import engine_of
from bot.literal import Block, cut, one_line, plain
from bot.tokens import OPEN_THERE, option_index
from engine import Checkpoint, InputField, InputType

_MOST_BUTTONS = 4
_MOST_LABEL = 75
_LINK = re.compile(r"https?://[!-~]{1,2900}")  # what Slack takes as the address of a button
_TAKEN = frozenset({"approve", "reject", "details", "-", ""})  # what other buttons say


def option_field(checkpoint: Checkpoint) -> InputField | None:
    """The input that asks which option is taken; None where nothing is to be chosen."""
    there = checkpoint.elsewhere
    if there is None or there.choosing is None:
        return None
    return next((f for f in checkpoint.policy.inputs if f.name == there.choosing), None)


def button_labels(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What the buttons say, one for each option; none where they are better chosen in the form.

    That is so for many, for several at once, and for such as cannot be told from each other or
    from the other buttons.
    """
    field = option_field(checkpoint)
    if field is None or field.type is not InputType.CHOICE or len(field.options) > _MOST_BUTTONS:
        return ()
    labels = tuple(cut(one_line(option), _MOST_LABEL) for option in field.options)
    told_apart = {label.casefold() for label in labels}
    return labels if len(told_apart) == len(labels) and not told_apart & _TAKEN else ()


def pressed(checkpoint: Checkpoint, action_id: str) -> str | None:
    """The option whose button this is; None where this request has no such button."""
    index, field = option_index(action_id), option_field(checkpoint)
    if index is None or field is None or index >= len(button_labels(checkpoint)):
        return None
    return field.options[index]


def link_there(checkpoint: Checkpoint) -> tuple[Block, ...]:
    """A button that leads to the gate's own page; whoever follows it signs in there."""
    there = checkpoint.elsewhere
    if there is None or not _LINK.fullmatch(there.url):
        return ()
    text = plain(f"Open in {engine_of(there)}", _MOST_LABEL)
    return ({"type": "button", "action_id": OPEN_THERE, "text": text, "url": there.url},)
