"""Approve, where one tap is enough. Acked means recorded, as for the form."""

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import modals, notices
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.listeners.actions import adopt_copy, ask_to_click_again, open_form
from bot.listeners.submissions import decided
from bot.listeners.tampered import tampered_view
from bot.one_tap import dialog
from bot.payloads import Click, Malformed, Submission, parse_click
from bot.slack import SlackError
from bot.tokens import APPROVE, APPROVE_AT_ONCE
from engine import (
    Choice,
    Decided,
    Missing,
    Refused,
    checkpoint_view,
)

log = logging.getLogger(__name__)

Body = dict[str, Any]
View = dict[str, Any]


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the button to the decision."""

    async def tapped(ack: AsyncAck, body: Body) -> None:
        click = parse_click(body)
        if isinstance(click, Malformed):
            await ack()
            desk.follow_ups.start(_tampered(desk, body, click))
            return
        try:
            said = await answer(desk, click)
        except Exception:
            ref = reference()
            log.exception("a decision could not be recorded (reference %s)", ref)
            said = modals.error_view(notices.not_recorded(ref))
            # Told before the ack: without a word, the tap would look like a decision.
            await _tell(desk, click, said)
            await ack()
            return
        await ack()
        desk.follow_ups.start(_afterwards(desk, click, said))

    app.action(APPROVE_AT_ONCE)(tapped)


async def answer(desk: Desk, click: Click) -> View | None:
    """Approve; what must then be read, or None: the card itself shows what was recorded."""
    named = partial(checkpoint_view, checkpoint_id=click.target.checkpoint_id)
    view = await desk.store.read(named)
    if view is not None and view.checkpoint.is_open and dialog(view.checkpoint) is None:
        return await open_form(desk, replace(click, action_id=APPROVE))
    sent = Submission(who=click.who, target=click.target, choice=Choice.APPROVE)
    outcome = await decided(desk, sent)
    if isinstance(outcome, LookUpFailed):
        return modals.refusal_view(notices.look_up_failed())
    if isinstance(outcome, Decided) and not isinstance(outcome.ruling, Refused):
        return None  # recorded: nothing may go wrong here any more
    view = await desk.store.read(named)
    match outcome:
        case Decided(ruling=Refused() as refused) if view is not None:
            return modals.refusal_of(refused, view)
        case Missing() | Decided():
            return modals.error_view(notices.unknown_id(click.target.checkpoint_id))


async def _afterwards(desk: Desk, click: Click, said: View | None) -> None:
    if said is not None:
        try:
            await _tell(desk, click, said)
        except SlackError as error:
            log.warning("a modal could not be opened: %s", error)
            await ask_to_click_again(desk, click)
    await adopt_copy(desk, click)


async def _tell(desk: Desk, click: Click, view: View) -> None:
    show = desk.slack.push_view if click.is_in_modal else desk.slack.open_view
    await show(click.trigger_id, view)


async def _tampered(desk: Desk, body: Body, malformed: Malformed) -> None:
    view = await tampered_view(desk, body, malformed)
    trigger_id = body.get("trigger_id")
    if isinstance(trigger_id, str):
        await desk.slack.open_view(trigger_id, view)
