"""What is told while a checkpoint waits: reminders, escalation, and that nobody could decide."""

from datetime import timedelta
from functools import partial

from bot import nudges
from bot.counting import count
from bot.directory import Directory
from bot.mentions import NOBODY, mentioning
from bot.slack import Slack
from bot.summons import Summons
from bot.threads import reply
from engine import (
    MOST_TOLD,
    CheckpointView,
    Delivered,
    Delivery,
    DeliveryKind,
    Headcount,
    Later,
    Outcome,
    Store,
    checkpoint_view,
    escalate,
    headcount_of,
    note_shortage,
    reminder_after,
    targets_of,
)

_LOOK_AGAIN = timedelta(minutes=10)


class Pressing:
    """Tells it once it is due, and nothing of a checkpoint that has ended."""

    def __init__(
        self, store: Store, slack: Slack, directory: Directory, most: int = MOST_TOLD
    ) -> None:
        self._store = store
        self._slack = slack
        self._directory = directory
        self._summons = Summons(store, directory)
        self._most = most  # people that an escalation calls

    async def tell(self, view: CheckpointView, delivery: Delivery) -> Outcome:
        """One delivery of the kinds that are about waiting."""
        if not view.checkpoint.is_open:
            return Delivered()
        match delivery.kind:
            case DeliveryKind.REMINDER:
                return await self._remind(view)
            case DeliveryKind.ESCALATION:
                return await self._escalate(view, delivery)
            case DeliveryKind.REACH:
                return await self._look(view)
            case DeliveryKind.UNDECIDABLE:
                return await reply(self._slack, view, nudges.undecidable(view), broadcast=True)
            case _:
                raise AssertionError(f"{delivery.kind} is not about waiting")

    async def _remind(self, view: CheckpointView) -> Outcome:
        checkpoint = view.checkpoint
        called = await self._summons.awake(await self._summons.of(checkpoint.policy.notify))
        told = await reply(self._slack, view, mentioning(nudges.reminder(view), called))
        now = self._store.clock.now()
        following = reminder_after(checkpoint, now)
        if not isinstance(told, Delivered) or following is None:
            return told
        return Later(following - now)

    async def _escalate(self, view: CheckpointView, delivery: Delivery) -> Outcome:
        checkpoint, escalation = view.checkpoint, view.checkpoint.policy.escalate
        if escalation is None:
            raise AssertionError(f"{checkpoint.id} names nobody to escalate to")
        waits = await self._store.write(partial(escalate, checkpoint_id=checkpoint.id))
        now = await self._store.read(partial(checkpoint_view, checkpoint_id=checkpoint.id))
        if not waits or now is None:
            return Delivered()
        called = NOBODY
        if delivery.payload.get("mentions", True):
            wanted = await self._summons.to(targets_of(escalation), checkpoint.tenant)
            called = await self._summons.bounded(wanted, checkpoint.policy.notify, self._most)
        message = nudges.escalated(now, self._store.clock.now())
        return await reply(self._slack, now, mentioning(message, called))

    async def _look(self, view: CheckpointView) -> Outcome:
        """Look whether enough people could decide; again later, while that is in doubt."""
        checkpoint_id = view.checkpoint.id
        found = await self._store.read(partial(headcount_of, checkpoint_id=checkpoint_id))
        if found is None:
            return Delivered()
        least, most = await self._bounds(view, found)
        could = most if most < found.needed else None
        if could is not None or least >= found.needed:
            noted = partial(note_shortage, checkpoint_id=checkpoint_id, could=could)
            await self._store.write(noted)
        return Delivered() if least >= found.needed else Later(_LOOK_AGAIN)

    async def _bounds(self, view: CheckpointView, found: Headcount) -> tuple[int, int]:
        """How many people can decide at least, and at most."""
        if found.is_short and found.at_most is not None:
            return 0, found.at_most
        if not found.wants_look:
            return found.needed, found.needed
        counted = await count(self._store, self._directory, view.checkpoint, found)
        return counted.able, counted.able + counted.unknown
