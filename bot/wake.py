"""`POST /wake/NAME`: somebody says that something waits at a backend, and it is read at once.

It carries no news, so nothing in it has to be believed, and whoever calls can only have us read.
"""

import hmac
import logging
from collections.abc import Mapping
from typing import Protocol

from aiohttp import web
from pydantic import SecretStr

log = logging.getLogger(__name__)

BODY_LIMIT = 64 * 1024  # bytes


class Wakeable(Protocol):
    """What can be told to look now."""

    def wake(self) -> None:
        """Look now."""
        ...


class WakeUps:
    """Takes wake-up calls from whoever has the token."""

    def __init__(self, token: SecretStr, watches: Mapping[str, Wakeable]) -> None:
        """`watches` is who is woken, by the name of the backend."""
        self._expected = b"Bearer " + token.get_secret_value().encode()
        self._watches = watches

    def routes(self) -> list[web.RouteDef]:
        """What to serve."""
        return [web.post("/wake/{name}", self._wake)]

    async def _wake(self, request: web.Request) -> web.Response:
        if not self._is_trusted(request):
            log.warning("refused a wake-up call without the right token")
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        watch = self._watches.get(request.match_info["name"])
        if watch is None:
            return web.Response(status=404)
        if await _is_too_large(request):
            return web.Response(status=413)
        watch.wake()
        return web.Response(status=202)

    def _is_trusted(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(self._expected, given.encode("utf-8", "surrogateescape"))


async def _is_too_large(request: web.Request) -> bool:
    """Whether the body is over the limit; of one that does not say, no more than that is read."""
    if (request.content_length or 0) > BODY_LIMIT:
        return True
    read = 0
    while read <= BODY_LIMIT:
        chunk = await request.content.read(BODY_LIMIT + 1 - read)
        if not chunk:
            return False
        read += len(chunk)
    return True
