"""The Home tab, and the global shortcut "My approvals"."""

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import home, home_words, modals, notices
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.home_payloads import parse_home_turn, parse_opened, parse_shortcut
from bot.homes import Homes, look
from bot.listeners.tampered import tampered_view
from bot.payloads import Malformed, Who
from bot.slack import SlackError
from bot.tokens import HOME_BACK, HOME_NEXT, HOME_REFRESH, MY_APPROVALS, HomeState

log = logging.getLogger(__name__)

Body = dict[str, Any]


def register(app: AsyncApp, desk: Desk, homes: Homes) -> None:
    """Tie opening, turning pages and the shortcut to what they do."""

    async def opened(event: dict[str, Any]) -> None:
        seen = parse_opened(event, desk.home.realm)
        if not isinstance(seen, Malformed) and seen.is_home:
            desk.follow_ups.start(homes.show(seen.who, HomeState()))

    async def turn(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(turn_page(desk, homes, body))

    async def picked(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(open_mine(desk, body))

    app.event("app_home_opened")(opened)
    for action_id in (HOME_NEXT, HOME_BACK, HOME_REFRESH):
        app.action(action_id)(turn)
    app.shortcut(MY_APPROVALS)(picked)


async def turn_page(desk: Desk, homes: Homes, body: Body) -> None:
    """Another page, or the same anew, where the button stands."""
    turned = parse_home_turn(body)
    if isinstance(turned, Malformed):
        view = await tampered_view(desk, body, turned)
        if isinstance(trigger_id := body.get("trigger_id"), str):
            await desk.slack.open_view(trigger_id, view)
    elif turned.is_in_modal:
        await desk.slack.update_view(turned.view_id, await _mine(desk, turned.who, turned.state))
    else:
        await homes.show(turned.who, turned.state)


async def open_mine(desk: Desk, body: Body) -> None:
    """A modal at once, as its trigger lives three seconds; then what waits for whoever asked."""
    picked = parse_shortcut(body)
    if isinstance(picked, Malformed):
        log.warning("a shortcut was malformed: %s", picked.why)
        return
    try:
        view_id = await desk.slack.open_view(picked.trigger_id, home.loading())
    except SlackError as error:  # a shortcut has no channel to say so in
        log.warning("a modal could not be opened: %s", error)
        return
    await desk.slack.update_view(view_id, await _mine(desk, picked.who, HomeState()))


async def _mine(desk: Desk, who: Who, state: HomeState) -> dict[str, Any]:
    """What waits for somebody; the modal must not go on loading when something broke."""
    try:
        found = await look(desk, who, state)
    except Exception:
        ref = reference()
        log.exception("what waits could not be listed (reference %s)", ref)
        return modals.error_view(notices.not_recorded(ref))
    if isinstance(found, LookUpFailed):
        return modals.refusal_view(notices.look_up_failed(), home_words.TITLE)
    _, seen = found
    return home.mine_modal(seen, state)
