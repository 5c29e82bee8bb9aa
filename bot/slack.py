"""Slack's Web API: the few calls we make, with errors mapped to what can be done about them.

No retry happens here. On the way of a click there is no time for one; everywhere
else the outbox retries, with the whole record in hand.

    SlackError
    ├── SlackUnreachable     no answer, or one that promises nothing (5xx, a dropped connection)
    ├── SlackRateLimited     come back after `retry_after` seconds
    └── SlackRefused         Slack understood and said no; `code` is its own word
"""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.budgets import Budgets, lane_of

CALL_TIMEOUT_S = 3
_CHANNEL_KEPT_S = 60.0  # listing channels by name is what Slack grants least of

# Slack's own trouble, by its own words: the same call may pass a moment later.
_TRANSIENT = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)

Block = Mapping[str, Any]
WebClient = AsyncWebClient


class SlackError(Exception):
    """A call to Slack did not do what it should."""


class SlackUnreachable(SlackError):
    """No answer, or none that says whether it was done."""


class SlackRateLimited(SlackError):
    """Too many calls of this kind."""

    def __init__(self, method: str, retry_after: float, lane: str = "") -> None:
        self.retry_after = retry_after  # seconds
        self.lane = lane or method  # what it would have to wait for with others
        super().__init__(f"{method}: rate limited for {retry_after:g} s")


