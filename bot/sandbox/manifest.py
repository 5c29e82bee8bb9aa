"""The app's manifest: what it may call, hear and be asked. The sandbox keeps to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True)
class Command:
    """A slash command the app registered."""

    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A global shortcut the app registered."""

    name: str
    callback_id: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The parts of a Slack app manifest the sandbox acts on."""

    name: str = "Signoff"
    scopes: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    metadata_types: frozenset[str] = frozenset()
    commands: tuple[Command, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()
    interactivity: bool = False
    home_tab: bool = False
    messages_tab: bool = True
    messages_read_only: bool = False

    def command(self, name: str) -> Command | None:
        """Return the registered command of that name, if any."""
        return next((one for one in self.commands if one.command == name), None)

    def shortcut(self, callback_id: str) -> Shortcut | None:
        """Return the registered global shortcut of that id, if any."""
        return next((one for one in self.shortcuts if one.callback_id == callback_id), None)


def parse(document: Mapping[str, Any]) -> Manifest:
    """Return the manifest a YAML or JSON document says; a missing part grants nothing."""
    features, settings = document.get("features") or {}, document.get("settings") or {}
    scopes = ((document.get("oauth_config") or {}).get("scopes") or {}).get("bot") or []
    heard, app_home = settings.get("event_subscriptions") or {}, features.get("app_home") or {}
    watched = heard.get("metadata_subscriptions") or []
    fields = ("command", "description", "usage_hint", "should_escape")
    return Manifest(
        name=(document.get("display_information") or {}).get("name", "Signoff"),
        scopes=frozenset(scopes),
        events=frozenset(heard.get("bot_events") or []),
        metadata_types=frozenset(one["event_type"] for one in watched),
        commands=tuple(
            Command(**{k: v for k, v in one.items() if k in fields})
            for one in features.get("slash_commands") or []
        ),
        shortcuts=tuple(
            Shortcut(**{k: v for k, v in one.items() if k != "type"})
            for one in features.get("shortcuts") or []
            if one["type"] == "global"
        ),
        interactivity=bool((settings.get("interactivity") or {}).get("is_enabled")),
        home_tab=bool(app_home.get("home_tab_enabled")),
        messages_tab=bool(app_home.get("messages_tab_enabled", True)),
        messages_read_only=bool(app_home.get("messages_tab_read_only_enabled")),
    )


def load(path: Path) -> Manifest:
    """Return the manifest in a YAML (or JSON) file."""
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")))
