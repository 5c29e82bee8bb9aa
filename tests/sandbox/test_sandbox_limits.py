from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox.limits import check_message, check_update, check_view

Json = dict[str, Any]


def plain(text: str = "x", kind: str = "plain_text") -> Json:
    return {"type": kind, "text": text}


def mrkdwn(text: str = "x") -> Json:
    return plain(text, "mrkdwn")


def option(value: str = "v", text: str = "x", **more: Any) -> Json:
    return {"text": plain(text), "value": value, **more}


def options(count: int) -> list[Json]:
    return [option(str(n)) for n in range(count)]


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain(), "action_id": "a", **more}


def element(kind: str, **more: Any) -> Json:
    return {"type": kind, "action_id": "a", **more}


def section(**more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def asked(inner: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain(), "element": inner, **more}


def rich(*elements: Json) -> Json:
    return {"type": "rich_text", "elements": list(elements)}


def confirm(**more: Any) -> Json:
    return {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain(), **more}


def confirmed(**more: Any) -> Json:
    return actions(button(confirm=confirm(**more)))


def chosen(kind: str, count: int, **more: Any) -> Json:
    return actions(element(kind, options=options(count), **more))


VALID: dict[str, Json] = {
    "section": section(fields=[plain("y" * 2000)] * 10),
    "section of fields only": {"type": "section", "fields": [mrkdwn()]},
    "longest section": section(text=mrkdwn("x" * 3000)),
    "longest header": {"type": "header", "text": plain("x" * 150)},
    "fullest context": {"type": "context", "elements": [mrkdwn()] * 10},
    "fullest actions": actions(*[button(action_id=str(n)) for n in range(25)]),
    "button": actions(button(value="x" * 2000, style="danger", accessibility_label="x" * 75)),
    "link button": actions(button(url="https://example.com")),
    "confirm": confirmed(title=plain("x" * 100), style="primary"),
    "divider": {"type": "divider"},
    "select": chosen("static_select", 100, placeholder=plain("x" * 150)),
    "grouped select": actions(
        element("static_select", option_groups=[{"label": plain(), "options": options(1)}])
    ),
    "chosen select": chosen("static_select", 3, initial_option=option("1")),
    "overflow": section(accessory=element("overflow", options=options(5))),
    "radio": chosen("radio_buttons", 10),
    "checkboxes": chosen("checkboxes", 10, initial_options=[option("2")]),
    "multi select": section(
        accessory=element("multi_static_select", options=options(2), max_selected_items=1)
    ),
    "date": actions(element("datepicker", initial_date="2026-01-31")),
    "moment": actions(element("datetimepicker", initial_date_time=1_700_000_000)),
    "text input": asked(element("plain_text_input", max_length=3000, multiline=True)),
    "number input": asked(element("number_input", is_decimal_allowed=False, min_value="0")),
    "rich text": rich(
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x"}]},
        {"type": "rich_text_quote", "elements": [{"type": "user", "user_id": "U0ANA"}]},
        {
            "type": "rich_text_list",
            "style": "bullet",
            "elements": [{"type": "rich_text_section", "elements": []}],
        },
    ),
    "image": {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "x"},
}

INVALID: dict[str, tuple[Json, str]] = {
    "unknown block": ({"type": "marquee"}, "/blocks/0/type"),
    "no type": ({"text": plain()}, "/blocks/0"),
    "unknown field": (section(colour="red"), "/blocks/0"),
    "empty section": ({"type": "section"}, "/blocks/0"),
    "empty text": (section(text=mrkdwn("")), "/blocks/0/text/text"),
    "long section": (section(text=mrkdwn("x" * 3001)), "/blocks/0/text/text"),
    "long field": (section(fields=[plain("x" * 2001)]), "/blocks/0/fields/0/text"),
    "eleven fields": (section(fields=[plain()] * 11), "/blocks/0/fields"),
    "text as a string": (section(text="x"), "/blocks/0/text"),
    "mrkdwn header": ({"type": "header", "text": mrkdwn()}, "/blocks/0/text"),
    "long header": ({"type": "header", "text": plain("x" * 151)}, "/blocks/0/text/text"),
    "emoji on mrkdwn": (section(text={**mrkdwn(), "emoji": True}), "/blocks/0/text"),
    "eleven context": ({"type": "context", "elements": [plain()] * 11}, "/blocks/0/elements"),
    "empty context": ({"type": "context", "elements": []}, "/blocks/0/elements"),
    "empty actions": (actions(), "/blocks/0/elements"),
    "26 actions": (
        actions(*[button(action_id=str(n)) for n in range(26)]),
        "/blocks/0/elements",
    ),
    "mrkdwn button": (actions(button(text=mrkdwn())), "/blocks/0/elements/0/text"),
    "long button": (actions(button(text=plain("x" * 76))), "/blocks/0/elements/0/text/text"),
    "long value": (actions(button(value="x" * 2001)), "/blocks/0/elements/0/value"),
    "long url": (actions(button(url="x" * 3001)), "/blocks/0/elements/0/url"),
    "odd style": (actions(button(style="warning")), "/blocks/0/elements/0/style"),
    "long label": (
        actions(button(accessibility_label="x" * 76)),
        "/blocks/0/elements/0/accessibility_label",
    ),
    "long action_id": (actions(button(action_id="x" * 256)), "/blocks/0/elements/0/action_id"),
    "long block_id": (section(block_id="x" * 256), "/blocks/0/block_id"),
    "twice an action_id": (actions(button(), button()), "/blocks/0/elements"),
    "unknown element": (actions(element("slider")), "/blocks/0/elements/0/type"),
    "text input in actions": (
        actions(element("plain_text_input")),
        "/blocks/0/elements/0/type",
    ),
    "button as input": (asked(button()), "/blocks/0/element/type"),
    "moment in a section": (
        section(accessory=element("datetimepicker")),
        "/blocks/0/accessory/type",
    ),
    "confirm without deny": (confirmed(deny=None), "/blocks/0/elements/0/confirm"),
    "long confirm title": (
        confirmed(title=plain("x" * 101)),
        "/blocks/0/elements/0/confirm/title/text",
    ),
    "long confirm text": (
        confirmed(text=plain("x" * 301)),
        "/blocks/0/elements/0/confirm/text/text",
    ),
    "long confirm button": (
        confirmed(confirm=plain("x" * 31)),
        "/blocks/0/elements/0/confirm/confirm/text",
    ),
    "more chosen than may be": (
        chosen(
            "multi_static_select",
            3,
            max_selected_items=1,
            initial_options=[option("1"), option("2")],
        ),
        "/blocks/0/elements/0",
    ),
    "no options": (chosen("static_select", 0), "/blocks/0/elements/0/options"),
    "101 options": (chosen("static_select", 101), "/blocks/0/elements/0/options"),
    "six in overflow": (chosen("overflow", 6), "/blocks/0/elements/0/options"),
    "eleven radios": (chosen("radio_buttons", 11), "/blocks/0/elements/0/options"),
    "eleven boxes": (chosen("checkboxes", 11), "/blocks/0/elements/0/options"),
    "long option": (
        actions(element("static_select", options=[option(text="x" * 76)])),
        "/blocks/0/elements/0/options/0/text/text",
    ),
    "long option value": (
        actions(element("static_select", options=[option("x" * 151)])),
        "/blocks/0/elements/0/options/0/value",
    ),
    "initial not offered": (
        chosen("static_select", 1, initial_option=option("other")),
        "/blocks/0/elements/0",
    ),
    "long placeholder": (
        chosen("static_select", 1, placeholder=plain("x" * 151)),
        "/blocks/0/elements/0/placeholder/text",
    ),
    "odd date": (
        actions(element("datepicker", initial_date="31.1.2026")),
        "/blocks/0/elements/0/initial_date",
    ),
    "long max_length": (
        asked(element("plain_text_input", max_length=3001)),
        "/blocks/0/element/max_length",
    ),
    "decimal not said": (asked(element("number_input")), "/blocks/0/element"),
    "long input label": (
        asked(element("plain_text_input"), label=plain("x" * 2001)),
        "/blocks/0/label/text",
    ),
    "long hint": (
        asked(element("plain_text_input"), hint=plain("x" * 2001)),
        "/blocks/0/hint/text",
    ),
    "empty rich text": (
        rich({"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}),
        "/blocks/0/elements/0/elements/0/text",
    ),
    "mention in preformatted": (
        rich(
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "user", "user_id": "U0ANA"}],
            }
        ),
        "/blocks/0/elements/0/elements/0/type",
    ),
    "image without picture": ({"type": "image", "alt_text": "x"}, "/blocks/0"),
}