class SlackRefused(SlackError):
    """Slack said no."""

    def __init__(self, method: str, code: str, details: Sequence[str] = ()) -> None:
        self.code = code
        said = f"{method}: {code}"
        super().__init__(f"{said} ({'; '.join(details)})" if details else said)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the bot is installed. `realm` is the enterprise if there is one, else the team."""

    realm: str
    team_id: str
    team: str
    bot_id: str
    bot_user_id: str


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message went."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Account:
    """What Slack says about a user. `team_id` is the enterprise of an account on a Grid."""

    team_id: str
    name: str
    email: str | None
    is_bot: bool
    is_deleted: bool
    is_guest: bool
    is_stranger: bool
    zone: str | None = None  # an IANA name, as the person has set it


@dataclass(frozen=True, slots=True)
class Channel:
    """What Slack says about a channel."""

    id: str
    is_externally_shared: bool
    is_archived: bool = False
    has_us: bool = True  # whether the bot is in it


@dataclass(slots=True)
class _Reach:
    """Whether Slack answers."""

    is_down: bool = False
    outages: int = 0

    def answered(self) -> None:
        self.outages += self.is_down
        self.is_down = False


class Slack:
    """The calls we make.

    They are made for people who wait. `giving_way` is the same Slack for work that can wait:
    it leaves them a part of every budget.
    """

    def __init__(self, web: AsyncWebClient, budgets: Budgets | None = None) -> None:
        self.web = web
        self.budgets = budgets or Budgets(time.monotonic)
        self.draw = self.budgets.spend  # takes from which share of the budgets
        self._direct: dict[str, str] = {}  # D-ids by user: they never change
        self._channels: dict[str, tuple[float, asyncio.Task[Channel | None]]] = {}
        self._reach = _Reach()  # shared with those who give way

    @property
    def outages(self) -> int:
        """How often Slack answered again after it had not."""
        return self._reach.outages

    def giving_way(self) -> "Slack":
        """The same Slack, for work that can wait."""
        other = copy.copy(self)
        other.draw = self.budgets.ask
        return other

    async def installation(self) -> Installation:
        """Who we are: `auth.test`."""
        answer = await self._call("auth.test")
        return Installation(
            realm=answer.get("enterprise_id") or answer["team_id"],
            team_id=answer["team_id"],
            team=answer.get("team", ""),
            bot_id=answer.get("bot_id", ""),
            bot_user_id=answer["user_id"],
        )

    async def check_app_token(self, app_token: str) -> bool:
        """True when Slack takes this token for Socket Mode; the URL it gives goes unused."""
        await self.socket_url(app_token)
        return True

    async def socket_url(self, app_token: str) -> str:
        """Where to open a Socket Mode connection, once."""
        asked = self.web.apps_connections_open(app_token=app_token)
        return str((await _answered("apps.connections.open", asked))["url"])

    async def post(
        self,
        channel: str,
        text: str,
        blocks: Sequence[Block],
        *,
        thread: str | None = None,
        broadcast: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> Posted:
        """Post a message; in a thread, `broadcast` shows it in the channel too."""
        optional: dict[str, Any] = {
            "thread_ts": thread,
            "reply_broadcast": True if thread and broadcast else None,
            "metadata": metadata,
        }
        answer = await self._call(
            "chat.postMessage",
            channel=channel,
            text=text,
            blocks=list(blocks),
            unfurl_links=False,
            unfurl_media=False,
            **{key: value for key, value in optional.items() if value is not None},
        )
        return Posted(answer["channel"], answer["ts"])

    async def update(self, channel: str, ts: str, text: str, blocks: Sequence[Block]) -> None:
        """Redraw a message."""
        await self._call("chat.update", channel=channel, ts=ts, text=text, blocks=list(blocks))

    async def permalink(self, channel: str, ts: str) -> str:
        """Where a message is to be read. Refused with `message_not_found` when it is not there.

        The one way to look whether a message stands that needs no right to read messages.
        """
        answer = await self._call("chat.getPermalink", channel=channel, message_ts=ts)
        return str(answer["permalink"])

    async def whisper(
        self, channel: str, user: str, text: str, blocks: Sequence[Block] = ()
    ) -> None:
        """Tell one person in a channel. Slack does not promise delivery."""
        await self._call(
            "chat.postEphemeral", channel=channel, user=user, text=text, blocks=list(blocks)
        )

    async def replace(self, response_url: str, text: str, blocks: Sequence[Block]) -> None:
        """Replace the message a button stands in, an ephemeral one too: five times in 30 min."""
        body = {"replace_original": True, "text": text, "blocks": list(blocks)}
        await self._send(response_url, body)

    async def answer(self, response_url: str, text: str, blocks: Sequence[Block]) -> None:
        """Answer a command privately after its ack: five times in 30 min."""
        body = {"response_type": "ephemeral", "text": text, "blocks": list(blocks)}
        await self._send(response_url, body)

    async def _send(self, response_url: str, body: Mapping[str, Any]) -> None:
        session = self.web.session
        if session is None:
            raise AssertionError("the client was made without a session")
        try:
            async with session.post(response_url, json=body) as answer:
                if answer.status >= 400:  # noqa: PLR2004 (HTTP's own number)
                    raise SlackRefused("response_url", f"HTTP {answer.status}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise SlackUnreachable(f"response_url: {type(error).__name__}") from error

    async def direct(self, user: str) -> str:
        """The conversation in which we write to one person, opened where there is none."""
        known = self._direct.get(user)
        if known is None:
            answer = await self._call("conversations.open", users=user)
            known = self._direct[user] = str(answer["channel"]["id"])
        return known

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a modal; returns its id. A trigger lives three seconds."""
        answer = await self._call("views.open", trigger_id=trigger_id, view=view)
        return str(answer["view"]["id"])

    async def push_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Put a modal on top of the one that is open; returns its id."""
        answer = await self._call("views.push", trigger_id=trigger_id, view=view)
        return str(answer["view"]["id"])

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Redraw a modal."""
        await self._call("views.update", view_id=view_id, view=view)

    async def publish(self, user: str, view: Mapping[str, Any]) -> None:
        """Draw somebody's Home tab."""
        await self._call("views.publish", user_id=user, view=view)

    async def account(self, user: str) -> Account:
        """What Slack says about a user."""
        found = (await self._call("users.info", user=user))["user"]
        profile = found.get("profile") or {}
        return Account(
            team_id=found.get("enterprise_user", {}).get("enterprise_id") or found["team_id"],
            name=profile.get("display_name") or profile.get("real_name") or found["name"],
            email=profile.get("email"),
            is_bot=bool(found.get("is_bot")),
            is_deleted=bool(found.get("deleted")),
            is_guest=bool(found.get("is_restricted") or found.get("is_ultra_restricted")),
            is_stranger=bool(found.get("is_stranger")),
            zone=found.get("tz"),
        )

    async def user_with_email(self, email: str) -> str | None:
        """The id of the active account with this address; None when there is none."""
        try:
            return str((await self._call("users.lookupByEmail", email=email))["user"]["id"])
        except SlackRefused as error:
            if error.code == "users_not_found":
                return None
            raise

    async def user_named(self, name: str) -> str | None:
        """The id of the active account with this user name; None when there is none."""
        async for page in self._pages("users.list", limit=200):
            for found in page["members"]:
                if found["name"] == name and not found.get("deleted"):
                    return str(found["id"])
        return None

    async def group_members(self, group: str) -> frozenset[str]:
        """The user ids of a user group; empty when there is no such group."""
        try:
            answer = await self._call("usergroups.users.list", usergroup=group)
        except SlackRefused as error:
            if error.code == "no_such_subteam":
                return frozenset()
            raise
        return frozenset(answer["users"])

    async def channel(self, wanted: str) -> Channel | None:
        """A channel by id or `#name`, at most a minute old; None when we cannot see it."""
        until, asked = self._channels.get(wanted, (0.0, None))
        if asked is None or time.monotonic() >= until or _told_nothing(asked):
            # Asked once for all cards that go there now.
            asked = asyncio.create_task(self._look_up_channel(wanted))
            self._channels[wanted] = (time.monotonic() + _CHANNEL_KEPT_S, asked)
        return await asyncio.shield(asked)

    def forget_channels(self) -> None:
        """Slack said that channels have changed."""
        self._channels.clear()

    async def _look_up_channel(self, wanted: str) -> Channel | None:
        if wanted.startswith("#"):
            return await self._channel_named(wanted.removeprefix("#"))
        try:
            answer = await self._call("conversations.info", channel=wanted)
        except SlackRefused as error:
            if error.code == "channel_not_found":
                return None
            raise
        return _channel(answer["channel"])

    async def _channel_named(self, name: str) -> Channel | None:
        kinds = "public_channel,private_channel"
        async for page in self._pages("conversations.list", types=kinds, limit=1000):
            for found in page["channels"]:
                if found["name"] == name:
                    return _channel(found)
        return None

    async def _pages(self, method: str, **arguments: Any) -> AsyncIterator[Any]:
        """Every page of a listing."""
        cursor = ""
        while True:
            answer = await self._call(method, cursor=cursor, **arguments)
            yield answer
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    async def _call(self, method: str, **arguments: Any) -> Any:
        # Whoever goes on asking before the time Slack named is made to wait longer.
        channel = str(arguments.get("channel", ""))
        left = self.draw(method, channel)
        if left > 0:
            raise SlackRateLimited(method, left, lane_of(method, channel))
        try:
            # Slack's reading methods take form fields only.
            if method.startswith(("chat.post", "chat.update", "views.")):
                answer = await _answered(method, self.web.api_call(method, json=arguments))
            else:
                answer = await _answered(method, self.web.api_call(method, data=arguments))
        except SlackRateLimited as error:
            self.budgets.turned_away(method, channel, error.retry_after)
            raise SlackRateLimited(method, error.retry_after, lane_of(method, channel)) from error
        except SlackUnreachable:
            self._reach.is_down = True
            raise
        self._reach.answered()
        return answer


