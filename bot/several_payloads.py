"""What Slack sends while several requests are decided at once, as frozen values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.payloads import Malformed, Who, action_of, parse_who
from bot.read_json import MisreadError, optional_text, part, text
from bot.tokens import (
    CHOICE,
    PICKED,
    REASON,
    ListState,
    Target,
    parse_list_state,
    parse_targets,
)
from engine import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A click on "Decide several" under a list."""

    who: Who
    state: ListState
    trigger_id: str
    response_url: str  # empty in the Home tab


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """Which requests were ticked; `targets` is empty when none was."""

    who: Who
    targets: tuple[Target, ...]
    view_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One answer for several requests."""

    who: Who
    targets: tuple[Target, ...]
    choice: Choice
    reason: str
    view_id: str


def parse_asked(body: object) -> Asked | Malformed:
    """Read `block_actions` of "Decide several"."""
    who = parse_who(body)
    if isinstance(who, Malformed):
        return who
    try:
        state = parse_list_state(action_of(body).get("value"))
        if state is None:
            return Malformed("the button names no list")
        return Asked(
            who=who,
            state=state,
            trigger_id=text(body, "trigger_id"),
            response_url=optional_text(body, "response_url"),
        )
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_picked(body: object) -> Picked | Malformed:
    """Read `view_submission` of the form that asks which."""
    who = parse_who(body)
    if isinstance(who, Malformed):
        return who
    try:
        ticked = _entry(body, PICKED, "selected_options") or []
        if not isinstance(ticked, list):
            return Malformed("what was ticked is no list")
        values = [text(option, "value") for option in ticked]
        targets = parse_targets(values) if values else ()
        if targets is None:
            return Malformed("what was ticked names no requests")
        return Picked(who=who, targets=targets, view_id=text(body, "view", "id"))
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_sent(body: object) -> Sent | Malformed:
    """Read `view_submission` of the form that decides several."""
    who = parse_who(body)
    if isinstance(who, Malformed):
        return who
    try:
        targets = parse_targets(text(body, "view", "private_metadata").split(","))
        choice = part(_entry(body, CHOICE, "selected_option"), "value")
        reason = _entry(body, REASON, "value") or ""
        if targets is None or choice not in set(Choice) or not isinstance(reason, str):
            return Malformed("the form names no requests, no choice or no reason")
        return Sent(
            who=who,
            targets=targets,
            choice=Choice(str(choice)),
            reason=reason,
            view_id=text(body, "view", "id"),
        )
    except MisreadError as misread:
        return Malformed(str(misread))


def _entry(body: object, action_id: str, key: str) -> object:
    """What one field of the form holds; None when it was left empty."""
    found = (part(fields, action_id, key) for fields in _fields(body))
    return next((value for value in found if value is not None), None)


def _fields(body: object) -> Iterator[object]:
    values = part(body, "view", "state", "values")
    if not isinstance(values, Mapping):
        raise MisreadError("view.state.values is missing or no object")
    yield from values.values()
