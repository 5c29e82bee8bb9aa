"""The only writer of cards: from a delivery to the current view to Slack.

It always draws what is true now, never what was true when the delivery was asked
for, so that duplicates, delays and reordering all end in the same card.
"""

from datetime import timedelta
from functools import partial
from typing import assert_never

from bot import cards, glass_notices, in_full, outcomes, votes
from bot.config import Settings
from bot.directory import Directory
from bot.mentions import mentioning
from bot.notes import Notes
from bot.pressing import Pressing
from bot.slack import Posted, Slack, SlackRateLimited, SlackRefused, SlackUnreachable
from bot.summons import Summons
from bot.threads import HELD_RETRY, no_thread, reply, root_of
from bot.turns import rank_of
from bot.verdicts import verdict_of
from engine import (
    CheckpointView,
    Delivered,
    Delivery,
    DeliveryKind,
    Gone,
    Impossible,
    InTurn,
    Later,
    Moot,
    Outcome,
    Posting,
    RetryLater,
    Store,
    checkpoint_view,
    lose,
    record_held,
    record_notice,
    record_posted,
    record_shown,
    tell_in_full,
    was_posted,
)

_SOON = timedelta(seconds=2)  # for a card to be posted anew, whose thread is wanted
_NEVER = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_too_long", "no_text"})


