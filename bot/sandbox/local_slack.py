"""The local Slack as one value: its content, its manifest, its trouble and its way to the app."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox import payloads, seed
from bot.sandbox.delivery import AppLink
from bot.sandbox.faults import TRIGGER, Faults
from bot.sandbox.manifest import Manifest
from bot.sandbox.modals import Modals
from bot.sandbox.pacing import Pacer
from bot.sandbox.tickets import Tickets
from bot.sandbox.values import Channel, Message
from bot.sandbox.workspace import Workspace

# The scope without which Slack does not deliver an event, subscribed or not.
EVENT_SCOPES = {
    "message_metadata_posted": "metadata.message:read",
    "message_metadata_deleted": "metadata.message:read",
    "message_metadata_updated": "metadata.message:read",
    "member_joined_channel": "channels:read",
    **{
        f"channel_{what}": "channels:read"
        for what in ("archive", "unarchive", "left", "deleted", "rename")
    },
    **{
        f"group_{what}": "groups:read"
        for what in ("archive", "unarchive", "left", "deleted", "rename")
    },
    "user_change": "users:read",
    "subteam_members_changed": "usergroups:read",
}


@dataclass(kw_only=True)
class LocalSlack:
    """Everything the sandbox's parts share; `url` is where it listens, without a slash."""

    manifest: Manifest
    workspace: Workspace
    modals: Modals
    tickets: Tickets
    faults: Faults
    pacer: Pacer
    app: AppLink
    now: Callable[[], float]
    url: str = ""

    def trigger(self, user: str, *, from_view: bool = False) -> str:
        """Return a trigger id for what a person just did, expired if so wished."""
        expired = self.faults.take(TRIGGER) is not None
        return self.tickets.trigger(user, from_view=from_view, expired=expired)

    def response_url(self, user: str, channel: str, message: Message | None = None) -> str:
        """Return a response URL for a click in `message`, or for a command."""
        original = message.ts if message else None
        thread = message.thread_ts if message else None
        token = self.tickets.response_url(user, channel, original, thread)
        return f"{self.url}/response/{token}"

    def announce(self, kind: str, **facts: Any) -> None:
        """Tell the app of an event, if the manifest subscribes to it and has the scope."""
        scope = EVENT_SCOPES.get(kind)
        allowed = scope is None or scope in self.manifest.scopes
        if kind in self.manifest.events and allowed:
            event = {"type": kind, **facts, "event_ts": self.workspace.next_ts()}
            team = self.workspace.team
            self.app.event(payloads.event_callback(event, team, int(self.now())))

    def announce_metadata(self, kind: str, message: Message, **facts: Any) -> None:
        """Tell the app of message metadata whose type it watches."""
        metadata = dict(message.metadata)
        if metadata.get("event_type") not in self.manifest.metadata_types:
            return
        deleted = kind == "message_metadata_deleted"
        self.announce(
            kind,
            app_id=seed.APP_ID,
            bot_id=seed.BOT_ID,
            user_id=message.user,
            team_id=self.workspace.team.id,
            channel_id=message.channel,
            message_ts=message.ts,
            **{"previous_metadata" if deleted else "metadata": metadata},
            **facts,
        )

    def post(self, channel: Channel, text: str, **facts: Any) -> Message:
        """Put a message of the app into a channel."""
        message = Message(
            ts=self.workspace.next_ts(),
            channel=channel.id,
            user=seed.BOT_USER,
            text=text,
            **facts,
        )
        return self.workspace.post(message)

    def whisper(self, channel: str, user: str, text: str, **facts: Any) -> Message:
        """Show a message in a channel to one person only."""
        return self.post(self.workspace.channels[channel], text, only_for=user, **facts)
