"""What Slack accepts inside blocks: composition objects, interactive elements, rich text.

Source: https://docs.slack.dev/reference/block-kit (elements and composition objects).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.sandbox.schema import (
    NO_MATCH,
    Check,
    Violation,
    array,
    boolean,
    broken,
    by_type,
    choice,
    every,
    integer,
    matching,
    shape,
    string,
)

IDENTIFIER = string(255, least=0)
KIND = string(40)
URL = string(3000)


def text_object(most: int, *kinds: str) -> Check:
    """Check a text object of one of `kinds`; any other kind matches no schema of Slack's."""
    allowed = kinds or ("plain_text", "mrkdwn")
    table = {
        "plain_text": shape({"type": KIND, "text": string(most)}, {"emoji": boolean}),
        "mrkdwn": shape({"type": KIND, "text": string(most)}, {"verbatim": boolean}),
    }

    def check(value: Any, pointer: str) -> Iterator[Violation]:
        if not isinstance(value, Mapping) or value.get("type") not in allowed:
            yield broken(pointer, NO_MATCH)
        else:
            yield from table[value["type"]](value, pointer)

    return check


def plain(most: int) -> Check:
    """Check a plain_text object of at most `most` characters."""
    return text_object(most, "plain_text")


CONFIRM = shape(
    {"title": plain(100), "text": text_object(300), "confirm": plain(30), "deny": plain(30)},
    {"style": choice("primary", "danger")},
)
OPTION = shape({"text": plain(75), "value": string(150)}, {"description": plain(75), "url": URL})
MARKED_OPTION = shape(
    {"text": text_object(75), "value": string(150)}, {"description": text_object(75)}
)
OPTION_GROUP = shape({"label": plain(75), "options": array(OPTION, 100)})
DISPATCH = shape(
    {}, {"trigger_actions_on": array(choice("on_enter_pressed", "on_character_entered"), 2)}
)
DATE = matching(r"\d{4}-\d{2}-\d{2}", "a date like 2026-01-31")
TIME = matching(r"([01]\d|2[0-3]):[0-5]\d", "a time like 09:30")
NUMBER = matching(r"-?\d+(\.\d+)?", "a number in a string")


