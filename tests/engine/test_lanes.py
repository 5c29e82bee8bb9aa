"""Lanes: what waits for a budget waits in turn, holds up nothing else, and is not touched."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import pytest

from engine.crowding import (
    Crowd,
    begin_backlog,
    crowded_lanes,
    end_backlog,
    put_back_crowd,
    record_crowd,
    take_crowds,
)
from engine.model import Checkpoint
from engine.outbox import Outbox, record_posted
from engine.ports import Delivered, InTurn, Outcome, RetryLater
from engine.store import outbox, postings
from engine.store.outbox import Delivery, DeliveryKind
from engine.store.writer import Store, Tx
from tests.engine.build import FakeClock, give_role, says, waiting

EVERY = timedelta(seconds=15)


class Channels:
    """A surface of channels, each of which takes so many messages and then is closed."""

    def __init__(self, store: Store, room: Mapping[str, int]) -> None:
        self.store = store
        self.room = dict(room)
        self.where: dict[str, str] = {}  # checkpoint -> channel; C1 where it does not say
        self.told: list[Delivery] = []
        self.posted = 0
        self.turned_away = 0

    def closed(self) -> Mapping[str, float]:
        return {lane: 1.0 for lane, room in self.room.items() if room <= 0}

    async def deliver(self, delivery: Delivery) -> Outcome:
        lane = self.where.get(delivery.checkpoint_id, "C1")
        if self.room[lane] <= 0:
            self.turned_away += 1
            return InTurn(lane, rank=2 if delivery.kind is DeliveryKind.REMINDER else 0)
        self.room[lane] -= 1
        self.told.append(delivery)
        if delivery.posting_id is not None:
            post = partial(record_posted, posting_id=delivery.posting_id, place=lane, version=1)
            self.posted += 1
            await self.store.write(partial(post, handle=f"{self.posted}.0"))
        return Delivered()

    def outbox(self) -> Outbox:
        return Outbox(self.store, self, "bot", closed=self.closed)


async def drained(loop: Outbox) -> None:
    while await loop.sweep():
        pass


async def opened(store: Store, count: int) -> list[Checkpoint]:
    return [await store.write(waiting) for _ in range(count)]


async def test_a_long_lane_is_tried_once_and_then_left_alone(store: Store) -> None:
    """Each learns its lane by its first try; from then on nobody touches it while it is closed."""
    await opened(store, 50)
    surface = Channels(store, {"C1": 5})
    loop = surface.outbox()
    await drained(loop)
    assert (len(surface.told), surface.turned_away) == (5, 45)
    assert await store.read(partial(outbox.count_in_lane, lane="C1")) == 45
    for _ in range(3):
        assert await loop.sweep() == 0
    assert surface.turned_away == 45


async def test_a_long_lane_holds_up_no_other(store: Store) -> None:
    """The card for a quiet channel is told by the next sweep, whatever waits before it."""
    await opened(store, 80)
    surface = Channels(store, {"C1": 1, "C2": 1})
    loop = surface.outbox()
    await drained(loop)
    (quiet,) = await opened(store, 1)
    surface.where[quiet.id] = "C2"
    assert await loop.sweep() == 1
    assert surface.told[-1].checkpoint_id == quiet.id


async def test_open_lanes_take_turns(store: Store) -> None:
    """Of three lanes that open at once none waits until another is empty."""
    asked = await opened(store, 30)
    surface = Channels(store, {"C1": 0, "C2": 0, "C3": 0})
    for nth, checkpoint in enumerate(asked):
        surface.where[checkpoint.id] = "C1" if nth < 24 else f"C{2 + nth % 2}"
    loop = surface.outbox()
    await drained(loop)
    surface.room = {"C1": 2, "C2": 2, "C3": 2}
    await loop.sweep()
    channels = sorted(surface.where[d.checkpoint_id] for d in surface.told)
    assert channels == ["C1", "C1", "C2", "C2", "C3", "C3"]


async def test_the_lowest_rank_goes_first_and_then_who_came_first(
    store: Store, clock: FakeClock
) -> None:
    """Reminders asked for long ago wait behind a new card."""
    (old,) = await opened(store, 1)

    def remind(tx: Tx) -> None:
        outbox.ask(tx, DeliveryKind.REMINDER, old.id, f"reminder:{old.id}")

    surface = Channels(store, {"C1": 1})
    loop = surface.outbox()
    await loop.sweep()
    (new,) = await opened(store, 1)
    await store.write(remind)
    clock.advance(timedelta(minutes=1))
    await opened(store, 1)
    await drained(loop)
    surface.told.clear()
    for _ in range(3):
        surface.room["C1"] = 1
        await drained(loop)
    assert [d.kind for d in surface.told] == ["posting", "posting", "reminder"]
    assert surface.told[0].checkpoint_id == new.id


async def test_a_thread_waits_in_order(store: Store, clock: FakeClock) -> None:
    """What is asked for later of the same checkpoint does not overtake what waits in a lane."""
    (checkpoint,) = await opened(store, 1)
    surface = Channels(store, {"C1": 0})
    loop = surface.outbox()
    await drained(loop)

    def news(tx: Tx) -> None:
        for kind in (DeliveryKind.EXPIRED, DeliveryKind.RUN_ENDED):
            outbox.ask(tx, kind, checkpoint.id, f"{kind}:{checkpoint.id}")

    clock.advance(timedelta(seconds=1))
    await store.write(news)
    surface.room["C1"] = 9
    await drained(loop)
    assert [d.kind for d in surface.told] == ["posting", "expired", "run_ended"]


async def test_a_new_state_does_not_lose_its_lane_for_good(store: Store) -> None:
    """A card decided while it waits is tried anew: it may go elsewhere now. It is one card."""
    await store.write(partial(give_role, user="U0ANA"))
    (checkpoint,) = await opened(store, 1)
    surface = Channels(store, {"C1": 0})
    loop = surface.outbox()
    await drained(loop)
    await store.write(says(checkpoint))
    await drained(loop)
    assert surface.turned_away == 2
    surface.room["C1"] = 9
    await loop.sweep()
    assert [d.kind for d in surface.told] == ["posting"]


async def test_waiting_in_a_lane_is_no_failure(store: Store) -> None:
    """It counts as no attempt, so that a real failure later backs off from the beginning."""
    (checkpoint,) = await opened(store, 1)
    surface = Channels(store, {"C1": 0})
    await drained(surface.outbox())
    (waits,) = await store.read(partial(outbox.deliveries, checkpoint_id=checkpoint.id))
    assert (waits.attempts, waits.error) == (0, None)
    assert await store.read(partial(outbox.troubled, limit=9)) == []


async def test_a_failure_leaves_the_lane(store: Store) -> None:
    """What failed waits for its time, not for a budget."""

    class Failing(Channels):
        async def deliver(self, delivery: Delivery) -> Outcome:
            said = await super().deliver(delivery)
            return RetryLater("503") if isinstance(said, Delivered) else said

    await opened(store, 1)
    surface = Failing(store, {"C1": 0})
    loop = surface.outbox()
    await drained(loop)
    surface.room["C1"] = 1
    await drained(loop)
    assert await store.read(partial(outbox.count_in_lane, lane="C1")) == 0


# A message that says so


async def crowd(store: Store, count: int, *, least: int = 5) -> Channels:
    """So many cards in one closed lane, and a message wanted where it is crowded."""
    await opened(store, count)
    surface = Channels(store, {"C1": 0})
    await drained(surface.outbox())
    for lane in await store.read(partial(crowded_lanes, least=least)):
        await store.write(partial(begin_backlog, lane=lane, after=timedelta(0)))
    return surface


async def taken(store: Store, holder: str = "bot") -> list[Crowd]:
    return await store.write(partial(take_crowds, holder=holder, rows=3))


async def drawn(store: Store, found: Crowd) -> None:
    told = partial(record_crowd, place="C1", handle="9.9", every=EVERY)
    await store.write(partial(told, crowd=found, holder="bot"))


@pytest.mark.parametrize(("count", "messages"), [(4, 0), (5, 1)])
async def test_a_crowd_is_told_of_from_a_number_on(store: Store, count: int, messages: int) -> None:
    """A few cards that wait a few seconds are no news."""
    await crowd(store, count)
    assert len(await taken(store)) == messages


async def test_the_most_urgent_are_named(store: Store, clock: FakeClock) -> None:
    """The nearest deadline first, and how many wait in all."""
    first = await opened(store, 1)
    clock.advance(timedelta(hours=1))
    await crowd(store, 5)
    (found,) = await taken(store)
    assert (found.waiting, len(found.urgent)) == (6, 3)
    assert found.urgent[0].id == first[0].id


async def test_a_crowd_is_told_of_once(store: Store) -> None:
    """Begun twice it is still one message; while one bot draws it no other does."""
    await crowd(store, 6)
    assert await store.read(partial(crowded_lanes, least=5)) == []
    await store.write(partial(begin_backlog, lane="C1", after=timedelta(0)))
    assert len(await taken(store)) == 1
    assert await taken(store, "another") == []


async def test_it_is_redrawn_now_and_then_while_the_crowd_shrinks(
    store: Store, clock: FakeClock
) -> None:
    """Not for every card: after a while, if the number has changed; at once when it is over."""
    surface = await crowd(store, 6)
    (found,) = await taken(store)
    await drawn(store, found)
    clock.advance(EVERY)
    assert await taken(store) == []  # nothing has changed
    surface.room["C1"] = 2
    await drained(surface.outbox())
    (found,) = await taken(store)
    assert found.waiting == 4
    await drawn(store, found)
    surface.room["C1"] = 1
    await drained(surface.outbox())
    assert await taken(store) == []  # too early
    surface.room["C1"] = 9
    await drained(surface.outbox())
    (found,) = await taken(store)
    assert (found.waiting, found.backlog.most, found.backlog.handle) == (0, 6, "9.9")
    await drawn(store, found)
    clock.advance(EVERY)
    assert await taken(store) == []


async def test_a_bot_that_died_over_it_is_succeeded(store: Store, clock: FakeClock) -> None:
    """A claim lapses, and what it says is drawn by the next."""
    await crowd(store, 6)
    await taken(store, "dead")
    clock.advance(timedelta(seconds=31))
    assert len(await taken(store, "next")) == 1


async def test_what_could_not_be_told_is_told_later(store: Store, clock: FakeClock) -> None:
    """A refusal puts it back for as long as it says."""
    await crowd(store, 6)
    (found,) = await taken(store)
    wait = timedelta(seconds=7)
    await store.write(partial(put_back_crowd, crowd=found, holder="bot", after=wait))
    assert await taken(store) == []
    clock.advance(wait)
    assert len(await taken(store)) == 1


async def test_a_crowd_that_went_before_it_was_told_of_is_no_news(store: Store) -> None:
    """Nothing is posted, and the next crowd begins anew."""
    surface = await crowd(store, 6)
    surface.room["C1"] = 9
    await drained(surface.outbox())
    assert await taken(store) == []
    surface.room["C1"] = 0
    await opened(store, 6)
    await drained(surface.outbox())
    assert await store.read(partial(crowded_lanes, least=5)) == ["C1"]


async def test_a_message_that_was_deleted_is_posted_anew_while_it_is_crowded(store: Store) -> None:
    """Its row ends, and the crowd is found again."""
    await crowd(store, 6)
    (found,) = await taken(store)
    await drawn(store, found)
    await store.write(partial(end_backlog, crowd=found))
    assert await store.read(partial(crowded_lanes, least=5)) == ["C1"]


async def test_only_requests_that_wait_for_people_make_a_crowd(store: Store) -> None:
    """Cards of what was decided meanwhile are posted later, and nobody is told that they wait."""
    await store.write(partial(give_role, user="U0ANA"))
    asked = await opened(store, 6)
    surface = Channels(store, {"C1": 0})
    await drained(surface.outbox())
    for checkpoint in asked[:2]:
        await store.write(says(checkpoint))
    await drained(surface.outbox())
    assert await store.read(partial(crowded_lanes, least=5)) == []
    found = await store.read(partial(postings.of_checkpoint, checkpoint_id=asked[0].id))
    assert [p.handle for p in found] == [None]
