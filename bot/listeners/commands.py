"""`/checkpoints`: always a private answer, in the ack when it is quick enough."""

import logging
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import lists, notices
from bot.cards import Message
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.listeners.answering import answer_in_time
from bot.listeners.oneself import doctor, whoami
from bot.listeners.pages import typed_reply
from bot.listeners.reviewing import open_review
from bot.notices import COMMAND
from bot.payloads import Command, Malformed, Who, parse_command
from bot.typed import (
    Doctor,
    Help,
    Listing,
    Looking,
    NotUnderstood,
    Request,
    Review,
    Show,
    WhoAmI,
)
from engine import checkpoint_view, note_unseen, roles

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the command to its replies."""

    async def typed(ack: AsyncAck, body: dict[str, Any]) -> None:
        command = parse_command(body)
        if isinstance(command, Command) and isinstance(command.request, Review):
            await ack()
            desk.follow_ups.start(open_review(desk, command, command.request))
            return
        response_url = command.response_url if isinstance(command, Command) else ""
        meanwhile = lists.notice(notices.looking())
        await answer_in_time(desk, ack, reply(desk, command), meanwhile, response_url)

    app.command(COMMAND)(typed)


async def reply(desk: Desk, command: Command[Request] | Malformed) -> Message:
    """What a command answers."""
    if isinstance(command, Malformed):
        log.warning("a slash command was malformed: %s", command.why)
        return lists.notice(notices.unknown_button())
    match command.request:
        case Listing(state=wanted) | (Looking() as wanted):
            return await typed_reply(desk, command.who, wanted)
        case Show(checkpoint_id):
            return await _show(desk, command.who, checkpoint_id)
        case WhoAmI() | Doctor() as asked:
            return await _of_oneself(desk, command.who, asked)
        case Help():
            return lists.usage(command.command)
        case NotUnderstood() as misread:
            return lists.notice(notices.not_understood(misread, command.command))
        case _:
            raise AssertionError("a form is opened, not answered")


async def _of_oneself(desk: Desk, who: Who, asked: WhoAmI | Doctor) -> Message:
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    return await (whoami if isinstance(asked, WhoAmI) else doctor)(desk, caller)


async def _show(desk: Desk, who: Who, checkpoint_id: str) -> Message:
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    view = await desk.store.read(partial(checkpoint_view, checkpoint_id=checkpoint_id))
    held = await desk.store.read(partial(roles, caller=caller))
    # One answer for "does not exist" and "not for you": ids tell nothing to outsiders.
    if view is None or view.checkpoint.tenant not in held:
        await desk.store.write(partial(note_unseen, checkpoint_id=checkpoint_id, caller=caller))
        return lists.notice(notices.unknown_id(checkpoint_id))
    return lists.show(view)