def offered(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return every option of an element, those in groups too."""
    groups = [g for g in _listed(element.get("option_groups")) if isinstance(g, Mapping)]
    options = [
        *_listed(element.get("options")),
        *(o for g in groups for o in _listed(g.get("options"))),
    ]
    return [o for o in options if isinstance(o, Mapping)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _initial_is_offered(element: Any, pointer: str) -> Iterator[Violation]:
    chosen = _listed(element.get("initial_options"))
    if element.get("initial_option"):
        chosen = [element["initial_option"]]
    values = [o.get("value") for o in offered(element)]
    if any(not isinstance(o, Mapping) or o.get("value") not in values for o in chosen):
        yield broken(pointer, "initial option must be one of the options")


def _chosen_are_not_too_many(element: Any, pointer: str) -> Iterator[Violation]:
    most, chosen = element.get("max_selected_items"), _listed(element.get("initial_options"))
    if isinstance(most, int) and len(chosen) > most:
        yield broken(pointer, "initial options must not exceed max_selected_items")


def _options_are_there(element: Any, pointer: str) -> Iterator[Violation]:
    if (element.get("options") is None) == (element.get("option_groups") is None):
        yield broken(pointer, "exactly one of options and option_groups is required")


def _element(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    common = {"action_id": IDENTIFIER, "confirm": CONFIRM, "focus_on_load": boolean}
    return shape({"type": KIND, **required}, {**common, **optional})


_MENU = {"placeholder": plain(150), "options": array(OPTION, 100)} | {
    "option_groups": array(OPTION_GROUP, 100)
}
_TYPED = {"placeholder": plain(150), "dispatch_action_config": DISPATCH}

BUTTON = shape(
    {"type": KIND, "text": plain(75)},
    {
        "action_id": IDENTIFIER,
        "value": string(2000, least=0),
        "url": URL,
        "style": choice("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
)
IMAGE_ELEMENT = shape({"type": KIND, "image_url": URL, "alt_text": string(2000)})

STATEFUL: dict[str, Check] = {
    "static_select": every(
        _element({}, {**_MENU, "initial_option": OPTION}), _options_are_there, _initial_is_offered
    ),
    "multi_static_select": every(
        _element(
            {},
            {
                **_MENU,
                "initial_options": array(OPTION, 100),
                "max_selected_items": integer(1, 100),
            },
        ),
        _options_are_there,
        _initial_is_offered,
        _chosen_are_not_too_many,
    ),
    "radio_buttons": every(
        _element({"options": array(MARKED_OPTION, 10)}, {"initial_option": MARKED_OPTION}),
        _initial_is_offered,
    ),
    "checkboxes": every(
        _element(
            {"options": array(MARKED_OPTION, 10)}, {"initial_options": array(MARKED_OPTION, 10)}
        ),
        _initial_is_offered,
    ),
    "datepicker": _element({}, {"placeholder": plain(150), "initial_date": DATE}),
    "timepicker": _element(
        {}, {"placeholder": plain(150), "initial_time": TIME, "timezone": string(100)}
    ),
}
ONLY_IN_INPUT: dict[str, Check] = {
    "plain_text_input": _element(
        {},
        {
            **_TYPED,
            "initial_value": string(3000, least=0),
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
        },
    ),
    "number_input": _element(
        {"is_decimal_allowed": boolean},
        {**_TYPED, "initial_value": NUMBER, "min_value": NUMBER, "max_value": NUMBER},
    ),
}
DATETIME = {"datetimepicker": _element({}, {"initial_date_time": integer(0, 9_999_999_999)})}
OVERFLOW = {"overflow": _element({"options": array(OPTION, 5)}, {})}

IN_ACTIONS = by_type({"button": BUTTON, **OVERFLOW, **STATEFUL, **DATETIME}, "element type")
IN_SECTION = by_type(
    {"button": BUTTON, "image": IMAGE_ELEMENT, **OVERFLOW, **STATEFUL}, "element type"
)
IN_INPUT = by_type({**ONLY_IN_INPUT, **STATEFUL, **DATETIME}, "element type")
IN_CONTEXT = by_type(
    {
        "image": IMAGE_ELEMENT,
        "plain_text": text_object(3000, "plain_text"),
        "mrkdwn": text_object(3000, "mrkdwn"),
    },
    "element type",
)

_STYLE = shape({}, {"bold": boolean, "italic": boolean, "strike": boolean, "code": boolean})
_INLINE: dict[str, Check] = {
    "text": shape({"type": KIND, "text": string(40_000)}, {"style": _STYLE}),
    "link": shape(
        {"type": KIND, "url": URL}, {"text": string(40_000), "unsafe": boolean, "style": _STYLE}
    ),
    "emoji": shape({"type": KIND, "name": string(255)}, {"unicode": KIND, "style": _STYLE}),
    "user": shape({"type": KIND, "user_id": KIND}, {"style": _STYLE}),
    "usergroup": shape({"type": KIND, "usergroup_id": KIND}, {"style": _STYLE}),
    "channel": shape({"type": KIND, "channel_id": KIND}, {"style": _STYLE}),
    "broadcast": shape({"type": KIND, "range": choice("here", "channel", "everyone")}),
    "date": shape(
        {"type": KIND, "timestamp": integer(0, 9_999_999_999), "format": string(255)},
        {"url": URL, "fallback": string(255), "style": _STYLE},
    ),
}
_SECTION = shape({"type": KIND, "elements": array(by_type(_INLINE), 10_000, least=0)})
_BORDER = {"border": integer(0, 1)}
RICH_TEXT = by_type(
    {
        "rich_text_section": _SECTION,
        "rich_text_preformatted": shape(
            {
                "type": KIND,
                "elements": array(
                    by_type({k: _INLINE[k] for k in ("text", "link")}), 10_000, least=0
                ),
            },
            {**_BORDER, "language": KIND},
        ),
        "rich_text_quote": shape(
            {"type": KIND, "elements": array(by_type(_INLINE), 10_000, least=0)}, _BORDER
        ),
        "rich_text_list": shape(
            {
                "type": KIND,
                "style": choice("bullet", "ordered"),
                "elements": array(by_type({"rich_text_section": _SECTION}), 1000, least=0),
            },
            {**_BORDER, "indent": integer(0, 8), "offset": integer(0, 10_000)},
        ),
    }
)