@pytest.mark.parametrize("name", VALID)
def test_slack_takes_a_valid_block(name: str) -> None:
    """A block at its limits is valid in a message."""
    assert check_message({"blocks": [VALID[name]]}) == []


@pytest.mark.parametrize("name", INVALID)
def test_slack_refuses_an_invalid_block(name: str) -> None:
    """A block past a limit is invalid_blocks, and the pointer names the place."""
    block, pointer = INVALID[name]
    found = check_message({"blocks": [block]})
    assert [one.pointer for one in found] == [pointer]
    assert found[0].code == "invalid_blocks"
    assert str(found[0]).endswith(f"[json-pointer:{pointer}]")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "", "blocks": []}, "no_text"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": {"type": "divider"}}, "invalid_blocks_format"),
        ({"blocks": ["divider"]}, "invalid_blocks"),
        ({"blocks": [{"type": ["divider"]}]}, "invalid_blocks"),
        ({"blocks": [section(block_id="b"), section(block_id="b")]}, "invalid_blocks"),
        ({"text": "x", "metadata": "x"}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": "t"}}, "invalid_metadata_schema"),
    ],
)
def test_slack_refuses_an_invalid_message(payload: Json, code: str) -> None:
    """Too many blocks, doubled ids, no content and odd metadata each have their own code."""
    assert code in {one.code for one in check_message(payload)}


