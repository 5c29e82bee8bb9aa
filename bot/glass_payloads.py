"""The forms about a glass, as Slack sends them. As in `payloads`, only who sent it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.payloads import Malformed, Who, answers_of, parse_who
from bot.read_json import MisreadError, part
from bot.tokens import CHOICE, Target, parse_target
from engine import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """The form to break the glass, sent."""

    who: Who
    target: Target
    choice: Choice
    reason: str
    inputs: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The form of a review, sent."""

    who: Who
    target: Target
    note: str


def parse_breaking(body: object) -> Breaking | Malformed:
    """Read `view_submission` of the form to break the glass."""
    sent = _sent(body)
    if isinstance(sent, Malformed):
        return sent
    who, target, reason, inputs = sent
    choice = _choice(part(body, "view", "state", "values"))
    if choice is None:
        return Malformed("the form says neither yes nor no")
    return Breaking(who=who, target=target, choice=choice, reason=reason, inputs=inputs)


def parse_signature(body: object) -> Signature | Malformed:
    """Read `view_submission` of the form of a review."""
    sent = _sent(body)
    if isinstance(sent, Malformed):
        return sent
    who, target, note, _ = sent
    return Signature(who=who, target=target, note=note)


def _sent(body: object) -> tuple[Who, Target, str, dict[str, str | list[str]]] | Malformed:
    who = parse_who(body)
    if isinstance(who, Malformed):
        return who
    target = parse_target(part(body, "view", "private_metadata"))
    if target is None:
        return Malformed("the form names no request")
    try:
        written, inputs = answers_of(part(body, "view", "state", "values"))
    except MisreadError as misread:
        return Malformed(str(misread))
    return who, target, written, inputs


def _choice(values: object) -> Choice | None:
    blocks = values.values() if isinstance(values, Mapping) else ()
    said = (part(block, CHOICE, "selected_option", "value") for block in blocks)
    found = next((value for value in said if value is not None), None)
    return Choice(found) if isinstance(found, str) and found in set(Choice) else None
