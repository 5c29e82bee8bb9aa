"""What Slack sends from the Home tab and the global shortcut, as frozen values."""

import re
from dataclasses import dataclass

from bot.payloads import Malformed, Who, action_of, parse_who
from bot.read_json import MisreadError, matching, optional_text, part, text
from bot.tokens import HomeState, parse_home_state

_USER = re.compile(r"[UW][A-Z0-9]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Somebody opened the app; `is_home` tells its Home tab from its messages."""

    who: Who
    is_home: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTurn:
    """A click on Next, Back or Refresh on a page of one's own: in the Home tab, or in a modal."""

    who: Who
    state: HomeState
    view_id: str
    is_in_modal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """The global shortcut, picked."""

    who: Who
    trigger_id: str


def parse_opened(event: object, realm: str) -> Opened | Malformed:
    """Read `app_home_opened`. It names no workspace: `realm` is that of the installation."""
    try:
        who = Who(realm=realm, user_id=matching(_USER, event, "user"), name="")
        return Opened(who=who, is_home=optional_text(event, "tab") == "home")
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_home_turn(body: object) -> HomeTurn | Malformed:
    """Read `block_actions` of Next, Back or Refresh on a page of one's own."""
    who = parse_who(body)
    if isinstance(who, Malformed):
        return who
    try:
        state = parse_home_state(action_of(body).get("value"))
        if state is None:
            return Malformed("the button names no page")
        return HomeTurn(
            who=who,
            state=state,
            view_id=text(body, "view", "id"),
            is_in_modal=part(body, "view", "type") == "modal",
        )
    except MisreadError as misread:
        return Malformed(str(misread))


def parse_shortcut(body: object) -> Shortcut | Malformed:
    """Read `shortcut`."""
    who = parse_who(body)
    if isinstance(who, Malformed):
        return who
    try:
        return Shortcut(who=who, trigger_id=text(body, "trigger_id"))
    except MisreadError as misread:
        return Malformed(str(misread))
