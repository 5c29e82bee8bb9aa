"""Answers to slash commands: in the ack where they are quick enough, else once they are there."""

import asyncio
import logging
from collections.abc import Awaitable

from slack_bolt.context.ack.async_ack import AsyncAck

from bot import lists, notices
from bot.cards import Message
from bot.desk import Desk, reference

log = logging.getLogger(__name__)

_QUICK_S = 1.5  # Slack gives up on a command after three seconds


async def answer_in_time(
    desk: Desk, ack: AsyncAck, reply: Awaitable[Message], meanwhile: Message, response_url: str
) -> None:
    """Answer with the reply, or with `meanwhile` and the reply later. An empty url: never later."""
    answering = asyncio.ensure_future(_guarded(reply))
    await asyncio.wait({answering}, timeout=_QUICK_S)
    message = answering.result() if answering.done() else meanwhile
    if not answering.done():
        desk.follow_ups.start(_later(desk, answering, response_url))
    await ack(text=message.text, blocks=list(message.blocks), response_type="ephemeral")


async def _later(desk: Desk, answering: "asyncio.Future[Message]", response_url: str) -> None:
    message = await answering
    if response_url:
        await desk.slack.answer(response_url, message.text, message.blocks)


async def _guarded(reply: Awaitable[Message]) -> Message:
    try:
        return await reply
    except Exception:
        ref = reference()
        log.exception("a command failed (reference %s)", ref)
        return lists.notice(notices.not_recorded(ref))
