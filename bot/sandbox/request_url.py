"""Signed HTTP requests to the app, as Slack makes them.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from time import time
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession

from bot.sandbox import seed
from bot.sandbox.values import Json

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Refused(Exception):
    """The app answered, but not with 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"http_status_{status}")


def signature(body: bytes, timestamp: str, secret: str = seed.SIGNING_SECRET) -> str:
    """Return the v0 signature of a request body."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def encoded(kind: str, payload: Mapping[str, object]) -> tuple[bytes, str]:
    """Return the body and content type of an interaction, a command or an event."""
    if kind == "events_api":
        return json.dumps(payload).encode(), JSON
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields).encode(), FORM


def _read(text: str) -> Json:
    if not text.strip():
        return {}
    try:
        document = json.loads(text)
    except ValueError:
        return {"text": text}
    return document if isinstance(document, dict) else {"text": text}


class RequestUrl:
    """The app's one request URL, or none."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self._session: ClientSession | None = None

    async def send(
        self,
        kind: str,
        payload: Mapping[str, object],
        *,
        copies: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """POST a payload and return the body of the answer; raises Refused or ClientError."""
        body, content_type = encoded(kind, payload)
        posts = [self._post(body, content_type, headers or {}) for _ in range(copies)]
        first, *_ = await asyncio.gather(*posts)
        return first

    async def verify(self) -> bool:
        """Return whether the app answers Slack's url_verification challenge."""
        challenge = secrets.token_urlsafe(16)
        payload = {
            "type": "url_verification",
            "token": seed.VERIFICATION_TOKEN,
            "challenge": challenge,
        }
        try:
            answer = await self.send("events_api", payload)
        except (Refused, ClientError, OSError):
            return False
        return challenge in (answer.get("challenge"), answer.get("text", "").strip())

    async def close(self) -> None:
        """Close the client session."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, body: bytes, content_type: str, headers: Mapping[str, str]) -> Json:
        if self._session is None:
            self._session = ClientSession(trust_env=False)
        timestamp = str(int(time()))
        signed = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(body, timestamp),
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            **headers,
        }
        async with self._session.post(self.url or "", data=body, headers=signed) as response:
            text = await response.text()
            if response.status != 200:  # noqa: PLR2004
                raise Refused(response.status)
            return _read(text)
