"""Asking Slack whether a token works. Only for `signoff doctor`: the bot has its own client."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

_TIMEOUT_S = 3
_MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class SlackSays:
    """Who the token is, or what is wrong with it."""

    who: str = ""
    missing_scopes: tuple[str, ...] = ()
    error: str = ""
    advice: str = ""
    at: datetime | None = None  # Slack's own time, when it answered


def ask_slack(api_url: str, token: str, needed: frozenset[str]) -> SlackSays:
    """Call `auth.test`, and see which of the needed scopes it lacks; waits 3 seconds at most."""
    request = urllib.request.Request(  # noqa: S310 (the settings accept http and https only)
        f"{api_url}auth.test",
        data=b"",
        headers={"Authorization": f"Bearer {token}"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            return _understand(json.loads(reply.read(_MOST_BYTES)), reply.headers, needed)
    except urllib.error.HTTPError as error:
        return _unreachable(api_url, f"HTTP {error.code}")
    except urllib.error.URLError as error:
        return _unreachable(api_url, str(error.reason))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _unreachable(api_url, str(error) or type(error).__name__)


def _unreachable(api_url: str, why: str) -> SlackSays:
    return SlackSays(
        error=f"{api_url} cannot be asked ({why})",
        advice="check the network, a proxy (HTTPS_PROXY) and SLACK_API_URL",
    )


def _understand(answer: Any, headers: Mapping[str, str], needed: frozenset[str]) -> SlackSays:
    if not isinstance(answer, dict) or not answer.get("ok"):
        code = answer.get("error") if isinstance(answer, dict) else "an unreadable answer"
        advice = "copy the Bot User OAuth Token of your app again (OAuth & Permissions)"
        return SlackSays(error=f"Slack refuses it: {code}", advice=advice)
    granted = {scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",")} - {""}
    missing = tuple(sorted(needed - granted)) if granted else ()
    who = f"{answer.get('user')} in {answer.get('team')}"
    return SlackSays(who, missing, at=_moment(headers.get("date", "")))


def _moment(date: str) -> datetime | None:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None
