"""What a person wants to be told directly: shown in lines, and a form to change it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.blocks import context, paragraph, section
from bot.cards import Message
from bot.literal import Block, escaped, plain
from bot.modals import View, modal
from bot.read_json import MisreadError, part, text
from bot.tokens import NOTIFICATIONS, NOTIFICATIONS_FORM
from bot.wording import Line, Moment, plain_line
from engine import Preferences

CHANGE = "Change notifications"
WANTED = "wanted"
SNOOZE = "snooze"
"""Action ids of the fields, and ids of their blocks."""

_OUTCOME = "outcome"
_ASKED = "asked"
_OPTIONS = {
    _OUTCOME: "Tell me how what I asked for ended",
    _ASKED: "Ask me when something waits that I could decide",
}
_MOST_TEXT = 3_000
_MOST_LABEL = 75
_MOST_SELECTED = 10
_MORNING = time(9)


class Snooze(StrEnum):
    """For how long somebody wants to be left alone."""

    KEEP = "keep"  # as it is
    NOT = "not"
    HOUR = "hour"
    TOMORROW = "tomorrow"
    DAYS = "days"
    WEEK = "week"


_SNOOZES = {
    Snooze.KEEP: "As it is now",
    Snooze.NOT: "Not snoozed",
    Snooze.HOUR: "For 1 hour",
    Snooze.TOMORROW: "Until tomorrow, 9:00",
    Snooze.DAYS: "For 3 days",
    Snooze.WEEK: "For 1 week",
}
_SPANS = {
    Snooze.HOUR: timedelta(hours=1),
    Snooze.DAYS: timedelta(days=3),
    Snooze.WEEK: timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was sent with the form."""

    outcome: bool
    asked: bool
    snooze: Snooze

    def applied(self, before: Preferences, now: datetime, zone: str | None) -> Preferences:
        """What the person wants from now on. Days begin in their own zone."""
        until = before.snoozed_until if self.snooze is Snooze.KEEP else None
        return Preferences(
            outcome=self.outcome,
            asked=self.asked,
            snoozed_until=until or snoozed_until(self.snooze, now, zone),
        )


def snoozed_until(snooze: Snooze, now: datetime, zone: str | None) -> datetime | None:
    """The instant a snooze ends; None for none. A zone that nobody knows is UTC."""
    if snooze is Snooze.TOMORROW:
        here = now.astimezone(_zone(zone))
        morning = datetime.combine(here.date() + timedelta(days=1), _MORNING, here.tzinfo)
        return morning.astimezone(UTC)
    span = _SPANS.get(snooze)
    return None if span is None else now + span


def preference_lines(preferences: Preferences, now: datetime) -> tuple[Line, ...]:
    """How it stands, a sentence each."""
    outcome = "one message when" if preferences.outcome else "no message when"
    asked = "a message when" if preferences.asked else "no message when"
    lines: list[Line] = [
        (f"You get {outcome} what you asked for has ended.",),
        (f"You get {asked} something waits that you could decide.",),
    ]
    if preferences.snoozed_until is not None and preferences.is_snoozed(now):
        until = Moment(preferences.snoozed_until, "Snoozed until ", ": nothing of it reaches you.")
        lines.append((until,))
    return tuple(lines)


def preference_blocks(preferences: Preferences, now: datetime) -> tuple[Block, ...]:
    """How it stands, and the button to change it."""
    button: Block = {
        "type": "button",
        "action_id": NOTIFICATIONS,
        "text": plain(CHANGE, _MOST_LABEL),
        "value": NOTIFICATIONS,
    }
    lines = paragraph(preference_lines(preferences, now))
    return lines, {"type": "actions", "elements": [button]}


def answer(preferences: Preferences, now: datetime) -> Message:
    """What `notifications` answers, privately."""
    said = "\n".join(plain_line(line) for line in preference_lines(preferences, now))
    blocks = (section("Your notifications"), *preference_blocks(preferences, now))
    return Message(escaped(f"Your notifications\n{said}", _MOST_TEXT), blocks)


def form(preferences: Preferences, now: datetime) -> View:
    """The form, with how it stands filled in."""
    is_snoozed = preferences.is_snoozed(now)
    snoozes = [one for one in Snooze if is_snoozed or one is not Snooze.KEEP]
    told = (paragraph(preference_lines(preferences, now)[-1:]),) if is_snoozed else ()
    return modal(
        "Notifications",
        [*told, _checkboxes(preferences), _select(snoozes), context((_WHAT_STAYS,))],
        submit="Save",
        close="Cancel",
        callback_id=NOTIFICATIONS_FORM,
    )


_WHAT_STAYS = (
    "If you alone are named, or something is escalated to you, you are told all the same, "
    "unless you snooze."
)


def saved(preferences: Preferences, now: datetime) -> View:
    """That it is kept, and how it stands now."""
    lines = paragraph(preference_lines(preferences, now))
    return modal("Notifications", [section("Saved."), lines])


def read_form(body: object) -> Chosen:
    """What was chosen. Raises `MisreadError`."""
    values = part(body, "view", "state", "values")
    wanted = part(values, WANTED, WANTED, "selected_options") or []
    if not isinstance(wanted, list) or len(wanted) > _MOST_SELECTED:
        raise MisreadError("the form holds no list of options")
    chosen = {text(option, "value") for option in wanted}
    snooze = text(values, SNOOZE, SNOOZE, "selected_option", "value")
    if not chosen <= set(_OPTIONS) or snooze not in set(Snooze):
        raise MisreadError("the form holds an option that is none of ours")
    return Chosen(_OUTCOME in chosen, _ASKED in chosen, Snooze(snooze))


def _checkboxes(preferences: Preferences) -> Block:
    ticked: Mapping[str, bool] = {_OUTCOME: preferences.outcome, _ASKED: preferences.asked}
    options = {value: _option(value, label) for value, label in _OPTIONS.items()}
    initial = [option for value, option in options.items() if ticked[value]]
    element: Block = {
        "type": "checkboxes",
        "action_id": WANTED,
        "options": list(options.values()),
        **({"initial_options": initial} if initial else {}),
    }
    return _input(WANTED, "Direct messages", element, optional=True)


def _select(snoozes: list[Snooze]) -> Block:
    options = [_option(one.value, _SNOOZES[one]) for one in snoozes]
    element: Block = {
        "type": "static_select",
        "action_id": SNOOZE,
        "options": options,
        "initial_option": options[0],
    }
    return _input(SNOOZE, "Snooze", element, optional=False)


def _input(block_id: str, label: str, element: Block, *, optional: bool) -> Block:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, _MOST_LABEL),
        "element": element,
        "optional": optional,
    }


def _option(value: str, label: str) -> Block:
    return {"text": plain(label, _MOST_LABEL), "value": value}


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
