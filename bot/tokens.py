"""The opaque words that buttons and forms carry: ids and digests, never content.

Whatever comes back in them is read again and checked; a tampered one names nothing.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from engine import CheckpointId, Choice, Cursor

APPROVE = "approve"
APPROVE_AT_ONCE = "approve_at_once"  # with Slack's own dialog before it
REJECT = "reject"
DETAILS = "details"
ASK_AGAIN = "ask_again"
REVIEW = "review"
APPROVE_IN_MODAL = "approve_in_modal"
REJECT_IN_MODAL = "reject_in_modal"
REFRESH = "refresh"
NEXT = "next"
SHOW_MINE = "show_mine"
SEVERAL = "several"
HOME_NEXT = "home_next"
HOME_BACK = "home_back"
HOME_REFRESH = "home_refresh"
BREAK_GLASS = "break_glass"
SIGN_REVIEW = "sign_review"
LIVE_CHECK = "live_check"  # the button of `signoff doctor --live`
OPEN_THERE = "open_there"  # a link: Slack tells of the click, and nothing is to be done
NOTIFICATIONS = "notifications"  # opens the form in which one says what one wants to be told

DECISION_FORM = "decision_form"
PICK_FORM = "pick_form"
SEVERAL_FORM = "several_form"
GLASS_FORM = "glass_form"
REVIEW_FORM = "review_form"
NOTIFICATIONS_FORM = "notifications_form"
READ_ONLY = "read_only"
"""Callback ids of views: the forms, and every view without one."""

MY_APPROVALS = "my_approvals"
"""Callback id of the global shortcut."""

PICKED = "picked"
"""Action id of the field that says which of several are decided."""

MOST_TOGETHER = 10
"""How many are decided at once at most: Slack takes no more checkboxes in a group."""

REASON = "reason"
INPUT_PREFIX = "input:"
CHOICE = "choice"
"""Action ids of form fields: `reason`, `input:` with the name of the input, `choice`."""

OPTIONS = r"option:[0-9]{1,2}"
"""Action ids of the buttons for a gate's options: `option:` with its place among them."""

EVENT_TYPE = "signoff_checkpoint"
MY_APPROVALS = "my_approvals"
"""The callback id of the global shortcut."""

