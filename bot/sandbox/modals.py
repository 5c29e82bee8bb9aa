"""Open modals, a stack per person, and Home tabs."""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.sandbox.limits import MOST_STACKED_VIEWS
from bot.sandbox.normal import stored_view
from bot.sandbox.values import SlackError, View
from bot.sandbox.workspace import Workspace


class Modals:
    """The views people have before them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stacks: dict[str, list[View]] = {}
        self._homes: dict[str, View] = {}
        self._numbers = itertools.count(1)

    def stack(self, user: str) -> list[View]:
        """Return a person's open views, the one on top last."""
        return list(self._stacks.get(user, []))

    def top(self, user: str) -> View | None:
        """Return the view a person sees, if a modal is open."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def home(self, user: str) -> View | None:
        """Return a person's Home tab as last published."""
        return self._homes.get(user)

    def find(self, *, view_id: str | None, external_id: str | None = None) -> View | None:
        """Return an open view or Home tab by id or external id."""
        everything = [v for stack in self._stacks.values() for v in stack]
        for view in [*everything, *self._homes.values()]:
            named = external_id and view.definition["external_id"] == external_id
            if view.id == view_id or named:
                return view
        return None

    def open(self, user: str, definition: Mapping[str, Any]) -> View:
        """Open a modal; it takes the place of whatever modal was open."""
        self._external_id_is_free(definition)
        view = self._new(user, definition)
        self._stacks[user] = [view]
        self._workspace.touch()
        return view

    def push(self, user: str, definition: Mapping[str, Any]) -> View:
        """Put a view on top of the open ones; at most three may lie there."""
        stack = self._stacks.setdefault(user, [])
        if len(stack) >= MOST_STACKED_VIEWS:
            raise SlackError("push_limit_reached")
        self._external_id_is_free(definition)
        view = self._new(user, definition)
        if stack:
            view = replace(view, root_id=stack[0].root_id, previous_id=stack[-1].id)
        stack.append(view)
        self._workspace.touch()
        return view

    def update(self, view: View, definition: Mapping[str, Any]) -> View:
        """Draw an open view anew: a new hash, answers kept, errors gone."""
        return self.change(
            view, definition=stored_view(definition), hash=self._hash(), errors={}, trouble=None
        )

    def change(self, view: View, **facts: Any) -> View:
        """Put a changed copy in the place of a view; return the copy."""
        changed = replace(view, **facts)
        stack = self._stacks.get(view.user, [])
        stack[:] = [changed if one.id == view.id else one for one in stack]
        if view.user in self._homes and self._homes[view.user].id == view.id:
            self._homes[view.user] = changed
        self._workspace.touch()
        return changed

    def close(self, view: View) -> None:
        """Take one view off its stack."""
        stack = self._stacks.get(view.user, [])
        stack[:] = [one for one in stack if one.id != view.id]
        self._workspace.touch()

    def clear(self, user: str) -> None:
        """Close all of a person's modals."""
        self._stacks.pop(user, None)
        self._workspace.touch()

    def publish(self, user: str, definition: Mapping[str, Any]) -> View:
        """Draw a person's Home tab."""
        known = self._homes.get(user)
        if known:
            return self.update(known, definition)
        self._homes[user] = self._new(user, definition)
        self._workspace.touch()
        return self._homes[user]

    def _new(self, user: str, definition: Mapping[str, Any]) -> View:
        view_id = f"V0{next(self._numbers):07}"
        return View(
            id=view_id,
            user=user,
            hash=self._hash(),
            definition=stored_view(definition),
            root_id=view_id,
        )

    def _external_id_is_free(self, definition: Mapping[str, Any]) -> None:
        wanted = definition.get("external_id")
        if wanted and self.find(view_id=None, external_id=str(wanted)):
            raise SlackError("duplicate_external_id")

    def _hash(self) -> str:
        return f"{int(self._workspace.now())}.{secrets.token_hex(4)}"
