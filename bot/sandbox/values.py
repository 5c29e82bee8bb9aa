"""Who and what a workspace holds, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Team:
    """A workspace: id, name, and the `domain` of its URL."""

    id: str
    name: str
    domain: str


@dataclass(frozen=True, kw_only=True)
class User:
    """A member, guest, stranger (Slack Connect) or bot; `tz` is an IANA zone name."""

    id: str
    name: str
    real_name: str
    email: str
    team_id: str
    tz: str = "Europe/Berlin"
    is_admin: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    """A user group; `handle` is what people type after `@`."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel or, with `is_im`, the conversation between the app and one user."""

    id: str
    name: str
    members: frozenset[str]
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_im: bool = False


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message; `only_for` makes it ephemeral."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: tuple[Json, ...] = ()
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    edited_ts: str | None = None
    only_for: str | None = None


@dataclass(frozen=True, kw_only=True)
class View:
    """An open modal or a Home tab: the `definition` the app gave and the answers typed so far."""

    id: str
    user: str
    hash: str
    definition: Json
    answers: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    trouble: str | None = None
    root_id: str
    previous_id: str | None = None


class SlackError(Exception):
    """The Web API answers `ok: false` with this `code`; `details` go into the reply."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
