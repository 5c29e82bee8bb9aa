"""`/checkpoints`: always an ephemeral reply, in the ack itself."""

import logging
from functools import partial
from typing import Any, assert_never

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import lists, notices
from bot.cards import Message
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.listeners.pages import list_reply
from bot.notices import COMMAND
from bot.payloads import Command, Malformed, Who, parse_command
from bot.people_notices import person_lines
from bot.typed import Help, Listing, NotUnderstood, Request, Show, WhoAmI
from engine import checkpoint_view, file_of, note_unseen, roles

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the command to its replies."""

    async def typed(ack: AsyncAck, body: dict[str, Any]) -> None:
        message = await _guarded(desk, body)
        await ack(text=message.text, blocks=list(message.blocks), response_type="ephemeral")

    app.command(COMMAND)(typed)


async def _guarded(desk: Desk, body: dict[str, Any]) -> Message:
    try:
        return await reply(desk, parse_command(body))
    except Exception:
        ref = reference()
        log.exception("a command failed (reference %s)", ref)
        return lists.notice(notices.not_recorded(ref))


async def reply(desk: Desk, command: Command[Request] | Malformed) -> Message:
    """What a command answers."""
    if isinstance(command, Malformed):
        log.warning("a slash command was malformed: %s", command.why)
        return lists.notice(notices.unknown_button())
    match command.request:
        case Listing(state):
            return await list_reply(desk, command.who, state)
        case Show(checkpoint_id):
            return await _show(desk, command.who, checkpoint_id)
        case WhoAmI():
            return await _whoami(desk, command.who)
        case Help():
            return lists.usage(command.command)
        case NotUnderstood() as misread:
            return lists.notice(notices.not_understood(misread, command.command))
        case _:
            assert_never(command.request)


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


async def _whoami(desk: Desk, who: Who) -> Message:
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    held = await desk.store.read(partial(roles, caller=caller))
    filed = await desk.store.read(partial(file_of, account=caller.identity))
    return lists.whoami(caller, held, person_lines(filed))
