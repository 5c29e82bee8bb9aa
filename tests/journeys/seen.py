"""Reading what a person sees: texts and buttons in the blocks of messages and views."""

from collections.abc import Iterator, Mapping
from typing import Any


def texts(blocks: Any) -> Iterator[str]:
    """Every text in blocks, in the order it is read."""
    if isinstance(blocks, Mapping):
        text = blocks.get("text")
        if isinstance(text, str):
            yield text
        for value in blocks.values():
            yield from texts(value)
    elif isinstance(blocks, list | tuple):
        for item in blocks:
            yield from texts(item)


def read(seen: Mapping[str, Any]) -> str:
    """All of a message or view as one text."""
    return "\n".join(texts(seen.get("blocks", [])))


def buttons(seen: Any) -> Iterator[dict[str, Any]]:
    """Every button in a message or view."""
    if isinstance(seen, Mapping):
        if seen.get("type") == "button":
            yield dict(seen)
        for value in seen.values():
            yield from buttons(value)
    elif isinstance(seen, list | tuple):
        for item in seen:
            yield from buttons(item)


def button_of(seen: Mapping[str, Any], action_id: str) -> dict[str, Any]:
    """The first button of this id."""
    found = next((b for b in buttons(seen) if b["action_id"] == action_id), None)
    assert found is not None, f"no button {action_id} in {[b['action_id'] for b in buttons(seen)]}"
    return found
