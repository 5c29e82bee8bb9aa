"""JSON in and out of the sandbox's own routes."""

import contextlib

from aiohttp import web

from bot.sandbox.values import Json


async def json_body(request: web.Request) -> Json:
    """Return the JSON object a request carries; anything else ends it with 400."""
    # Only JSON: a page elsewhere cannot send it here without being asked first (CORS).
    document = None
    if request.content_type == "application/json":
        with contextlib.suppress(ValueError):
            document = await request.json()
    if not isinstance(document, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return document


def bad(problem: str) -> web.Response:
    """Return the answer to a request that asks the impossible."""
    return web.json_response({"ok": False, "error": problem}, status=400)
