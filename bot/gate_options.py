"""The options of a gate on another engine: which have a button on the card, and which was pressed.

A button carries the option's place in the request, never its text; the request that it is looked
up in is the one whose digest the button carries, too.
"""

from bot.literal import cut, one_line
from bot.tokens import option_index
from engine import Checkpoint, InputField, InputType

_MOST_BUTTONS = 4
_MOST_LABEL = 75
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
