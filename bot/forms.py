"""The fields of a decision form: one input block per declared input, and the reason.

Block ids carry the short digest: when a request changes, what was typed for the old one
does not survive into the form of the new one.
"""

import json
import math
from decimal import Decimal
from typing import Any, assert_never

from bot.literal import Block, cut, length, one_line, plain, visible
from bot.tokens import INPUT_PREFIX, REASON
from bot.wording import short_digest
from engine import REASON_LIMIT, Checkpoint, Choice, InputField, InputType, ReasonRule

_MOST_LABEL = 300
_MOST_HINT = 500
_MOST_OPTION = 75
_MOST_OPTION_VALUE = 150
_MOST_OPTIONS = 100
_MOST_TYPED = 3_000
_MOST_DEFAULT = 100
_ONE_LINE = 200  # characters up to which a text is typed on one line
_TRUTHS = ((True, "Yes"), (False, "No"))


def reason_block_id(checkpoint: Checkpoint) -> str:
    """The block of the reason."""
    return f"{REASON}.{short_digest(checkpoint.request_digest)}"


def input_block_id(checkpoint: Checkpoint, name: str) -> str:
    """The block of an input."""
    return f"{INPUT_PREFIX}{name}.{short_digest(checkpoint.request_digest)}"


def form_blocks(checkpoint: Checkpoint, choice: Choice, place: str) -> tuple[Block, ...]:
    """What the form of a choice asks for. `place` is where the reason will be read."""
    asked = checkpoint.policy.inputs if choice is Choice.APPROVE else ()
    fields = tuple(_input_block(checkpoint, field) for field in asked)
    rule = checkpoint.policy.reason_rule(choice)
    if rule is ReasonRule.NONE:
        return fields
    return (*fields, _reason_block(checkpoint, rule, place))


def _reason_block(checkpoint: Checkpoint, rule: ReasonRule, place: str) -> Block:
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
        },
    }


def _input_block(checkpoint: Checkpoint, field: InputField) -> Block:
    about = f": {one_line(field.description)}" if field.description.strip() else ""
    hint = _hint(field)
    return {
        "type": "input",
        "block_id": input_block_id(checkpoint, field.name),
        # The engine fills an empty field with its default, so Slack need not insist.
        "optional": not field.required or field.default is not None,
        "label": plain(f"{field.name}{about}", _MOST_LABEL),
        **({"hint": plain(hint, _MOST_HINT)} if hint else {}),
        "element": {**_element(field), "action_id": f"{INPUT_PREFIX}{field.name}"},
    }


def _hint(field: InputField) -> str:
    said = []
    if field.type is InputType.CHOICE and not _fits_a_menu(field):
        said.append(f"One of: {', '.join(one_line(option) for option in field.options)}.")
    if field.type is InputType.NUMBER and (bounds := _bounds(field)):
        said.append(f"{bounds}.")
    if field.default is not None:
        said.append(f"Left empty: {cut(one_line(_as_text(field.default)), _MOST_DEFAULT)}.")
    return " ".join(said)


def _bounds(field: InputField) -> str:
    match field.minimum, field.maximum:
        case None, None:
            return ""
        case least, None if least is not None:
            return f"At least {_digits(least)}"
        case None, most if most is not None:
            return f"At most {_digits(most)}"
        case least, most:
            return f"From {_digits(least)} to {_digits(most)}"


def _element(field: InputField) -> Block:
    match field.type:
        case InputType.TEXT:
            return _text(field)
        case InputType.NUMBER:
            return _number(field)
        case InputType.BOOLEAN:
            return _boolean(field)
        case InputType.CHOICE:
            return _menu(field) if _fits_a_menu(field) else {"type": "plain_text_input"}
        case InputType.CHOICES | InputType.JSON:
            return {"type": "plain_text_input", "multiline": True}
        case InputType.DATE:
            given = field.default
            initial = {"initial_date": given} if isinstance(given, str) else {}
            return {"type": "datepicker", **initial}
        case _:
            assert_never(field.type)


def _text(field: InputField) -> Block:
    least = max(0, int(field.minimum or 0))
    most = _MOST_TYPED if field.maximum is None else max(1, min(int(field.maximum), _MOST_TYPED))
    given = field.default if isinstance(field.default, str) else ""
    # A default with unseen characters is not put where somebody would send it unseen.
    is_shown = visible(given) == given and 0 < length(given) <= most
    is_long = field.maximum is not None and most > _ONE_LINE
    return {
        "type": "plain_text_input",
        "multiline": is_long or "\n" in given,
        **({"min_length": min(least, most)} if least else {}),
        "max_length": most,
        **({"initial_value": given} if is_shown else {}),
    }


def _number(field: InputField) -> Block:
    given = field.default
    initial = _digits(given) if isinstance(given, (int, float)) else ""
    return {
        "type": "number_input",
        "is_decimal_allowed": True,
        **({"initial_value": initial} if initial else {}),
        **({"min_value": _digits(field.minimum)} if field.minimum is not None else {}),
        **({"max_value": _digits(field.maximum)} if field.maximum is not None else {}),
    }


def _boolean(field: InputField) -> Block:
    options = {truth: _option(word, _as_text(truth)) for truth, word in _TRUTHS}
    given = field.default
    initial = {"initial_option": options[given]} if isinstance(given, bool) else {}
    return {"type": "radio_buttons", "options": list(options.values()), **initial}


def _menu(field: InputField) -> Block:
    options = {option: _option(option, option) for option in field.options}
    initial = {"initial_option": options[given]} if (given := field.default) in options else {}
    return {"type": "static_select", "options": list(options.values()), **initial}


def _fits_a_menu(field: InputField) -> bool:
    return 0 < len(field.options) <= _MOST_OPTIONS and all(
        option and length(option) <= _MOST_OPTION_VALUE for option in field.options
    )


def _option(text: str, value: str) -> Block:
    return {"text": plain(one_line(text), _MOST_OPTION), "value": value}


def _as_text(value: Any) -> str:
    """A value as the engine reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _digits(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _digits(number: float | None) -> str:
    """A number without an exponent, as Slack wants it."""
    if number is None or not math.isfinite(number):
        return ""
    return f"{Decimal(str(number)):f}"
