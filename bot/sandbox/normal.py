"""Blocks as Slack stores them: every id filled in, every text object complete."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from bot.sandbox.values import Json

_INTERACTIVE = frozenset(
    {
        "button",
        "static_select",
        "multi_static_select",
        "overflow",
        "radio_buttons",
        "checkboxes",
        "plain_text_input",
        "number_input",
        "datepicker",
        "timepicker",
        "datetimepicker",
    }
)


def short_id() -> str:
    """Return an id of the kind Slack makes up for blocks and actions."""
    return secrets.token_urlsafe(4)[:5]


def _complete(value: Any) -> Any:
    if isinstance(value, list):
        return [_complete(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    full = {name: _complete(inner) for name, inner in value.items() if inner is not None}
    kind = full.get("type")
    if kind == "plain_text":
        full.setdefault("emoji", True)
    elif kind == "mrkdwn":
        full.setdefault("verbatim", False)
    elif kind in _INTERACTIVE:
        full.setdefault("action_id", short_id())
    return full


def stored_blocks(blocks: Sequence[Mapping[str, Any]]) -> tuple[Json, ...]:
    """Return blocks with `block_id`, `action_id`, `emoji` and `verbatim` filled in."""
    return tuple({"block_id": short_id(), **_complete(block)} for block in blocks)


def stored_view(definition: Mapping[str, Any]) -> Json:
    """Return a view's definition the way payloads show it, empty fields included."""
    full: Json = {
        "callback_id": "",
        "private_metadata": "",
        "external_id": "",
        "title": None,
        "submit": None,
        "close": None,
        "clear_on_close": False,
        "notify_on_close": False,
    }
    full.update({k: _complete(v) for k, v in definition.items() if k != "blocks"})
    return {**full, "blocks": list(stored_blocks(definition.get("blocks") or []))}
