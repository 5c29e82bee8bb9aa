"""The button of `signoff doctor --live`: whoever hears the click writes it down.

Slack sends a click to any open connection, the doctor's or the bot's. The record is where
they meet, so it does not matter which.
"""

import logging
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.payloads import Malformed, parse_live_check
from bot.tokens import LIVE_CHECK
from engine import note_surface_check

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the button to the note."""

    async def pressed(ack: AsyncAck, body: dict[str, Any]) -> None:
        check = parse_live_check(body)
        if isinstance(check, Malformed):
            log.warning("the click of a test was malformed: %s", check.why)
        else:
            caller = await desk.caller(check.who)
            if isinstance(caller, LookUpFailed):
                caller = desk.unverified(check.who)
            noted = partial(note_surface_check, reference=check.reference, caller=caller)
            await desk.store.write(noted)
        await ack()

    app.action(LIVE_CHECK)(pressed)
