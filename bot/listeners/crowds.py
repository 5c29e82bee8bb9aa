"""The button of a roll-up that shows everybody what waits for them."""

from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk
from bot.listeners.pages import page_reply
from bot.listeners.tampered import tampered_view
from bot.payloads import Malformed, parse_page_turn
from bot.tokens import SHOW_MINE

Body = dict[str, Any]


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the button to the list."""

    async def show(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(show_list(desk, body))

    app.action(SHOW_MINE)(show)


async def show_list(desk: Desk, body: Body) -> None:
    """A list for whoever clicked alone, beside the message that the button stands in."""
    asked = parse_page_turn(body)
    if isinstance(asked, Malformed):
        await desk.slack.open_view(
            str(body.get("trigger_id")), await tampered_view(desk, body, asked)
        )
        return
    message = await page_reply(desk, asked.who, asked.state)
    await desk.slack.answer(asked.response_url, message.text, message.blocks)
