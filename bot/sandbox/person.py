"""A person at their Slack, driven over HTTP: for tests and the demo."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias

from aiohttp import ClientSession, ClientTimeout

Json: TypeAlias = dict[str, Any]
HOME_CHANNEL = "C0APPROVE"


class CannotDo(Exception):
    """The person tried what is not possible: no such button, modal, channel or input."""


class NeverSeen(AssertionError):
    """What a person waited for did not show up in time."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of an act.

    `error` is what the person reads, `errors` are the modal's by block_id, `response` is what
    the app's ack said, `modal` is the view the person has before them now.
    """

    ok: bool
    acked_ms: int
    error: str | None
    errors: Mapping[str, str] = field(default_factory=dict)
    response: Json = field(default_factory=dict)
    modal: Json | None = None


def _anything(_: Json) -> bool:
    return True


class Person:
    """One person; the session opens on first use, `aclose` (or `async with`) closes it."""

    def __init__(self, url: str, user_id: str) -> None:
        self.user_id = user_id
        self._url = url.rstrip("/")
        self._session: ClientSession | None = None

    async def click(
        self,
        channel: str,
        ts: str,
        action_id: str,
        *,
        value: Any = None,
        block_id: str | None = None,
    ) -> Result:
        """Press a button, or choose `value` (option value or text), in a message."""
        return await self._act(
            "click", channel=channel, ts=ts, action_id=action_id, value=value, block_id=block_id
        )

    async def click_modal(
        self,
        action_id: str,
        *,
        value: Any = None,
        block_id: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Result:
        """Press or choose in the open modal, after typing `values` into it."""
        return await self._act(
            "click_view", action_id=action_id, value=value, block_id=block_id, values=values
        )

    async def click_home(
        self, action_id: str, *, value: Any = None, block_id: str | None = None
    ) -> Result:
        """Press or choose in the app's Home tab."""
        return await self._act(
            "click_view", action_id=action_id, value=value, block_id=block_id, home=True
        )

    async def fill(self, values: Mapping[str, Any]) -> Result:
        """Type into the open modal without sending it."""
        return await self._act("fill", values=values)

    async def submit(self, values: Mapping[str, Any] | None = None) -> Result:
        """Fill in the open modal (keys: action_id, block_id or label) and submit it."""
        return await self._act("submit", values=values or {})

    async def close_modal(self, *, everything: bool = False) -> Result:
        """Cancel the view on top, or close the whole stack."""
        return await self._act("close", everything=everything)

    async def slash(
        self, text: str, channel: str = HOME_CHANNEL, *, in_thread: bool = False
    ) -> Result:
        """Type a slash command, `/checkpoints list` for example."""
        return await self._act("slash", text=text, channel=channel, in_thread=in_thread)

    async def shortcut(self, callback_id: str) -> Result:
        """Pick a global shortcut of the app."""
        return await self._act("shortcut", callback_id=callback_id)

    async def say(self, text: str, channel: str = HOME_CHANNEL) -> None:
        """Post an ordinary message."""
        await self._post("say", text=text, channel=channel)

    async def open_home(self, tab: str = "home") -> Result:
        """Open the app's Home tab."""
        return await self._act("open_home", tab=tab)

    async def delete_message(self, channel: str, ts: str) -> None:
        """Delete a message by hand."""
        await self._post("delete", channel=channel, ts=ts)

    async def invite_bot(self, channel: str) -> None:
        """Add the bot to a channel."""
        await self._post("join", channel=channel)

    async def remove_bot(self, channel: str) -> None:
        """Take the bot out of a channel."""
        await self._post("leave", channel=channel)

    async def archive(self, channel: str, *, archived: bool = True) -> None:
        """Archive a channel, or bring it back."""
        await self._post("archive", channel=channel, archived=archived)

    async def delete_channel(self, channel: str) -> None:
        """Delete a channel with everything in it."""
        await self._post("delete_channel", channel=channel)

    async def rename_channel(self, channel: str, name: str) -> None:
        """Give a channel another name."""
        await self._post("rename", channel=channel, name=name)

    async def change_user(self, member: str, **flags: bool) -> None:
        """Change what a user is: `deleted=True`, `is_restricted=True`, ..."""
        await self._post("change_user", member=member, flags=flags)

    async def change_group(self, group: str, users: list[str]) -> None:
        """Change who is in a user group."""
        await self._post("change_group", group=group, users=users)

    async def state(self, *, channel: str | None = None, since: int = 0, wait: float = 0) -> Json:
        """Return all the person sees, at once or when the revision passes `since`."""
        query = {"user": self.user_id, "since": str(since), "wait": str(wait)}
        if channel:
            query["channel"] = channel
        async with self._open().get(f"{self._url}/people/state", params=query) as response:
            document: Json = await response.json()
        if response.status != 200:  # noqa: PLR2004
            raise CannotDo(document["error"])
        return document

    async def messages(self, channel: str = HOME_CHANNEL) -> list[Json]:
        """Return what stands in a channel, oldest first, without replies not broadcast."""
        everything = (await self.state(channel=channel))["messages"].get(channel, [])
        return [m for m in everything if not m["thread_ts"] or m["broadcast"]]

    async def thread(self, channel: str, ts: str) -> list[Json]:
        """Return the replies to a message, oldest first."""
        everything = (await self.state(channel=channel))["messages"].get(channel, [])
        return [m for m in everything if m["thread_ts"] == ts]

    async def ephemerals(self, channel: str | None = None) -> list[Json]:
        """Return the messages only this person sees, oldest first."""
        found = (await self.state(channel=channel))["messages"].values()
        return sorted((m for ms in found for m in ms if m["ephemeral"]), key=_when)

    async def modal(self) -> Json | None:
        """Return the open modal's top view, if any."""
        view: Json | None = (await self.state(channel="-"))["modal"]
        return view

    async def home(self) -> Json | None:
        """Return the Home tab as the app last published it."""
        view: Json | None = (await self.state(channel="-"))["home"]
        return view

    async def wait_for_message(
        self,
        predicate: Callable[[Json], bool] = _anything,
        within: float = 5.0,
        channel: str | None = None,
    ) -> Json:
        """Return the first message (reply, ephemeral) that fits; raises NeverSeen."""

        def look(state: Json) -> Json | None:
            listed = [m for ms in state["messages"].values() for m in ms]
            return next((m for m in sorted(listed, key=_when) if predicate(m)), None)

        return await self._see(look, within, channel, "message")

    async def wait_for_modal(
        self, predicate: Callable[[Json], bool] = _anything, within: float = 5.0
    ) -> Json:
        """Return the open modal once it fits; raises NeverSeen."""

        def look(state: Json) -> Json | None:
            view: Json | None = state["modal"]
            return view if view is not None and predicate(view) else None

        return await self._see(look, within, "-", "modal")

    async def wait_for_home(
        self, predicate: Callable[[Json], bool] = _anything, within: float = 5.0
    ) -> Json:
        """Return the Home tab once it fits; raises NeverSeen."""

        def look(state: Json) -> Json | None:
            view: Json | None = state["home"]
            return view if view is not None and predicate(view) else None

        return await self._see(look, within, "-", "Home tab")

    async def aclose(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _see(
        self,
        look: Callable[[Json], Json | None],
        within: float,
        channel: str | None,
        noun: str,
    ) -> Json:
        deadline = asyncio.get_running_loop().time() + within
        since, left = 0, within
        while True:
            state = await self.state(channel=channel, since=since, wait=max(left, 0))
            found = look(state)
            if found is not None:
                return found
            since, left = state["revision"], deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise NeverSeen(f"{self.user_id} saw no such {noun} within {within} s")

    async def _act(self, act: str, **fields: Any) -> Result:
        document = await self._post(act, **fields)
        names = ("ok", "acked_ms", "error", "errors", "response", "modal")
        return Result(**{name: document[name] for name in names})

    async def _post(self, act: str, **fields: Any) -> Json:
        body = {"user": self.user_id, **fields}
        async with self._open().post(f"{self._url}/people/{act}", json=body) as response:
            document: Json = await response.json()
        if response.status != 200:  # noqa: PLR2004
            raise CannotDo(document["error"])
        return document

    def _open(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=90))
        return self._session


def _when(message: Json) -> str:
    return str(message["ts"])