def test_only_an_update_refuses_long_text() -> None:
    """Long text is cut when posted and refused when updated."""
    assert check_message({"text": "x" * 40_001}) == []
    assert check_update({"text": "x" * 4_000}) == []
    assert check_update({"text": "x" * 4_001})[0].code == "msg_too_long"


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain(), "blocks": [{"type": "divider"}], **more}


VIEW_CASES: dict[str, tuple[Json, str | None]] = {
    "smallest": (modal(), None),
    "full": (
        modal(
            title=plain("x" * 24),
            submit=plain("x" * 24),
            close=plain("x" * 24),
            private_metadata="x" * 3000,
            callback_id="x" * 255,
            external_id="x" * 255,
            blocks=[{"type": "divider"}] * 100,
            clear_on_close=True,
            notify_on_close=True,
        ),
        None,
    ),
    "home": ({"type": "home", "blocks": []}, None),
    "home with title": ({"type": "home", "title": plain(), "blocks": []}, "/view"),
    "no title": ({"type": "modal", "blocks": []}, "/view"),
    "no blocks": ({"type": "modal", "title": plain()}, "/view"),
    "long title": (modal(title=plain("x" * 25)), "/view/title/text"),
    "mrkdwn title": (modal(title=mrkdwn()), "/view/title"),
    "long submit": (modal(submit=plain("x" * 25)), "/view/submit/text"),
    "long close": (modal(close=plain("x" * 25)), "/view/close/text"),
    "long metadata": (modal(private_metadata="x" * 3001), "/view/private_metadata"),
    "long callback": (modal(callback_id="x" * 256), "/view/callback_id"),
    "long external": (modal(external_id="x" * 256), "/view/external_id"),
    "101 blocks": (modal(blocks=[{"type": "divider"}] * 101), "/view/blocks"),
    "doubled block_id": (modal(blocks=[section(block_id="b")] * 2), "/view/blocks"),
    "input without submit": (
        modal(blocks=[asked(element("plain_text_input"))]),
        "/view",
    ),
    "input with submit": (
        modal(blocks=[asked(element("plain_text_input"))], submit=plain()),
        None,
    ),
    "bad block": (modal(blocks=[section(text=plain(""))]), "/view/blocks/0/text/text"),
    "two focused": (
        modal(
            blocks=[asked(element("datepicker", focus_on_load=True))] * 2,
            submit=plain(),
        ),
        "/view/blocks",
    ),
    "unknown field": (modal(colour="red"), "/view"),
    "unknown type": ({"type": "popup", "blocks": []}, "/view/type"),
}


@pytest.mark.parametrize("name", VIEW_CASES)
def test_slack_judges_a_view(name: str) -> None:
    """A view past a limit is invalid_arguments, with a pointer from /view."""
    view, pointer = VIEW_CASES[name]
    found = check_view(view)
    assert [one.pointer for one in found] == ([pointer] if pointer else [])
    assert {one.code for one in found} <= {"invalid_arguments"}


def test_a_view_has_a_size_limit() -> None:
    """A view above 250 KB is view_too_large."""
    huge = modal(blocks=[section(text=mrkdwn("x" * 3000)) for _ in range(90)])
    assert [one.code for one in check_view(huge)] == ["view_too_large"]


@pytest.mark.parametrize("check", [check_message, check_view])
@pytest.mark.parametrize("junk", [None, 1, "x", [], {}, [[]], {"type": None}])
def test_junk_is_a_violation_not_a_crash(check: Callable[[Json], list[Any]], junk: Any) -> None:
    """Whatever stands in the place of a block is judged, never raised about."""
    payload = modal(blocks=[junk]) if check is check_view else {"blocks": [junk]}
    assert check(payload) != []
    nested = {"blocks": [actions(junk), section(accessory=junk or 1), asked(junk)]}
    assert check(modal(**nested) if check is check_view else nested) != []
