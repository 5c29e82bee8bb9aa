"""What runs out: trigger ids (seconds, one use) and response URLs (five uses in half an hour)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.sandbox.values import SlackError

RESPONSE_USES = 5
RESPONSE_LIFE_S = 30 * 60


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Leave to open one view for a person; `from_view` says that they acted in a modal."""

    user: str
    expires_at: float
    from_view: bool = False
    used: bool = False


@dataclass(frozen=True, kw_only=True)
class ResponseUrl:
    """Leave to answer one click or command; `original_ts` is the clicked message's."""

    user: str
    channel: str
    original_ts: str | None
    thread_ts: str | None
    expires_at: float
    uses_left: int = RESPONSE_USES


class Tickets:
    """Hands out trigger ids and response URLs, and takes them back once."""

    def __init__(self, now: Callable[[], float], trigger_ttl: float) -> None:
        self._now = now
        self._trigger_ttl = trigger_ttl
        self._triggers: dict[str, Trigger] = {}
        self._responses: dict[str, ResponseUrl] = {}

    def trigger(self, user: str, *, from_view: bool = False, expired: bool = False) -> str:
        """Return a new trigger id for what a person just did."""
        trigger_id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}."
        trigger_id += secrets.token_hex(16)
        expires_at = self._now() + (-1 if expired else self._trigger_ttl)
        self._triggers[trigger_id] = Trigger(user=user, expires_at=expires_at, from_view=from_view)
        return trigger_id

    def exchange(self, trigger_id: object) -> Trigger:
        """Use up a trigger id; raises the SlackError a bad, late or used one earns."""
        trigger = self._triggers.get(str(trigger_id))
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._now() >= trigger.expires_at:
            raise SlackError("expired_trigger_id")
        self._triggers[str(trigger_id)] = replace(trigger, used=True)
        return trigger

    def response_url(
        self, user: str, channel: str, original_ts: str | None, thread_ts: str | None = None
    ) -> str:
        """Return the token of a new response URL."""
        token = f"{secrets.randbelow(10**12)}-{secrets.token_urlsafe(16)}"
        self._responses[token] = ResponseUrl(
            user=user,
            channel=channel,
            original_ts=original_ts,
            thread_ts=thread_ts,
            expires_at=self._now() + RESPONSE_LIFE_S,
        )
        return token

    def answer(self, token: str) -> ResponseUrl:
        """Use a response URL once; raises the SlackError an unknown, late or spent one earns."""
        response = self._responses.get(token)
        if response is None or self._now() >= response.expires_at:
            raise SlackError("expired_url")
        if response.uses_left <= 0:
            raise SlackError("used_url")
        self._responses[token] = replace(response, uses_left=response.uses_left - 1)
        return response
