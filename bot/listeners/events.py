"""What Slack tells unasked: our own cards, channels that open or move, people who change."""

from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot.desk import Desk
from bot.payloads import Malformed
from bot.slack_events import (
    Changed,
    parse_changed,
    parse_deleted,
    parse_moved,
    parse_own_post,
)
from engine import adopt, move_postings, place_changed, repost

SURFACE = "slack"

# Somebody made room for a card that could not be posted, or took a card out of people's reach.
_CHANGED = (
    *("channel_unarchive", "group_unarchive", "channel_unshared"),
    *("channel_archive", "group_archive", "channel_deleted", "group_deleted"),
    *("channel_left", "group_left", "channel_rename", "group_rename"),
)


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie events to what they mean for us."""
    _hear_of_cards(app, desk)
    _hear_of_channels(app, desk)
    _hear_of_people(app, desk)


def _hear_of_cards(app: AsyncApp, desk: Desk) -> None:
    async def posted(event: dict[str, Any]) -> None:
        post = parse_own_post(event, desk.home.bot_id)
        if isinstance(post, Malformed):
            return  # somebody else's message with metadata of the same name
        await desk.store.write(
            partial(
                adopt,
                checkpoint_id=post.checkpoint_id,
                surface=SURFACE,
                place=post.channel,
                handle=post.message_ts,
            )
        )

    async def deleted(event: dict[str, Any]) -> None:
        gone = parse_deleted(event)
        if isinstance(gone, Malformed):
            return
        again = partial(repost, surface=SURFACE, place=gone.channel, handle=gone.message_ts)
        await desk.store.write(again)

    app.event("message_metadata_posted")(posted)
    app.event("message_metadata_deleted")(deleted)


def _hear_of_channels(app: AsyncApp, desk: Desk) -> None:
    async def changed(event: dict[str, Any]) -> None:
        change = parse_changed(event)
        if isinstance(change, Malformed):
            return
        desk.slack.forget_channels()
        await desk.store.write(partial(place_changed, surface=SURFACE, place=change.channel))

    async def joined(event: dict[str, Any]) -> None:
        change = parse_changed(event)
        if isinstance(change, Changed) and change.user == desk.home.bot_user_id:
            await changed(event)

    async def shared(_event: dict[str, Any]) -> None:
        desk.slack.forget_channels()

    async def moved(event: dict[str, Any]) -> None:
        change = parse_moved(event)
        if isinstance(change, Malformed):
            return
        desk.slack.forget_channels()
        move = partial(move_postings, surface=SURFACE, old=change.old, new=change.new)
        await desk.store.write(move)

    for kind in _CHANGED:
        app.event(kind)(changed)
    app.event("member_joined_channel")(joined)
    app.event("channel_shared")(shared)
    app.event("channel_id_changed")(moved)


def _hear_of_people(app: AsyncApp, desk: Desk) -> None:
    async def user_changed(event: dict[str, Any]) -> None:
        user = event.get("user")
        if isinstance(user, dict):
            desk.directory.forget_user(str(user.get("id")))

    async def members_changed(event: dict[str, Any]) -> None:
        desk.directory.forget_group(str(event.get("subteam_id")))

    async def group_changed(event: dict[str, Any]) -> None:
        group = event.get("subteam")
        if isinstance(group, dict):
            desk.directory.forget_group(str(group.get("id")))

    app.event("user_change")(user_changed)
    app.event("subteam_members_changed")(members_changed)
    app.event("subteam_updated")(group_changed)