class Notifier:
    """Tells Slack."""

    def __init__(
        self, store: Store, slack: Slack, settings: Settings, directory: Directory
    ) -> None:
        self._store = store
        self._slack = slack
        self._settings = settings
        self._summons = Summons(store, directory)
        self._pressing = Pressing(store, slack, directory, settings.most_notified)
        self._notes = Notes(store, slack, directory, settings.most_notified)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Tell it; whatever Slack answers becomes an outcome."""
        view = await self._store.read(
            partial(checkpoint_view, checkpoint_id=delivery.checkpoint_id)
        )
        if view is None:
            return Impossible("its checkpoint is not in the database")
        try:
            return await self._tell(view, delivery)
        except SlackRateLimited as error:
            return InTurn(error.lane, rank_of(view, delivery.kind))
        except SlackUnreachable as error:
            return RetryLater(str(error))
        except SlackRefused as error:
            return await self._refused(view, delivery, error)

    async def _tell(  # noqa: C901, PLR0911 - one arm per kind, so that a new one fails the type check
        self, view: CheckpointView, delivery: Delivery
    ) -> Outcome:
        match delivery.kind:
            case DeliveryKind.POSTING:
                return await self._draw(view, delivery)
            case DeliveryKind.EXPIRED:
                return await reply(self._slack, view, cards.expired_notice(view), broadcast=True)
            case DeliveryKind.VOTE | DeliveryKind.IN_FULL:
                return await self._add(view, delivery)
            case DeliveryKind.RUN_ENDED:
                return await reply(self._slack, view, outcomes.run_result(view))
            case DeliveryKind.ELSEWHERE:
                return await reply(self._slack, view, cards.elsewhere_notice(view), broadcast=True)
            case DeliveryKind.GLASS_BROKEN:
                return await self._tell_of_glass(view)
            case DeliveryKind.REVIEW_OPEN:
                return await self._remind_of_review(view)
            case (
                DeliveryKind.REMINDER
                | DeliveryKind.ESCALATION
                | DeliveryKind.REACH
                | DeliveryKind.UNDECIDABLE
            ):
                return await self._pressing.tell(view, delivery)
            case DeliveryKind.CALL | DeliveryKind.NOTE | DeliveryKind.OUTCOME:
                return await self._notes.tell(view, delivery)
            case DeliveryKind.ANSWER:
                raise AssertionError("an answer is for a backend, not for people")
            case _:
                assert_never(delivery.kind)

    async def _draw(self, view: CheckpointView, delivery: Delivery) -> Outcome:
        posting = next((p for p in view.postings if p.id == delivery.posting_id), None)
        if posting is None:
            return Moot()  # deleted by hand; another one was asked for if one was needed
        card = cards.approval_card(view)
        version = view.checkpoint.version
        if posting.handle is None:
            return await self._post(view, posting, card, version)
        await self._slack.update(posting.place, posting.handle, card.text, card.blocks)
        await self._store.write(partial(record_shown, posting_id=posting.id, version=version))
        return Delivered()

    async def _post(
        self, view: CheckpointView, posting: Posting, card: cards.Message, version: int
    ) -> Outcome:
        checkpoint = view.checkpoint
        wanted = self._settings.channel_for(
            checkpoint.tenant, checkpoint.dag_name, posting.place or view.channel
        )
        if wanted is None:
            return await self._hold(
                posting,
                "no channel is configured: set SIGNOFF_CHANNEL, or `channel` in signoff.toml",
            )
        channel = await self._slack.channel(wanted)
        if channel is None:
            return await self._hold(
                posting,
                f"channel_not_found: {wanted} does not exist, or the bot was not invited to it",
            )
        if channel.is_externally_shared:
            return await self._hold(
                posting, f"{wanted} is shared with another workspace: cards are not posted there"
            )
        if await self._is_first(view, posting):
            card = mentioning(card, await self._summons.of(checkpoint.policy.notify))
        if posting.id == view.postings[0].id and in_full.is_needed(view):
            await self._store.write(partial(tell_in_full, checkpoint_id=checkpoint.id))
        posted = await self._slack.post(
            channel.id, card.text, card.blocks, metadata=cards.metadata(checkpoint.id)
        )
        await self._store.write(
            partial(
                record_posted,
                posting_id=posting.id,
                place=posted.channel,
                handle=posted.ts,
                version=version,
            )
        )
        return Delivered()

    async def _is_first(self, view: CheckpointView, posting: Posting) -> bool:
        """Whether this is the one post that mentions people: no further copy, none anew."""
        if not view.checkpoint.is_open or posting.id != view.postings[0].id:
            return False
        was = await self._store.read(partial(was_posted, checkpoint_id=view.checkpoint.id))
        return not was

    async def _add(self, view: CheckpointView, delivery: Delivery) -> Outcome:
        """What the card itself has no room for."""
        if delivery.kind is DeliveryKind.IN_FULL:
            return await reply(self._slack, view, in_full.message(view))
        said = votes.voice_of(view, delivery.payload.get("decision"))
        if said is None:
            return Delivered()  # they have voted anew since: that is told instead
        return await reply(self._slack, view, votes.told(view, said))

    async def _tell_of_glass(self, view: CheckpointView) -> Outcome:
        """Post the notice, or redraw it once somebody has signed."""
        if view.review is None:
            return Impossible("nobody broke its glass")
        record = view.review.record
        message = glass_notices.broken_notice(view, view.review)
        place, handle = record.place, record.handle
        if place is None or handle is None:
            root = root_of(view)
            if root is None and view.postings:
                return no_thread(view)
            posted = await self._post_notice(view, root, message)
            place, handle = posted.channel, posted.ts
        else:
            await self._slack.update(place, handle, message.text, message.blocks)
        signed = not record.is_open
        note = partial(record_notice, place=place, handle=handle, signed=signed)
        await self._store.write(partial(note, checkpoint_id=view.checkpoint.id))
        return Delivered()

    async def _post_notice(
        self, view: CheckpointView, root: Posting | None, message: cards.Message
    ) -> Posted:
        """In the thread of the card; where every copy was deleted by hand, where one would go."""
        if root is not None:
            return await self._slack.post(
                root.place, message.text, message.blocks, thread=root.handle, broadcast=True
            )
        checkpoint = view.checkpoint
        place = self._settings.channel_for(checkpoint.tenant, checkpoint.dag_name, view.channel)
        channel = None if place is None else await self._slack.channel(place)
        if channel is None or channel.is_externally_shared:
            raise SlackRefused("chat.postMessage", "channel_not_found")
        return await self._slack.post(channel.id, message.text, message.blocks)

    async def _remind_of_review(self, view: CheckpointView) -> Outcome:
        if view.review is None or not view.review.record.is_open:
            return Delivered()  # somebody signed before it could be told
        return await reply(self._slack, view, glass_notices.review_reminder(view, view.review))

    async def _hold(self, posting: Posting, reason: str) -> Outcome:
        await self._store.write(partial(record_held, posting_id=posting.id, reason=reason))
        return RetryLater(reason, after=HELD_RETRY)

    async def _refused(
        self, view: CheckpointView, delivery: Delivery, error: SlackRefused
    ) -> Outcome:
        if error.code in _NEVER:
            return Impossible(str(error))
        posting = next((p for p in view.postings if p.id == delivery.posting_id), None)
        if posting is None:
            is_notice = delivery.kind is DeliveryKind.GLASS_BROKEN
            if is_notice and error.code == "message_not_found":
                return Impossible(f"{error}: the notice was deleted")
            root = root_of(view) if error.code == "thread_not_found" else None
            if root is not None:  # its card was deleted by hand, and nobody told us
                await self._lose(root, error)
                return Later(after=_SOON)
            return RetryLater(str(error), after=HELD_RETRY)
        if posting.handle is not None and isinstance(verdict_of(error), Gone):
            return await self._lose(posting, error)
        return await self._hold(posting, str(error))

    async def _lose(self, posting: Posting, error: SlackRefused) -> Outcome:
        await self._store.write(partial(lose, posting_id=posting.id, why=error.code))
        return Moot()
