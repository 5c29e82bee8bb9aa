"""The form in which somebody says what they want to be told, from wherever it is opened."""

import logging
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import modals, notices, notification_forms
from bot.cards import Message
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.listeners.submissions import Reply, guarded, show
from bot.payloads import Malformed, Who, parse_who
from bot.read_json import MisreadError, part, text
from bot.slack import SlackError
from bot.tokens import NOTIFICATIONS, NOTIFICATIONS_FORM
from engine import Identity, preferences_of, set_preferences

log = logging.getLogger(__name__)

Body = dict[str, Any]


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the button and the form."""

    async def pressed(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(open_form(desk, body))

    async def submitted(ack: AsyncAck, body: Body) -> None:
        await ack(**await guarded(desk, body, save))

    app.action(NOTIFICATIONS)(pressed)
    app.view(NOTIFICATIONS_FORM)(submitted)


async def answer(desk: Desk, account: Identity) -> Message:
    """How it stands, with the button to change it."""
    wanted = await desk.store.read(partial(preferences_of, account=account))
    return notification_forms.answer(wanted, desk.store.clock.now())


async def open_form(desk: Desk, body: Body) -> None:
    """Open the form at once: what it shows is on record here, and asks Slack nothing."""
    who = parse_who(body)
    if isinstance(who, Malformed):
        log.warning("a click was malformed: %s", who.why)
        return
    wanted = await desk.store.read(partial(preferences_of, account=who.identity))
    form = notification_forms.form(wanted, desk.store.clock.now())
    try:
        trigger = text(body, "trigger_id")
        is_in_modal = part(body, "view", "type") == "modal"
        await (desk.slack.push_view if is_in_modal else desk.slack.open_view)(trigger, form)
    except (MisreadError, SlackError) as error:
        log.warning("the form for notifications could not be opened: %s", error)


async def save(desk: Desk, body: Body) -> Reply:
    """Keep what was chosen, and show it."""
    who = parse_who(body)
    try:
        chosen = notification_forms.read_form(body)
    except MisreadError as misread:
        log.warning("a form was malformed: %s", misread)
        return show(modals.error_view(notices.unknown_button()))
    if isinstance(who, Malformed):
        log.warning("a form was malformed: %s", who.why)
        return show(modals.error_view(notices.unknown_button()))
    return await _keep(desk, who, chosen)


async def _keep(desk: Desk, who: Who, chosen: notification_forms.Chosen) -> Reply:
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return show(modals.refusal_view(notices.look_up_failed()))
    zone = await desk.directory.zone(who.user_id)
    now = desk.store.clock.now()
    before = await desk.store.read(partial(preferences_of, account=who.identity))
    wanted = chosen.applied(before, now, zone)
    await desk.store.write(partial(set_preferences, caller=caller, wanted=wanted))
    return show(notification_forms.saved(wanted, now))
