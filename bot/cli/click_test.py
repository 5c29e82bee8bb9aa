"""`signoff doctor --live`: post a button, and wait for the click to reach the record.

The click may arrive at a bot that runs already, or at a connection of our own. Ours hears
everything else, too, and records it as the bot would: trying this loses nobody's click.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

from bot import listeners, live_check_words
from bot.cli.findings import Check, Status
from bot.config import Settings
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.homes import Homes
from bot.slack import Posted, Slack, SlackError, SlackRefused, connected
from bot.sockets import Sockets
from bot.transport import bolt_app, quiet_libraries, socket_handler
from engine import Store, SurfaceCheck, last_row, roles, surface_check

_ADVICE = {
    "not_in_channel": "type /invite @Signoff in the channel",
    "is_archived": "unarchive the channel, or choose another",
    "missing_scope": "compare the app with `signoff manifest`, and install it again",
}
_NO_CLICK = (
    "press the button in time; then look at the app: Interactivity must be on, and either Socket "
    "Mode on or the Request URL that of `signoff serve --http`; docs/how-to/slack-app.md says more"
)


async def click_test(
    settings: Settings, store: Store, channel: str | None, wait_s: float
) -> AsyncIterator[Check]:
    """Each step once it is done; a step that fails is the last. Waits `wait_s` for the click."""
    quiet_libraries()
    token = "" if settings.bot_token is None else settings.bot_token.get_secret_value()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(connected(settings.slack_api_url, token))
        try:
            desk = Desk.at(store, slack, await slack.installation(), settings)
            yield await _way_in(stack, desk)
            place = await _channel(slack, channel or settings.channel)
            if isinstance(place, Check):
                yield place
                return
            async for step in _post_and_wait(desk, place, wait_s):
                yield step
        except SlackError as error:
            yield _failed(error)


async def _way_in(stack: AsyncExitStack, desk: Desk) -> Check:
    """How a click gets here. Raises `SlackError`."""
    token = desk.settings.app_token
    if token is None:
        found = "HTTP: the click must reach a bot that runs (`signoff serve --http`)"
        return Check("way in", Status.OK, found)
    await desk.slack.check_app_token(token.get_secret_value())
    app = bolt_app(desk.slack.web, desk.home)
    listeners.register(app, desk, Homes(desk))
    sockets = Sockets(partial(desk.slack.socket_url, token.get_secret_value()), count=1)
    await stack.enter_async_context(sockets.held(socket_handler(app)))
    return Check("way in", Status.OK, "Socket Mode: a connection is open")


async def _channel(slack: Slack, wanted: str | None) -> str | Check:
    """The id of the channel to post to."""
    if wanted is None:
        return Check(
            "channel", Status.FAIL, "none is configured", "name one: --channel '#approvals'"
        )
    found = await slack.channel(wanted)
    if found is None:
        why = f"{wanted} does not exist, or the bot was not invited to it"
        return Check("channel", Status.FAIL, why, _ADVICE["not_in_channel"])
    return found.id


async def _post_and_wait(desk: Desk, channel: str, wait_s: float) -> AsyncIterator[Check]:
    reference = secrets.token_hex(8)
    after = await desk.store.read(last_row)
    question = live_check_words.asking(reference)
    posted = await desk.slack.post(channel, question.text, question.blocks)
    yield Check("posted", Status.OK, f"press the button in {channel}, within {wait_s:.0f} s")
    asked = desk.store.clock.monotonic()
    clicked = await _await_click(desk.store, reference, after, wait_s)
    if clicked is None:
        await _redraw(desk.slack, posted, None)
        yield Check("click", Status.FAIL, f"none arrived in {wait_s:.0f} s", _NO_CLICK)
        return
    took = desk.store.clock.monotonic() - asked
    yield Check("click", Status.OK, f"{await _who(desk, clicked)}, after {took:.1f} s")
    await _redraw(desk.slack, posted, clicked)
    yield Check("redrawn", Status.OK, "the message says that the click arrived")


async def _await_click(
    store: Store, reference: str, after: int, wait_s: float
) -> SurfaceCheck | None:
    look = partial(surface_check, reference=reference, after=after)
    changes = store.changes()
    try:
        async with asyncio.timeout(wait_s):
            while (found := await store.read(look)) is None:
                await changes.wait(wait_s)
            return found
    except TimeoutError:
        return None
    finally:
        await changes.close()


async def _who(desk: Desk, clicked: SurfaceCheck) -> str:
    """`Ana: Admin in local-dev`; or that whoever clicked holds no role."""
    realm, subject = clicked.identity.split(":")[-2:]
    caller = await desk.directory.caller(realm, subject)
    if isinstance(caller, LookUpFailed):
        return f"{clicked.name}, whom Slack does not know ({caller.why})"
    held = await desk.store.read(partial(roles, caller=caller))
    if not held:
        return f"{clicked.name}, who holds no role and may decide nothing"
    return f"{clicked.name}: {', '.join(f'{r.role.label} in {t}' for t, r in sorted(held.items()))}"


async def _redraw(slack: Slack, posted: Posted, clicked: SurfaceCheck | None) -> None:
    said = live_check_words.given_up() if clicked is None else live_check_words.heard(clicked.name)
    await slack.update(posted.channel, posted.ts, said.text, said.blocks)


def _failed(error: SlackError) -> Check:
    code = error.code if isinstance(error, SlackRefused) else ""
    advice = _ADVICE.get(code, "`signoff doctor` without --live says whether the tokens work")
    return Check("Slack", Status.FAIL, str(error), advice)
