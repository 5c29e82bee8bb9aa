"""The outbox: claim what is due, deliver it, back off, and give up only loudly."""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from engine.errors import StoreError
from engine.events import DeliveryGivenUp, PostingMade
from engine.ports import (
    Delivered,
    Deliverer,
    Impossible,
    InTurn,
    Later,
    Moot,
    Outcome,
    RetryLater,
)
from engine.reconciling import lose
from engine.store import checkpoints, outbox, postings, reviews, trail
from engine.store.outbox import Delivery, DeliveryKind
from engine.store.writer import Store, Tx

log = logging.getLogger(__name__)

_CLAIM_TERM = timedelta(seconds=30)
_BATCH = 32
_FIRST_DELAY = timedelta(seconds=1)
_LONGEST_DELAY = timedelta(minutes=1)
_AFTER_THE_CARD = timedelta(seconds=2)
_IDLE_S = 5.0  # the longest nap; commits and due times end it earlier
_KEEP_TRYING = timedelta(
    hours=24
)  # after that, something told about an ended checkpoint is dropped


def no_lanes() -> Mapping[str, float]:
    """Nothing waits for anything but its time."""
    return {}


class Outbox:
    """Delivers until stopped. Several may run on one database: claims keep them apart.

    One takes deliveries of some kinds only, so that a backend that hangs delays no card.
    `closed` tells which lanes take nothing now, and for how many seconds: what waits in them
    stays untouched, however long the lane, and the rest goes on.
    """

    def __init__(
        self,
        store: Store,
        deliverer: Deliverer,
        holder: str,
        kinds: Collection[DeliveryKind] = outbox.TO_PEOPLE,
        closed: Callable[[], Mapping[str, float]] = no_lanes,
    ) -> None:
        self._store = store
        self._deliverer = deliverer
        self._holder = holder
        self._kinds = tuple(kinds)
        self._closed = closed

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver what is due, now and whenever something becomes due, until `stop` is set."""
        changes = self._store.changes()
        try:
            while not stop.is_set():
                try:
                    busy = await self.sweep()
                    nap = 0.0 if busy else await self._nap()
                except StoreError:
                    log.exception("the outbox cannot reach the database; trying again")
                    busy, nap = 0, 1.0
                if not busy:
                    await _first(changes.wait(nap), stop.wait())
        finally:
            await changes.close()

    async def sweep(self) -> int:
        """Deliver one batch of what is due; returns how many were tried."""
        open_to_us: dict[str, Any] = {"kinds": self._kinds, "closed": tuple(self._closed())}
        if not await self._store.read(partial(outbox.count_due, limit=1, **open_to_us)):
            return 0
        claim = partial(
            outbox.claim, holder=self._holder, term=_CLAIM_TERM, limit=_BATCH, **open_to_us
        )
        claimed = await self._store.write(claim)
        await asyncio.gather(*(self._deliver_in_turn(lane) for lane in _lanes(claimed)))
        return len(claimed)

    async def _nap(self) -> float:
        closed = self._closed()
        due_at = await self._store.read(
            partial(outbox.next_due, kinds=self._kinds, closed=tuple(closed))
        )
        waits = [_IDLE_S, *closed.values()]
        if due_at is not None:
            waits.append((due_at - self._store.clock.now()).total_seconds())
        return max(min(waits), 0.02)

    async def _deliver_in_turn(self, threads: Sequence[Sequence[Delivery]]) -> None:
        for thread in threads:
            await self._deliver_all(thread)

    async def _deliver_all(self, deliveries: Sequence[Delivery]) -> None:
        outcome: Outcome = Delivered()
        for delivery in deliveries:
            # What comes after something that waits for its turn waits behind it.
            if not isinstance(outcome, InTurn):
                outcome = await self._attempt(delivery)
            await self._store.write(partial(_note, delivery, self._holder, outcome))

    async def _attempt(self, delivery: Delivery) -> Outcome:
        first = await self._store.read(partial(outbox.told_before, delivery=delivery))
        if first is not None:
            return Later(max(first - self._store.clock.now(), _FIRST_DELAY))
        try:
            return await self._deliverer.deliver(delivery)
        except Exception as error:
            # A bug in drawing one card must neither stop the others nor vanish.
            log.exception("delivery %s of %s failed", delivery.kind, delivery.checkpoint_id)
            return RetryLater(f"{type(error).__name__}: {error}")


def _lanes(claimed: Sequence[Delivery]) -> list[list[list[Delivery]]]:
    """What was claimed, by lane, and there by checkpoint; each lane is gone through in its turn.

    Within a checkpoint one comes after the other: its thread reads in the order things happened.
    What is in no lane yet waits for nothing else.
    """
    threads: dict[str, list[Delivery]] = {}
    for delivery in claimed:  # in their turn
        threads.setdefault(delivery.checkpoint_id, []).append(delivery)
    lanes: dict[str, list[list[Delivery]]] = {}
    for checkpoint_id, thread in threads.items():
        lane = thread[0].lane or checkpoint_id
        lanes.setdefault(lane, []).append(sorted(thread, key=lambda delivery: delivery.id))
    return list(lanes.values())


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _note(delivery: Delivery, holder: str, outcome: Outcome, tx: Tx) -> None:
    match outcome:
        case Delivered():
            if _is_true(tx, delivery):
                outbox.finish(tx, delivery.id, holder)
            else:  # the card changed while it was being drawn: draw it again
                outbox.postpone(tx, delivery.id, holder, tx.now, None)
        case InTurn(lane=lane, rank=rank):
            outbox.line_up(tx, delivery.id, holder, lane, rank)
        case Later(after=after):
            outbox.postpone(tx, delivery.id, holder, tx.now + after, None)
        case RetryLater(reason=reason, after=after):
            if _is_stale(tx, delivery):
                _give_up(tx, delivery, holder, reason)
                return
            until = tx.now + (after or back_off(delivery.attempts, random.random()))  # noqa: S311
            outbox.postpone(tx, delivery.id, holder, until, reason)
            log.warning(
                "could not deliver %s of %s yet: %s", delivery.kind, delivery.checkpoint_id, reason
            )
        case Moot(why=why):
            outbox.drop(tx, delivery.id, holder)
            if why:
                log.info("%s of %s is not told: %s", delivery.kind, delivery.checkpoint_id, why)
        case Impossible(reason=reason):
            _give_up(tx, delivery, holder, reason)


def _is_true(tx: Tx, delivery: Delivery) -> bool:
    if delivery.kind is DeliveryKind.GLASS_BROKEN:
        review = reviews.load(tx, delivery.checkpoint_id)
        return review is None or review.is_open or review.shows_signed
    if delivery.kind is not DeliveryKind.POSTING or delivery.posting_id is None:
        return True
    posting = postings.load(tx, delivery.posting_id)
    return posting.shown_version >= posting.wanted_version


def _is_stale(tx: Tx, delivery: Delivery) -> bool:
    # That the glass was broken is not dropped because a card could not be posted for a day.
    if delivery.kind in outbox.TO_BACKENDS or delivery.kind is DeliveryKind.GLASS_BROKEN:
        return False
    if tx.now - delivery.created_at < _KEEP_TRYING:
        return False
    checkpoint = checkpoints.load(tx, delivery.checkpoint_id)
    return checkpoint is None or not checkpoint.is_open


def _give_up(tx: Tx, delivery: Delivery, holder: str, reason: str) -> None:
    log.error("gave up delivering %s of %s: %s", delivery.kind, delivery.checkpoint_id, reason)
    outbox.give_up(tx, delivery.id, holder, reason)
    trail.append(
        tx,
        DeliveryGivenUp(checkpoint_id=delivery.checkpoint_id, kind=delivery.kind, error=reason),
    )


def back_off(attempts: int, jitter: float) -> timedelta:
    """How long to wait after this many earlier attempts; `jitter` in [0, 1) adds up to a half."""
    delay: timedelta = min(_FIRST_DELAY * 2 ** min(attempts, 16), _LONGEST_DELAY)
    return delay * (1 + jitter / 2)


def record_posted(tx: Tx, posting_id: int, place: str, handle: str, version: int) -> None:
    """A new copy of a card stands, and shows this version."""
    known = postings.load(tx, posting_id)
    if known.handle == handle:  # it made itself known before Slack's reply reached us
        postings.shown(tx, posting_id, version)
        return
    if known.handle is not None:
        # Two posts raced for one posting: the first stays, this one is taken in as a copy.
        postings.adopt(tx, known.checkpoint_id, known.surface, place, handle)
    else:
        postings.posted(tx, posting_id, place, handle, version)
    checkpoint = checkpoints.load(tx, known.checkpoint_id)
    trail.append(
        tx,
        PostingMade(
            run_id=None if checkpoint is None else checkpoint.run_id,
            checkpoint_id=known.checkpoint_id,
            surface=known.surface,
            place=place,
            handle=handle,
        ),
    )


def tell_in_full(tx: Tx, checkpoint_id: str) -> None:
    """A card is about to be posted that has no room for everything: its thread has.

    Asked for before the post, so that it is told also when the surface's reply is lost.
    """
    key, due_at = f"in_full:{checkpoint_id}", tx.now + _AFTER_THE_CARD
    outbox.ask(tx, DeliveryKind.IN_FULL, checkpoint_id, key, due_at=due_at)


def record_shown(tx: Tx, posting_id: int, version: int) -> None:
    """A copy of a card now shows this version."""
    if not postings.shown(tx, posting_id, version):
        # Somebody slow drew an old version over a newer one: draw it again.
        postings.ask(tx, postings.load(tx, posting_id).checkpoint_id, posting_id)


def record_held(tx: Tx, posting_id: int, reason: str) -> None:
    """The surface refuses this copy for now, and why."""
    postings.hold(tx, posting_id, reason)


def adopt(tx: Tx, checkpoint_id: str, surface: str, place: str, handle: str) -> bool:
    """Take in a copy of a card we did not know of. False when it was known, or of no checkpoint."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return False
    if postings.adopt(tx, checkpoint_id, surface, place, handle) is None:
        return False
    trail.append(
        tx,
        PostingMade(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            surface=surface,
            place=place,
            handle=handle,
            adopted=True,
        ),
    )
    postings.want_true(tx, checkpoint.id, checkpoint.version)
    return True


def repost(tx: Tx, surface: str, place: str, handle: str) -> bool:
    """A copy of a card was deleted by hand. One that still waits is posted anew."""
    posting = postings.find(tx, surface, place, handle)
    return posting is not None and lose(tx, posting.id, "deleted") is not None
