"""What Slack sends, as frozen values; anything malformed or tampered with ends here.

Nothing in a payload is believed but who sent it (the signature vouches for that): buttons
and forms carry opaque ids and digests, and everything they name is read again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bot.page_states import PageState, parse_page_state
from bot.read_json import MisreadError, matching, optional_matching, optional_text, part, text
from bot.tokens import (
    INPUT_PREFIX,
    REASON,
    Target,
    is_reference,
    parse_form_state,
    parse_target,
)
from bot.typed import Request, understood
from bot.typed_runs import RunRequest, understood_run
from engine import Choice, Identity, IdentityKind

R = TypeVar("R")

_REALM = re.compile(r"[TE][A-Z0-9]{1,31}")
_USER = re.compile(r"[UW][A-Z0-9]{1,31}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,31}")
_VALUE_KEYS = ("value", "selected_date", "selected_option", "selected_options")
_MOST_SELECTED = 100
_MOST_NAME = 200


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a payload we made or Slack makes. `why` is for the log, and quotes nothing of it."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The account a payload comes from.

    `realm` is the enterprise where there is one, so that a person is the same in all its
    workspaces; else the workspace of the account itself.
    """

    realm: str
    user_id: str
    name: str

    @property
    def identity(self) -> Identity:
        """The account as the engine knows it."""
        return Identity(IdentityKind.SLACK, self.realm, self.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The message a button stands in."""

    channel: str
    message_ts: str
    is_ephemeral: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A click on a button about a checkpoint, in a message or in a view."""

    who: Who
    action_id: str
    target: Target
    trigger_id: str
    place: Place | None
    is_in_modal: bool  # what it leads to is laid on top of that; nothing lies on a Home tab


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTurn:
    """A click on Refresh or Next under a list."""

    who: Who
    state: PageState
    response_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCheck:
    """A click on the button of a test; `reference` names the test."""

    who: Who
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A decision form, sent."""

    who: Who
    target: Target
    choice: Choice
    reason: str = ""
    # Texts, or lists of the options chosen; what was left empty is absent.
    inputs: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Generic[R]):
    """A slash command, typed. `command` is the name it was registered under, with its slash."""

    who: Who
    request: R
    command: str
    response_url: str = ""  # where an answer that takes longer goes
    trigger_id: str = ""  # what a form can be opened with


def parse_click(body: object) -> Click | Malformed:
    """Read `block_actions` of a button that names a checkpoint."""
    try:
        action = action_of(body)
        target = parse_target(action.get("value"))
        if target is None:
            return Malformed("the button names no request")
        return Click(
            who=_who(body),
            action_id=text(action, "action_id"),
            target=target,
            trigger_id=text(body, "trigger_id"),
            place=_place(body),
            is_in_modal=part(body, "view") is not None and part(body, "view", "type") != "home",
        )
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_page_turn(body: object) -> PageTurn | Malformed:
    """Read `block_actions` of Refresh or Next."""
    try:
        state = parse_page_state(action_of(body).get("value"))
        if state is None:
            return Malformed("the button names no list")
        return PageTurn(who=_who(body), state=state, response_url=text(body, "response_url"))
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_live_check(body: object) -> LiveCheck | Malformed:
    """Read `block_actions` of the button that `signoff doctor --live` posts."""
    try:
        reference = text(action_of(body), "value")
        if not is_reference(reference):
            return Malformed("the button names no test")
        return LiveCheck(who=_who(body), reference=reference)
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_submission(body: object) -> Submission | Malformed:
    """Read `view_submission` of a decision form."""
    try:
        state = parse_form_state(part(body, "view", "private_metadata"))
        if state is None:
            return Malformed("the form names no request")
        reason, inputs = answers_of(part(body, "view", "state", "values"))
        return Submission(
            who=_who(body),
            target=state.target,
            choice=state.choice,
            reason=reason,
            inputs=inputs,
        )
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_command(body: object) -> Command[Request] | Malformed:
    """Read `/checkpoints` as it was typed."""
    return _command(body, understood)


def parse_start(body: object) -> Command[RunRequest] | Malformed:
    """Read `/signoff` as it was typed."""
    return _command(body, understood_run)


def _command(body: object, read: Callable[[str], R]) -> Command[R] | Malformed:
    try:
        enterprise = optional_matching(_REALM, body, "enterprise_id")
        who = Who(
            realm=enterprise or matching(_REALM, body, "team_id"),
            user_id=matching(_USER, body, "user_id"),
            name=optional_text(body, "user_name")[:_MOST_NAME],
        )
        return Command(
            who=who,
            request=read(optional_text(body, "text")),
            command=text(body, "command"),
            response_url=optional_text(body, "response_url"),
            trigger_id=optional_text(body, "trigger_id"),
        )
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_who(body: object) -> Who | Malformed:
    """Read who sent a payload, whatever else is wrong with it."""
    try:
        return _who(body)
    except MisreadError as misread:
        return Malformed(str(misread))


def _who(body: object) -> Who:
    # The installation's own team stands elsewhere in the body: in a shared channel it is
    # not the clicker's.
    enterprise = optional_matching(_REALM, body, "enterprise", "id")
    name = optional_text(body, "user", "name") or optional_text(body, "user", "username")
    return Who(
        realm=enterprise or matching(_REALM, body, "user", "team_id"),
        user_id=matching(_USER, body, "user", "id"),
        name=name[:_MOST_NAME],
    )


def action_of(body: object) -> Mapping[str, object]:
    """What was pressed or chosen. Raises `MisreadError`."""
    actions = part(body, "actions")
    first = actions[0] if isinstance(actions, list) and actions else None
    if not isinstance(first, Mapping):
        raise MisreadError("actions holds no action")
    return first


def _place(body: object) -> Place | None:
    if part(body, "container", "type") != "message":
        return None
    return Place(
        channel=matching(_CHANNEL, body, "container", "channel_id"),
        message_ts=matching(_TS, body, "container", "message_ts"),
        is_ephemeral=part(body, "container", "is_ephemeral") is True,
    )


def answers_of(values: object) -> tuple[str, dict[str, str | list[str]]]:
    """The reason and the inputs by name, from `state.values`. Raises `MisreadError`."""
    if not isinstance(values, Mapping):
        raise MisreadError("view.state.values is missing or no object")
    reason, inputs = "", dict[str, str | list[str]]()
    for fields in values.values():
        if not isinstance(fields, Mapping):
            raise MisreadError("view.state.values holds no fields")
        for action_id, entry in fields.items():
            answer = _answer(entry)
            if answer is None or not isinstance(action_id, str):
                continue
            if action_id == REASON and isinstance(answer, str):
                reason = answer
            elif action_id.startswith(INPUT_PREFIX):
                inputs[action_id.removeprefix(INPUT_PREFIX)] = answer
    return reason, inputs


def _answer(entry: object) -> str | list[str] | None:
    """What one field holds; None when it was left empty."""
    for key in _VALUE_KEYS:
        found = part(entry, key)
        if found in (None, "", []):
            continue
        if key == "selected_options":
            return _selected(found)
        value = text(found, "value") if key == "selected_option" else found
        if not isinstance(value, str):
            raise MisreadError("a field holds no text")
        return value
    return None


def _selected(options: object) -> list[str]:
    if not isinstance(options, list) or len(options) > _MOST_SELECTED:
        raise MisreadError("a field holds no list of options")
    return [text(option, "value") for option in options]
