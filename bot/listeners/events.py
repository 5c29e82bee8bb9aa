"""What Slack tells unasked: our own posts coming back, and people who change."""

from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot.desk import Desk
from bot.payloads import Malformed
from bot.slack_events import parse_own_post
from engine import adopt


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie events to what they mean for us."""

    async def posted(event: dict[str, Any]) -> None:
        post = parse_own_post(event, desk.home.bot_id)
        if isinstance(post, Malformed):
            return  # somebody else's message with metadata of the same name
        await desk.store.write(
            partial(
                adopt,
                checkpoint_id=post.checkpoint_id,
                surface="slack",
                place=post.channel,
                handle=post.message_ts,
            )
        )

    async def user_changed(event: dict[str, Any]) -> None:
        user = event.get("user")
        if isinstance(user, dict):
            desk.directory.forget_user(str(user.get("id")))

    async def group_changed(event: dict[str, Any]) -> None:
        desk.directory.forget_group(str(event.get("subteam_id")))

    app.event("message_metadata_posted")(posted)
    app.event("user_change")(user_changed)
    app.event("subteam_members_changed")(group_changed)
