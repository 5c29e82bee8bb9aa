"""The fields of a decision form: one input block per declared input, and the reason.

Block ids carry the short digest: when a request changes, what was typed for the old one
does not survive into the form of the new one.
"""

from dataclasses import replace

from bot.form_elements import as_text, digits, element_of, fits_a_menu
from bot.gate_options import option_field
from bot.literal import Block, cut, one_line, plain
from bot.tokens import INPUT_PREFIX, REASON
from bot.wording import short_digest
from engine import (
    REASON_LIMIT,
    Checkpoint,
    Choice,
    InputField,
    InputType,
    ReasonRule,
    examples,
    expected_json,
    is_fillable,
    is_whole,
)

_MOST_LABEL = 300
_MOST_HINT = 500
_MOST_DEFAULT = 100
_MOST_EXAMPLE = 60


def reason_block_id(checkpoint: Checkpoint) -> str:
    """The block of the reason."""
    return f"{REASON}.{short_digest(checkpoint.request_digest)}"


def input_block_id(checkpoint: Checkpoint, name: str) -> str:
    """The block of an input."""
    return f"{INPUT_PREFIX}{name}.{short_digest(checkpoint.request_digest)}"


def form_blocks(
    checkpoint: Checkpoint,
    choice: Choice,
    place: str,
    option: str | None = None,
    reason: str = "",
) -> tuple[Block, ...]:
    """What the form of a choice asks for. `place` is where the reason will be read.

    `option` is the one whose button was pressed: it is chosen already, and can be changed.
    `reason` was typed into the form of another request, and is not lost with it.
    """
    fields = field_blocks(checkpoint, option) if choice is Choice.APPROVE else ()
    rule = checkpoint.policy.reason_rule(choice)
    if rule is ReasonRule.NONE:
        return fields
    return (*fields, _reason_block(checkpoint, rule, place, reason))


def field_blocks(checkpoint: Checkpoint, option: str | None = None) -> tuple[Block, ...]:
    """The fields of the form of approving."""
    return tuple(_block(checkpoint, field, option) for field in checkpoint.policy.inputs)


def _reason_block(checkpoint: Checkpoint, rule: ReasonRule, place: str, typed: str) -> Block:
    return {
        "type": "input",
        "block_id": reason_block_id(checkpoint),
        "optional": rule is ReasonRule.OPTIONAL,
        "label": plain("Reason", _MOST_LABEL),
        "hint": plain(f"Visible in {place}.", _MOST_HINT),
        "element": {
            "type": "plain_text_input",
            "action_id": REASON,
            "multiline": True,
            "max_length": REASON_LIMIT,
            **({"initial_value": typed} if typed.strip() else {}),
        },
    }


def _block(checkpoint: Checkpoint, field: InputField, option: str | None) -> Block:
    if not is_fillable(field):
        told = f"{_label(field)}\nThis can be filled in only on the page of its engine."
        return {"type": "section", "text": plain(told, _MOST_HINT)}
    hint = _hint(field)
    is_choice = option is not None and field == option_field(checkpoint)
    shown = replace(field, default=option) if is_choice else field
    return {
        "type": "input",
        "block_id": input_block_id(checkpoint, field.name),
        # The engine fills an empty field with its default, so Slack need not insist.
        "optional": not field.required or field.default is not None,
        "label": plain(_label(field), _MOST_LABEL),
        **({"hint": plain(hint, _MOST_HINT)} if hint else {}),
        "element": {**element_of(shown), "action_id": f"{INPUT_PREFIX}{field.name}"},
    }


def _label(field: InputField) -> str:
    about = f": {one_line(field.description)}" if field.description.strip() else ""
    return f"{one_line(field.name)}{about}"


def _hint(field: InputField) -> str:
    said = [_wanted(field)]
    if proposed := examples(field):
        named = ", ".join(cut(one_line(one), _MOST_EXAMPLE) for one in proposed)
        said.append(f"Such as: {named}.")
    if field.default is not None:
        said.append(f"Left empty: {cut(one_line(_default_text(field)), _MOST_DEFAULT)}.")
    return " ".join(filter(None, said))


def _wanted(field: InputField) -> str:
    named = ", ".join(one_line(option) for option in field.options)
    match field.type:
        case InputType.CHOICE if not fits_a_menu(field):
            return f"One of: {named}."
        case InputType.CHOICES if not fits_a_menu(field):
            return f"Some of these, with commas between: {named}."
        case InputType.JSON:
            return f"JSON, with text in double quotes: {one_line(expected_json(field))}."
        case InputType.NUMBER:
            kind = ("A whole number.",) if is_whole(field) else ()
            bounds = (f"{found}.",) if (found := _bounds(field)) else ()
            return " ".join((*kind, *bounds))
        case _:
            return ""


def _default_text(field: InputField) -> str:
    if field.type is InputType.CHOICES and isinstance(field.default, list):
        return ", ".join(map(str, field.default)) or "none"
    return as_text(field.default)


def _bounds(field: InputField) -> str:
    match field.minimum, field.maximum:
        case None, None:
            return ""
        case least, None if least is not None:
            return f"At least {digits(least)}"
        case None, most if most is not None:
            return f"At most {digits(most)}"
        case least, most:
            return f"From {digits(least)} to {digits(most)}"
