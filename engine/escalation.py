"""Whom an escalation asks, taken apart by what a surface can do with it. Pure."""

from dataclasses import dataclass

from engine.identity import Principal, Role
from engine.model import Escalation


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom to ask besides: channels get the card, the others are named in its thread."""

    channels: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    principals: tuple[Principal, ...] = ()


def targets_of(escalation: Escalation) -> Targets:
    """What each name of an escalation means."""
    channels = tuple(name for name in escalation.to if name.startswith("#"))
    roles = {name: role for name in escalation.to if (role := Role.parse(name)) is not None}
    others = (name for name in escalation.to if name not in roles and name not in channels)
    principals = tuple(Principal.parse(name) for name in others)
    return Targets(channels, tuple(roles.values()), principals)