_CHECKPOINT_ID = re.compile(r"cp_[0-9a-z]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OPTION = re.compile(OPTIONS)
_USER = re.compile(r"[UW][A-Z0-9]{1,31}")
_REFERENCE = re.compile(r"[0-9a-f]{16}")
_MOST_VALUE = 2_000  # characters of a button value
_MOST_PAGES = 20  # that a page of one's own leads back over


@dataclass(frozen=True, slots=True)
class Target:
    """The request a button or form stands for: which one, and as it was shown."""

    checkpoint_id: CheckpointId
    digest: str

    def __str__(self) -> str:
        return f"{self.checkpoint_id}.{self.digest}"


@dataclass(frozen=True, slots=True)
class FormState:
    """What a form carries in its `private_metadata`."""

    target: Target
    choice: Choice

    def __str__(self) -> str:
        return f"{self.target}.{self.choice.value}"


def option_action(index: int) -> str:
    """The action id of the button for the option at this place."""
    return f"option:{index}"


def option_index(action_id: str) -> int | None:
    """The place that an action id names; None when it is not that of an option."""
    return int(action_id.partition(":")[2]) if _OPTION.fullmatch(action_id) else None


class ListKind(StrEnum):
    """Which list: all that waits, or what waits for the reader."""

    LIST = "list"
    MINE = "mine"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """Which page of which list a button leads to."""

    kind: ListKind = ListKind.LIST
    tenant: str | None = None
    dag: str | None = None
    cursor: Cursor | None = None
    by: str | None = None  # the Slack user's id of somebody who has answered already
    asked_by: str | None = None  # and of whoever started the run

    def __str__(self) -> str:
        cursor = self.cursor and [self.cursor.expires_at.isoformat(), self.cursor.id]
        people = [self.by, self.asked_by] if self.by or self.asked_by else []
        return json.dumps(
            [self.kind.value, self.tenant, self.dag, cursor, *people],
            ensure_ascii=False,
            separators=(",", ":"),
        )


@dataclass(frozen=True, slots=True)
class HomeState:
    """Which page of what waits for the reader a button leads to: the way there, page by page."""

    way: tuple[Cursor, ...] = ()

    @property
    def cursor(self) -> Cursor | None:
        """Where the page begins; None for the first."""
        return self.way[-1] if self.way else None

    @property
    def before(self) -> "HomeState":
        """The page before; of the first the first."""
        return HomeState(self.way[:-1])

    def then(self, after: Cursor) -> "HomeState":
        """The page that begins after this row. So many pages back the way is forgotten."""
        return HomeState((*self.way, after)[-_MOST_PAGES:])

    def __str__(self) -> str:
        way = [[cursor.expires_at.isoformat(), cursor.id] for cursor in self.way]
        return json.dumps(way, separators=(",", ":"))


def is_reference(text: str) -> bool:
    """Whether this is a reference as a test of the doctor makes them."""
    return _REFERENCE.fullmatch(text) is not None


def parse_target(text: object) -> Target | None:
    """Read a button's value, `cp_….<digest>`; None when it is not one."""
    if not isinstance(text, str):
        return None
    checkpoint_id, _, digest = text.partition(".")
    if not _CHECKPOINT_ID.fullmatch(checkpoint_id) or not _DIGEST.fullmatch(digest):
        return None
    return Target(CheckpointId(checkpoint_id), digest)


def join_targets(targets: Sequence[Target]) -> str:
    """Several requests, as the form that decides them carries them."""
    return ",".join(map(str, targets))


def parse_targets(texts: object) -> tuple[Target, ...] | None:
    """Read at most ten different requests; None when any of them is not one, or there is none."""
    if not isinstance(texts, Sequence) or not 0 < len(texts) <= MOST_TOGETHER:
        return None
    targets = [parse_target(text) for text in texts]
    found = tuple(target for target in targets if target is not None)
    one_each = len({target.checkpoint_id for target in found}) == len(targets)
    return found if one_each else None


def is_checkpoint_id(text: str) -> bool:
    """Whether this has the form of a checkpoint id."""
    return _CHECKPOINT_ID.fullmatch(text) is not None


def parse_form_state(text: object) -> FormState | None:
    """Read a form's `private_metadata`; None when it is not one."""
    if not isinstance(text, str):
        return None
    named, _, choice = text.rpartition(".")
    target = parse_target(named)
    if target is None or choice not in set(Choice):
        return None
    return FormState(target, Choice(choice))


def parse_list_state(text: object) -> ListState | None:
    """Read the value of Refresh or Next; None when it is not one."""
    match _json(text):
        case [str(kind), str() | None as tenant, str() | None as dag, cursor, *people] if (
            kind in set(ListKind)
        ):
            pass
        case _:
            return None
    after = _cursor(cursor)
    narrowed = _people(people)
    if (cursor is not None and after is None) or narrowed is None:
        return None
    by, asked_by = narrowed
    return ListState(
        kind=ListKind(kind), tenant=tenant, dag=dag, cursor=after, by=by, asked_by=asked_by
    )


def _people(stored: Sequence[object]) -> tuple[str | None, str | None] | None:
    """Whom a list is narrowed to: nobody, or two places that hold an id or nothing."""
    match stored:
        case []:
            return None, None
        case [str() | None as by, str() | None as asked_by]:
            named = [one for one in (by, asked_by) if one is not None]
            return (by, asked_by) if all(_USER.fullmatch(one) for one in named) else None
        case _:
            return None


def parse_home_state(text: object) -> HomeState | None:
    """Read the value of a button on a page of one's own; None when it is not one."""
    stored = _json(text)
    if not isinstance(stored, list) or len(stored) > _MOST_PAGES:
        return None
    way = tuple(_cursor(one) for one in stored)
    found = tuple(cursor for cursor in way if cursor is not None)
    return HomeState(found) if len(found) == len(way) else None


def _json(text: object) -> Any:
    if not isinstance(text, str) or len(text) > _MOST_VALUE:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _cursor(stored: object) -> Cursor | None:
    match stored:
        case [str(expires_at), str(checkpoint_id)] if is_checkpoint_id(checkpoint_id):
            pass
        case _:
            return None
    try:
        at = datetime.fromisoformat(expires_at)
        return None if at.tzinfo is None else Cursor(at.astimezone(UTC), checkpoint_id)
    except (ValueError, OverflowError):
        return None
