"""Slack's limits on messages and views, as pure checks.

`check_message` and `check_view` return every broken rule; an empty list means Slack takes it.
Source: https://docs.slack.dev/reference/block-kit/blocks and /reference/views.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.sandbox.elements import (
    IDENTIFIER,
    IN_ACTIONS,
    IN_CONTEXT,
    IN_INPUT,
    IN_SECTION,
    KIND,
    RICH_TEXT,
    URL,
    plain,
    text_object,
)
from bot.sandbox.schema import (
    Check,
    Violation,
    any_object,
    array,
    boolean,
    broken,
    by_type,
    every,
    shape,
    string,
)

MOST_MESSAGE_BLOCKS = 50
MOST_VIEW_BLOCKS = 100
MOST_POSTED_TEXT = 40_000
MOST_UPDATED_TEXT = 4_000
MOST_VIEW_BYTES = 250_000
MOST_STACKED_VIEWS = 3

__all__ = ["Violation", "check_message", "check_update", "check_view"]


def _has_content(block: Any, pointer: str) -> Iterator[Violation]:
    if block.get("text") is None and not block.get("fields"):
        yield broken(pointer, "missing required field: text")


def _has_picture(block: Any, pointer: str) -> Iterator[Violation]:
    if block.get("image_url") is None and block.get("slack_file") is None:
        yield broken(pointer, "missing required field: image_url")


def _block(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None
) -> Check:
    return shape({"type": KIND, **(required or {})}, {"block_id": IDENTIFIER, **(optional or {})})


BLOCK = by_type(
    {
        "section": every(
            _block(
                optional={
                    "text": text_object(3000),
                    "fields": array(text_object(2000), 10),
                    "accessory": IN_SECTION,
                    "expand": boolean,
                }
            ),
            _has_content,
        ),
        "header": _block({"text": plain(150)}),
        "context": _block({"elements": array(IN_CONTEXT, 10)}),
        "actions": _block({"elements": array(IN_ACTIONS, 25)}),
        "divider": _block(),
        "input": _block(
            {"label": plain(2000), "element": IN_INPUT},
            {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
        ),
        "rich_text": _block({"elements": array(RICH_TEXT, 1000)}),
        "image": every(
            _block(
                {"alt_text": string(2000)},
                {
                    "image_url": URL,
                    "title": plain(2000),
                    "slack_file": shape({}, {"id": KIND, "url": URL}),
                },
            ),
            _has_picture,
        ),
    }
)


def elements_of(block: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the interactive candidates of a block: its elements, accessory or input element."""
    many = block.get("elements") if block.get("type") == "actions" else None
    found = [
        *(many if isinstance(many, list) else []),
        block.get("accessory"),
        block.get("element"),
    ]
    return [one for one in found if isinstance(one, Mapping)]


def _twice(values: Sequence[Any]) -> list[Any]:
    return [v for v, n in Counter(v for v in values if isinstance(v, str) and v).items() if n > 1]


def _unique(blocks: Sequence[Any]) -> Iterator[Violation]:
    objects = [(i, b) for i, b in enumerate(blocks) if isinstance(b, Mapping)]
    for block_id in _twice([b.get("block_id") for _, b in objects]):
        yield broken("/blocks", f'`block_id` "{block_id}" already exists for another block')
    for index, block in objects:
        for action_id in _twice([e.get("action_id") for e in elements_of(block)]):
            problem = f'`action_id` "{action_id}" already exists for another action'
            yield broken(f"/blocks/{index}/elements", problem)
    if sum(e.get("focus_on_load") is True for _, b in objects for e in elements_of(b)) > 1:
        yield broken("/blocks", "only one element may have focus_on_load set to true")


def _blocks(value: Any, most: int) -> list[Violation]:
    if not isinstance(value, list):
        return [broken("/blocks", "must be an array", "invalid_blocks_format")]
    return [*array(BLOCK, most, least=0)(value, "/blocks"), *_unique(value)]


def _metadata(value: Any) -> Iterator[Violation]:
    if not isinstance(value, Mapping):
        yield broken("/metadata", "must be an object", "invalid_metadata_format")
    elif value:
        checks = {"event_type": string(255), "event_payload": any_object}
        for found in shape(checks)(value, "/metadata"):
            yield replace(found, code="invalid_metadata_schema")


def check_message(payload: Mapping[str, Any]) -> list[Violation]:
    """Return what Slack would refuse about a message: its blocks, text and metadata."""
    text, blocks = payload.get("text"), payload.get("blocks")
    found: list[Violation] = []
    if not text and not blocks:
        found.append(broken("/text", "no text and no blocks", "no_text"))
    if text is not None and not isinstance(text, str):
        found.append(broken("/text", "must be a string", "invalid_arguments"))
    if blocks is not None:
        found += _blocks(blocks, MOST_MESSAGE_BLOCKS)
    if payload.get("metadata") is not None:
        found += _metadata(payload["metadata"])
    return found


def check_update(payload: Mapping[str, Any]) -> list[Violation]:
    """Return what Slack would refuse about `chat.update`, whose text is not cut but refused."""
    too_long = len(str(payload.get("text") or "")) > MOST_UPDATED_TEXT
    cut = [broken("/text", "is too long", "msg_too_long")] if too_long else []
    return cut + check_message(payload)


_VIEW_FIELDS: dict[str, Check] = {
    "private_metadata": string(3000, least=0),
    "callback_id": IDENTIFIER,
    "external_id": IDENTIFIER,
}
_MODAL = shape(
    {"type": KIND, "title": plain(24), "blocks": lambda _value, _pointer: iter(())},
    {
        **_VIEW_FIELDS,
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
)
_HOME = shape({"type": KIND, "blocks": lambda _value, _pointer: iter(())}, _VIEW_FIELDS)
_VIEW = by_type({"modal": _MODAL, "home": _HOME}, "view type")


def _input_needs_submit(view: Mapping[str, Any]) -> Iterator[Violation]:
    blocks = view.get("blocks") or []
    asks = any(isinstance(b, Mapping) and b.get("type") == "input" for b in blocks)
    if view.get("type") == "modal" and asks and not view.get("submit"):
        yield broken("", "missing required field: submit")


def check_view(view: Mapping[str, Any]) -> list[Violation]:
    """Return what Slack would refuse about a modal or a Home view; pointers begin with /view."""
    found = [*_VIEW(view, ""), *_input_needs_submit(view)]
    if view.get("blocks") is not None:
        found += _blocks(view["blocks"], MOST_VIEW_BLOCKS)
    refused = [
        replace(one, code="invalid_arguments", pointer=f"/view{one.pointer}") for one in found
    ]
    size = len(json.dumps(view, ensure_ascii=False, default=str).encode())
    if size > MOST_VIEW_BYTES:
        refused.append(broken("/view", "is larger than 250 KB", "view_too_large"))
    return refused
