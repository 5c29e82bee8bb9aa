"""A net under every test: whatever card, reply or view is built, Slack must take it.

It hangs below the places where they are made, and notes what Slack's limits (as
the sandbox holds them) or its own models refuse. The listeners catch what is raised in them,
so a finding is kept, and fails the test when it ends.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot import cards, modals
from bot.sandbox.limits import check_update, check_view

found: list[str] = []
"""What was refused since the test began."""

_sound: set[int] = set()  # what was looked at and found good, by its hash: much is built twice


def caught() -> list[str]:
    """What was found up to here; the test is not failed for it any more."""
    refused, found[:] = list(found), []
    return refused


def of_message(message: cards.Message) -> list[str]:
    """What Slack would refuse of a message, posted or updated."""
    payload = {"text": message.text, "blocks": list(message.blocks)}
    return [*(str(one) for one in check_update(payload)), *_by_models(message.blocks)]


def of_view(view: Mapping[str, Any]) -> list[str]:
    """What Slack would refuse of a view."""
    refused = [str(one) for one in check_view(view)]
    try:
        View(**view).to_dict()
    except SlackObjectFormationError as error:
        refused.append(str(error))
    return [*refused, *_by_models(view["blocks"])]


def _by_models(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    refused = []
    for given in blocks:
        try:
            parsed = Block.parse(dict(given))
            if parsed is None:
                refused.append(f"no model knows a block of type {given.get('type')}")
            else:
                parsed.to_dict()
        except SlackObjectFormationError as error:
            refused.append(str(error))
    return refused


def spread() -> None:
    """Hang the net, once, before any module has taken the makers by their names.

    The form to decide is looked at when it is whole: a draft that is too large is not shown.
    """
    cards.Message.__init__ = _checked_message(cards.Message.__init__)  # type: ignore[method-assign]
    modals.modal = _checked_view(modals.modal)
    modals.decision_form = _checked_view(modals.decision_form)
    # Only now: it takes the maker of modals by its name.
    home = import_module("bot.home")
    home._home = _checked_view(home._home)  # type: ignore[attr-defined]


def _note(digest: int, look: Callable[[], list[str]]) -> None:
    if digest in _sound:
        return
    refused = look()
    found.extend(refused)
    if not refused:
        _sound.add(digest)


def _checked_message(make: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(make)
    def made(self: cards.Message, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        _note(hash((self.text, repr(self.blocks))), partial(of_message, self))

    return made


def _checked_view(make: Callable[..., modals.View]) -> Callable[..., modals.View]:
    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> modals.View:
        view = make(*args, **kwargs)
        _note(hash(repr(view)), partial(of_view, view))
        return view

    return made
