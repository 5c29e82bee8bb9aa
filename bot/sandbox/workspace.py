"""What the workspace holds now. Every change raises `revision` and wakes those who wait."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from time import time
from typing import Any

from bot.sandbox import seed
from bot.sandbox.values import Channel, Group, Json, Message, Team, User


class Workspace:
    """Users, groups, channels and messages of one made-up workspace."""

    def __init__(
        self,
        *,
        team: Team,
        users: Iterable[User] = (),
        groups: Iterable[Group] = (),
        channels: Iterable[Channel] = (),
        now: Callable[[], float] = time,
    ) -> None:
        self.team = team
        self.now = now
        self.revision = 1
        self.users = {one.id: one for one in users}
        self.groups = {one.id: one for one in groups}
        self.channels = {one.id: one for one in channels}
        self.messages: dict[str, list[Message]] = {one: [] for one in self.channels}
        self.answers: dict[tuple[str, str, str], Json] = {}
        self.troubles: dict[tuple[str, str, str], str] = {}
        self._last_ts = 0
        self._changed = asyncio.Event()

    def touch(self) -> None:
        """Note that something people can see has changed."""
        self.revision += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, since: int, seconds: float) -> int:
        """Return the revision once it is above `since`, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.revision <= since:
                    await self._changed.wait()
        return self.revision

    def next_ts(self) -> str:
        """Return a message timestamp no other message of this workspace has."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06}"

    def add_user(self, user: User) -> None:
        """Add a user, or put a changed one in the place of the old."""
        self.users[user.id] = user
        self.touch()

    def add_group(self, group: Group) -> None:
        """Add a user group, or put a changed one in the place of the old."""
        self.groups[group.id] = group
        self.touch()

    def add_channel(self, channel: Channel) -> None:
        """Add a channel, or put a changed one in the place of the old."""
        self.channels[channel.id] = channel
        self.messages.setdefault(channel.id, [])
        self.touch()

    def remove_channel(self, channel: Channel) -> None:
        """Take a channel and all its messages away."""
        self.channels.pop(channel.id, None)
        self.messages.pop(channel.id, None)
        self.touch()

    def named(self, name: str) -> Channel | None:
        """Return the channel called `name` (with or without `#`), if any."""
        plain = name.removeprefix("#")
        return next((c for c in self.channels.values() if c.name == plain and not c.is_im), None)

    def conversation(self, user_id: str) -> Channel:
        """Return the app's direct messages with a user, opened on first use."""
        channel_id = f"D{user_id[1:]}"
        if channel_id not in self.channels:
            self.add_channel(self.unopened(user_id))
        return self.channels[channel_id]

    def unopened(self, user_id: str) -> Channel:
        """Return what the app's direct messages with a user will be once they are opened."""
        members = frozenset({user_id, seed.BOT_USER})
        return Channel(id=f"D{user_id[1:]}", name="directmessage", members=members, is_im=True)

    def message(self, channel_id: str, ts: str) -> Message | None:
        """Return a message by its place, ephemeral ones too, if it is there."""
        return next((m for m in self.messages.get(channel_id, []) if m.ts == ts), None)

    def post(self, message: Message) -> Message:
        """Add a message at the end of its channel."""
        self.messages[message.channel].append(message)
        self.touch()
        return message

    def change(self, message: Message, **facts: Any) -> Message:
        """Put a changed copy in the place of a message; return the copy."""
        changed = replace(message, **facts)
        place = (message.channel, message.ts)
        self.troubles = {k: v for k, v in self.troubles.items() if k[:2] != place}
        listed = self.messages[message.channel]
        listed[:] = [changed if m.ts == message.ts else m for m in listed]
        self.touch()
        return changed

    def trouble(self, message: Message, user: str, said: str | None) -> None:
        """Show an error under a message to the one whose click failed; None takes it away."""
        key = (message.channel, message.ts, user)
        if self.troubles.get(key) != said:
            self.troubles.pop(key, None)
            if said:
                self.troubles[key] = said
            self.touch()

    def remove(self, message: Message) -> None:
        """Take a message away."""
        listed = self.messages[message.channel]
        listed[:] = [m for m in listed if m.ts != message.ts]
        self.touch()


def seeded(now: Callable[[], float] = time) -> Workspace:
    """Return a new workspace with the sandbox's people, groups and channels."""
    return Workspace(
        team=seed.TEAM,
        users=seed.users(),
        groups=seed.groups(),
        channels=seed.channels(),
        now=now,
    )
