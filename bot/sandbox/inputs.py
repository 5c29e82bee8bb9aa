"""What a person filled in: state.values as Slack shapes it, and the checks Slack's client makes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bot.sandbox.elements import offered
from bot.sandbox.limits import elements_of
from bot.sandbox.values import Json

REQUIRED = "Please complete this required field."
_KEY = {
    "plain_text_input": "value",
    "number_input": "value",
    "static_select": "selected_option",
    "radio_buttons": "selected_option",
    "multi_static_select": "selected_options",
    "checkboxes": "selected_options",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_INITIAL = {
    "value": "initial_value",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_date_time": "initial_date_time",
}


def _stateful(blocks: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in blocks:
        for element in elements_of(block):
            if element.get("type") in _KEY:
                yield str(block["block_id"]), element


def _option(element: Mapping[str, Any], wanted: Any) -> Json | None:
    if isinstance(wanted, Mapping):
        wanted = wanted.get("value")
    for option in offered(element):
        if wanted in (option["value"], option["text"]["text"]):
            return dict(option)
    return None


def answer(element: Mapping[str, Any], given: Any) -> Json:
    """Return one entry of state.values for what was given; raises ValueError if not on offer."""
    kind, key = str(element["type"]), _KEY[str(element["type"])]
    value: Any = given
    if key == "selected_option" and given not in (None, ""):
        value = _option(element, given)
    elif key == "selected_options":
        listed = [given] if isinstance(given, str) and given else given or []
        value = [_option(element, one) for one in listed]
        value = [one for place, one in enumerate(value) if one not in value[:place]]
    elif key == "selected_date_time" and given not in (None, ""):
        value = int(given)
    elif given == "":
        value = None
    elif key == "value" and given is not None:
        value = str(given)
    if (value is None and given not in (None, "")) or (isinstance(value, list) and None in value):
        raise ValueError(f"{given!r} is not an option of {element.get('action_id')}")
    return {"type": kind, key: value}


def _initially(element: Mapping[str, Any]) -> Json:
    key = _KEY[str(element["type"])]
    empty: Any = [] if key == "selected_options" else None
    return {"type": element["type"], key: element.get(_INITIAL[key], empty)}


def state_values(blocks: Iterable[Mapping[str, Any]], answers: Mapping[str, Any]) -> Json:
    """Return state.values: what was answered, else the initial value, for each stateful element.

    An answer survives a view's update only under the same block_id, action_id and type.
    """
    values: Json = {}
    for block_id, element in _stateful(blocks):
        kept = answers.get(block_id, {}).get(element["action_id"])
        same_kind = kept is not None and kept["type"] == element["type"]
        entry = kept if same_kind else _initially(element)
        values.setdefault(block_id, {})[element["action_id"]] = entry
    return values


def _label(blocks: Iterable[Mapping[str, Any]], block_id: str) -> str:
    found = (b.get("label", {}).get("text", "") for b in blocks if b["block_id"] == block_id)
    return next(found, "")


def merged(
    blocks: list[Json], answers: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Json]:
    """Return `answers` with `given` laid over; a key is an action_id, a block_id or a label.

    Raises ValueError for a key that names no input, or a value that is not on offer.
    """
    result = {block_id: dict(entries) for block_id, entries in answers.items()}
    for name, value in given.items():
        hits = [
            (block_id, element)
            for block_id, element in _stateful(blocks)
            if name in (element["action_id"], block_id, _label(blocks, block_id))
        ]
        if not hits:
            raise ValueError(f"there is no input {name!r} in this view")
        block_id, element = hits[0]
        result.setdefault(block_id, {})[str(element["action_id"])] = answer(element, value)
    return result


def _length(element: Mapping[str, Any], value: str) -> str | None:
    least, most = element.get("min_length") or 0, element.get("max_length") or 3000
    if len(value) < least:
        return f"Must be at least {least} characters."
    return f"Must be {most} characters or fewer." if len(value) > most else None


def _number(element: Mapping[str, Any], value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "Please enter a number."
    if not element.get("is_decimal_allowed") and not number.is_integer():
        return "Please enter a whole number."
    least, most = element.get("min_value"), element.get("max_value")
    if least is not None and number < float(least):
        return f"Must be {least} or more."
    return f"Must be {most} or less." if most is not None and number > float(most) else None


def _selected(element: Mapping[str, Any], value: list[Any]) -> str | None:
    most = element.get("max_selected_items")
    return f"Choose {most} at most." if most is not None and len(value) > most else None


_CLIENT_CHECKS: dict[str, Callable[[Mapping[str, Any], Any], str | None]] = {
    "multi_static_select": _selected,
    "plain_text_input": _length,
    "number_input": _number,
}


def client_errors(blocks: list[Json], answers: Mapping[str, Any]) -> dict[str, str]:
    """Return what Slack's client refuses by itself, by block_id, before the app hears of it."""
    errors: dict[str, str] = {}
    values = state_values(blocks, answers)
    for block in (b for b in blocks if b["type"] == "input"):
        element = block["element"]
        entry = values[block["block_id"]][element["action_id"]]
        value = entry[_KEY[element["type"]]]
        check = _CLIENT_CHECKS.get(element["type"])
        if value in (None, "", []):
            problem = None if block.get("optional") else REQUIRED
        else:
            problem = check(element, value) if check else None
        if problem:
            errors[block["block_id"]] = problem
    return errors
