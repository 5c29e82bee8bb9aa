"""The controls of a form: for each type of field what Slack has for it, with its default in it."""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from bot.literal import Block, length, one_line, plain, visible
from engine import InputField, InputType, is_long_text, is_whole, option_label

_MOST_OPTION = 75
_MOST_OPTION_VALUE = 150
_MOST_OPTIONS = 100
_MOST_TYPED = 3_000
_HALVES = re.compile("[\ud800-\udfff]")  # half a character: nothing that can be sent
_ONE_LINE = 200  # characters up to which a text is typed on one line
_TRUTHS = ((True, "Yes"), (False, "No"))


def element_of(field: InputField) -> Block:
    """The control of a field; its default is chosen or typed in already."""
    return _MAKERS[field.type](field)


def fits_a_menu(field: InputField) -> bool:
    """Whether Slack's menus take these options; what does not fit is typed."""
    return 0 < len(field.options) <= _MOST_OPTIONS and all(
        option and length(option) <= _MOST_OPTION_VALUE and not _HALVES.search(option)
        for option in field.options
    )


def as_text(value: Any) -> str:
    """A value as it is typed, and as the engine reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return digits(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def digits(number: float | None) -> str:
    """A number without an exponent, as Slack wants it."""
    if number is None or not math.isfinite(number):
        return ""
    return f"{Decimal(str(number)):f}"


def _text(field: InputField) -> Block:
    least = max(0, int(field.minimum or 0))
    most = _MOST_TYPED if field.maximum is None else max(1, min(int(field.maximum), _MOST_TYPED))
    given = field.default if isinstance(field.default, str) else ""
    is_long = (field.maximum is not None and most > _ONE_LINE) or is_long_text(field)
    return {
        "type": "plain_text_input",
        "multiline": is_long or "\n" in given,
        **({"min_length": min(least, most)} if least else {}),
        "max_length": most,
        **_typed_in(given, most),
    }


def _json(field: InputField) -> Block:
    given = field.default
    written = "" if given is None else json.dumps(given, ensure_ascii=False, indent=2)
    if length(written) > _MOST_TYPED:
        written = json.dumps(given, ensure_ascii=False)
    return {
        "type": "plain_text_input",
        "multiline": True,
        "max_length": _MOST_TYPED,
        **_typed_in(written, _MOST_TYPED),
    }


def _typed_in(given: str, most: int) -> Block:
    # A default with unseen characters is not put where somebody would send it unseen.
    is_shown = visible(given) == given and 0 < length(given) <= most
    return {"initial_value": given} if is_shown else {}


def _number(field: InputField) -> Block:
    given, least, most = field.default, field.minimum, field.maximum
    if is_whole(field):  # Slack compares bounds with what may be typed: whole numbers
        least = None if least is None else math.ceil(least)
        most = None if most is None else math.floor(most)
    initial = digits(given) if isinstance(given, (int, float)) else ""
    return {
        "type": "number_input",
        "is_decimal_allowed": not is_whole(field),
        **({"initial_value": initial} if initial else {}),
        **({"min_value": digits(least)} if least is not None else {}),
        **({"max_value": digits(most)} if most is not None else {}),
    }


def _boolean(field: InputField) -> Block:
    options = {truth: _option(word, as_text(truth)) for truth, word in _TRUTHS}
    given = field.default
    initial = {"initial_option": options[given]} if isinstance(given, bool) else {}
    return {"type": "radio_buttons", "options": list(options.values()), **initial}


def _date(field: InputField) -> Block:
    given = field.default
    return {"type": "datepicker", **({"initial_date": given} if isinstance(given, str) else {})}


def _menu(field: InputField) -> Block:
    if not fits_a_menu(field):
        return {"type": "plain_text_input"}
    options = _options(field)
    given = "" if field.default is None else as_text(field.default)
    initial = {"initial_option": options[given]} if given in options else {}
    return {"type": "static_select", "options": list(options.values()), **initial}


def _menu_of_several(field: InputField) -> Block:
    if not fits_a_menu(field):
        return {"type": "plain_text_input"}
    options = _options(field)
    given = field.default if isinstance(field.default, list) else []
    chosen = [option for value, option in options.items() if value in given]
    initial = {"initial_options": chosen} if chosen else {}
    return {"type": "multi_static_select", "options": list(options.values()), **initial}


def _options(field: InputField) -> dict[str, Block]:
    return {option: _option(option_label(field, option), option) for option in field.options}


def _option(text: str, value: str) -> Block:
    return {"text": plain(one_line(text), _MOST_OPTION), "value": value}


_MAKERS: Mapping[InputType, Callable[[InputField], Block]] = {
    InputType.TEXT: _text,
    InputType.NUMBER: _number,
    InputType.BOOLEAN: _boolean,
    InputType.CHOICE: _menu,
    InputType.CHOICES: _menu_of_several,
    InputType.DATE: _date,
    InputType.JSON: _json,
}