def _told_nothing(asked: "asyncio.Task[Channel | None]") -> bool:
    """Whether to ask again: a channel we cannot see may be made, or we invited, any moment."""
    if not asked.done():
        return False
    return asked.cancelled() or asked.exception() is not None or asked.result() is None


async def _answered(method: str, call: Awaitable[AsyncSlackResponse]) -> Any:
    try:
        return await call
    except SlackApiError as error:
        raise _mapped(method, error) from error
    except (TimeoutError, aiohttp.ClientError, SlackClientError, OSError) as error:
        raise SlackUnreachable(f"{method}: {type(error).__name__}") from error


def _mapped(method: str, error: SlackApiError) -> SlackError:
    response = error.response
    status = getattr(response, "status_code", None)
    data = getattr(response, "data", response)
    code = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    if status == 429 or code == "ratelimited":  # noqa: PLR2004 (HTTP's own number)
        return SlackRateLimited(method, _retry_after(response))
    if code in _TRANSIENT or not code:
        return SlackUnreachable(f"{method}: HTTP {status} {code}".rstrip())
    details = (data.get("response_metadata") or {}).get("messages") or []
    return SlackRefused(method, code, [str(detail) for detail in details[:3]])


def _retry_after(response: Any) -> float:
    headers = {str(k).lower(): v for k, v in (getattr(response, "headers", None) or {}).items()}
    value = headers.get("retry-after", 1)
    value = value[0] if isinstance(value, list) else value
    try:
        return max(float(value), 0.1)
    except ValueError:
        return 1.0


def _channel(found: Mapping[str, Any]) -> Channel:
    return Channel(
        id=found["id"],
        is_externally_shared=bool(found.get("is_ext_shared") or found.get("is_pending_ext_shared")),
        is_archived=bool(found.get("is_archived")),
        has_us=bool(found.get("is_member", True)),
    )


@asynccontextmanager
async def connected(
    api_url: str, bot_token: str, budgets: Budgets | None = None
) -> AsyncIterator[Slack]:
    """A client on one shared session; the time limit is set on both, as the SDK needs it."""
    timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        web = AsyncWebClient(
            token=bot_token,
            base_url=api_url,
            timeout=CALL_TIMEOUT_S,
            session=session,
            retry_handlers=[],
        )
        yield Slack(web, budgets)
