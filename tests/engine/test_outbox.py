"""The outbox: everything asked for is told, told again, or given up loudly."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import chain
from engine.errors import StoreBusy
from engine.model import Checkpoint, Choice
from engine.outbox import Outbox, back_off, record_held, record_posted, record_shown
from engine.ports import Delivered, Impossible, Outcome, RetryLater
from engine.store import outbox, postings, trail
from engine.store.outbox import Delivery, DeliveryKind, DeliveryState
from engine.store.postings import PostingState
from engine.store.writer import Store, Tx
from tests.engine.build import NOW, TERM, FakeClock, events, give_role, says, waiting

TOLD = Delivered()
Act = Callable[[Delivery], Awaitable[None]]


class Scripted:
    """A surface that answers as told, and remembers what it was asked."""

    def __init__(self, *answers: Outcome | Exception | Act) -> None:
        self.answers = list(answers)
        self.asked: list[Delivery] = []

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.asked.append(delivery)
        said = self.answers.pop(0) if self.answers else TOLD
        if isinstance(said, Exception):
            raise said
        if callable(said):
            await said(delivery)
            return TOLD
        return said


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here: the rows of the outbox are in the contract suite."""
    return sqlite_store


@pytest.fixture
async def opened(store: Store) -> Checkpoint:
    """A checkpoint that wants a card; Ana is an Operator."""
    await store.write(partial(give_role, user="U0ANA"))
    return await store.write(waiting)


def showing(store: Store, version: int) -> Act:
    """A surface that posts or updates the card and says so, as the notifier does."""

    async def act(delivery: Delivery) -> None:
        assert delivery.posting_id is not None
        posting_id = delivery.posting_id
        posting = await store.read(partial(postings.load, posting_id=posting_id))
        if posting.handle is not None:
            await store.write(partial(record_shown, posting_id=posting_id, version=version))
            return
        post = partial(record_posted, posting_id=posting_id, place="C1", version=version)
        await store.write(partial(post, handle=f"{posting_id}.1"))

    return act


async def deliveries(store: Store, opened: Checkpoint) -> list[Delivery]:
    return await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))


async def the_posting(store: Store, opened: Checkpoint) -> postings.Posting:
    (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    return posting


async def test_what_is_due_is_told_once(store: Store, opened: Checkpoint) -> None:
    """A delivery that succeeded is done; the next sweep finds nothing."""
    surface = Scripted(showing(store, 1))
    loop = Outbox(store, surface, "bot")
    assert await loop.sweep() == 1
    assert await loop.sweep() == 0
    assert [d.checkpoint_id for d in surface.asked] == [opened.id]
    (delivery,) = await deliveries(store, opened)
    assert (delivery.state, delivery.error) == (DeliveryState.DONE, None)
    posting = await the_posting(store, opened)
    assert (posting.state, posting.place, posting.shown_version) == ("posted", "C1", 1)
    assert (await store.read(events))[-1] == "posting_made"


async def test_a_failure_is_tried_again_later_and_later(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """Each failed attempt waits longer; the reason is kept until it is told."""
    surface = Scripted(*[RetryLater("503")] * 3, showing(store, 1))
    loop = Outbox(store, surface, "bot")
    for least in (1, 2, 4):
        assert await loop.sweep() == 1
        (delivery,) = await deliveries(store, opened)
        assert (delivery.state, delivery.error) == (DeliveryState.PENDING, "503")
        wait = delivery.due_at - clock.now()
        assert timedelta(seconds=least) <= wait <= timedelta(seconds=1.5 * least)
        assert await loop.sweep() == 0
        clock.advance(wait)
    assert await loop.sweep() == 1
    (delivery,) = await deliveries(store, opened)
    assert (delivery.state, delivery.error) == (DeliveryState.DONE, None)
    assert [d.attempts for d in surface.asked] == [0, 1, 2, 3]


async def test_retry_after_is_honoured_to_the_second(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """When the surface says how long to wait, nobody asks earlier."""
    surface = Scripted(RetryLater("429", after=timedelta(seconds=30)))
    loop = Outbox(store, surface, "bot")
    await loop.sweep()
    (delivery,) = await deliveries(store, opened)
    assert delivery.due_at == NOW + timedelta(seconds=30)
    clock.advance(timedelta(seconds=29.9))
    assert await loop.sweep() == 0
    clock.advance(timedelta(seconds=0.1))
    assert await loop.sweep() == 1


async def test_the_hopeless_is_given_up_loudly(
    store: Store, opened: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged as an error, audited, listed as trouble, and not tried again."""
    loop = Outbox(store, Scripted(Impossible("message_not_found")), "bot")
    with caplog.at_level(logging.ERROR):
        await loop.sweep()
    assert "gave up" in caplog.text
    assert await loop.sweep() == 0
    (delivery,) = await deliveries(store, opened)
    assert (delivery.state, delivery.error) == (DeliveryState.GIVEN_UP, "message_not_found")
    entry = (await store.read(lambda tx: list(trail.entries(tx))))[-1]
    (facts,) = (json.loads(part.body) for part in entry.parts if part.name == chain.FACTS)
    assert entry.link.event == "delivery_given_up"
    assert (facts["kind"], facts["error"]) == ("posting", "message_not_found")
    assert await store.read(partial(outbox.troubled, limit=9)) == [delivery]


async def test_what_was_given_up_is_tried_again_when_the_card_changes(
    store: Store, opened: Checkpoint
) -> None:
    """A new fact about a checkpoint is a new reason to tell it."""
    surface = Scripted(Impossible("invalid_blocks"), showing(store, 2))
    loop = Outbox(store, surface, "bot")
    await loop.sweep()
    await store.write(says(opened))
    await loop.sweep()
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.DONE


async def test_a_bug_in_the_surface_is_tried_again_and_stops_nobody(
    store: Store, opened: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception is logged with its traceback and counts as a failure of that delivery only."""
    other = await store.write(waiting)
    surface = Scripted(ZeroDivisionError("oops"), showing(store, 1))
    assert await Outbox(store, surface, "bot").sweep() == 2
    assert "ZeroDivisionError" in caplog.text
    found = [*await deliveries(store, opened), *await deliveries(store, other)]
    assert sorted(d.state for d in found) == [DeliveryState.DONE, DeliveryState.PENDING]
    assert [d.error for d in found if d.error] == ["ZeroDivisionError: oops"]


async def test_a_card_that_changed_while_it_was_drawn_is_drawn_again(
    store: Store, opened: Checkpoint
) -> None:
    """The old version is not the truth any more, so its delivery is not done."""

    async def decided_meanwhile(delivery: Delivery) -> None:
        await store.write(says(opened))
        await showing(store, 1)(delivery)

    surface = Scripted(decided_meanwhile, showing(store, 2))
    loop = Outbox(store, surface, "bot")
    assert await loop.sweep() == 1
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.PENDING
    assert await loop.sweep() == 1
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.DONE
    assert (await the_posting(store, opened)).shown_version == 2


async def test_an_old_version_drawn_late_is_drawn_over_again(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """A slow holder of a lapsed claim cannot leave an old card standing."""
    (slow,) = await store.write(partial(outbox.claim, holder="slow", term=TERM, limit=9))
    clock.advance(TERM)
    await store.write(says(opened))
    assert await Outbox(store, Scripted(showing(store, 2)), "quick").sweep() == 1
    await showing(store, 1)(slow)
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.PENDING
    assert await Outbox(store, Scripted(showing(store, 2)), "quick").sweep() == 1
    assert (await the_posting(store, opened)).shown_version == 2


async def test_a_thread_reads_in_the_order_things_happened(store: Store, clock: FakeClock) -> None:
    """Within a checkpoint one after the other in the order asked for; checkpoints side by side."""
    first, second = await store.write(waiting), await store.write(waiting)

    def ask(tx: Tx) -> None:
        for opened in (second, first):
            outbox.ask(tx, DeliveryKind.EXPIRED, opened.id, f"expired:{opened.id}")
            outbox.ask(tx, DeliveryKind.RUN_ENDED, opened.id, f"run_ended:{opened.id}")

    clock.advance(timedelta(seconds=1))
    await store.write(ask)
    under_way: set[str] = set()
    most = 0

    class Slow(Scripted):
        async def deliver(self, delivery: Delivery) -> Outcome:
            nonlocal most
            assert delivery.checkpoint_id not in under_way
            under_way.add(delivery.checkpoint_id)
            most = max(most, len(under_way))
            await asyncio.sleep(0.01)
            under_way.discard(delivery.checkpoint_id)
            if delivery.kind is DeliveryKind.POSTING:
                await showing(store, 1)(delivery)
            return await super().deliver(delivery)

    surface = Slow()
    assert await Outbox(store, surface, "bot").sweep() == 6
    for opened in (first, second):
        kinds = [d.kind for d in surface.asked if d.checkpoint_id == opened.id]
        assert kinds == ["posting", "expired", "run_ended"]
    assert most == 2


async def test_a_thread_keeps_its_order_when_something_fails(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """What became of the run waits until it is told that nobody decided; given up, it waits not."""

    def ask(tx: Tx) -> None:
        outbox.ask(tx, DeliveryKind.EXPIRED, opened.id, "expired")
        outbox.ask(tx, DeliveryKind.RUN_ENDED, opened.id, "run_ended")

    await store.write(ask)
    trouble = RetryLater("429", after=timedelta(seconds=30))
    surface = Scripted(showing(store, 1), trouble, Impossible("is_archived"))
    loop = Outbox(store, surface, "bot")
    assert await loop.sweep() == 3
    assert [d.kind for d in surface.asked] == ["posting", "expired"]
    clock.advance(timedelta(seconds=29))
    assert await loop.sweep() == 0
    clock.advance(timedelta(seconds=1))
    assert await loop.sweep() == 2
    assert [d.kind for d in surface.asked] == ["posting", "expired", "expired", "run_ended"]


async def test_news_of_an_ended_checkpoint_is_dropped_after_a_day(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """What nobody can be told for a day after the end is given up; before, it is tried on."""
    clock.advance(timedelta(hours=71))
    await store.write(says(opened))
    loop = Outbox(store, Scripted(*[RetryLater("down")] * 9), "bot")
    await loop.sweep()
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.PENDING  # asked for days ago, but ended just now
    clock.advance(timedelta(hours=23, minutes=59))
    await loop.sweep()
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.PENDING
    clock.advance(timedelta(minutes=5))
    await loop.sweep()
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.GIVEN_UP


async def test_the_card_of_an_open_checkpoint_is_never_dropped(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """While people are asked, a card that cannot be posted is tried for as long as it takes."""
    loop = Outbox(store, Scripted(*[RetryLater("no channel")] * 9), "bot")
    for _ in range(5):
        clock.advance(timedelta(hours=14))
        await loop.sweep()
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.PENDING


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_is_between_a_second_and_a_minute_and_a_half(attempts: int, jitter: float) -> None:
    """It doubles from one second up to a minute, and jitter adds at most a half."""
    wait = back_off(attempts, jitter)
    assert timedelta(seconds=1) <= wait <= timedelta(seconds=90)
    assert back_off(attempts, 0) <= back_off(attempts + 1, 0)


# Copies of a card


async def test_two_posts_for_one_posting_are_two_copies(store: Store, opened: Checkpoint) -> None:
    """The first stays the posting; the other is taken in, and both are kept true."""
    posting = await the_posting(store, opened)
    post = partial(record_posted, posting_id=posting.id, place="C1", version=1)
    await store.write(partial(post, handle="1.1"))
    await store.write(partial(post, handle="2.2"))
    found = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert [(p.handle, p.state) for p in found] == [("1.1", "posted"), ("2.2", "posted")]
    assert (await store.read(events)).count("posting_made") == 2


async def test_a_copy_known_before_its_own_reply_is_not_posted_again(
    store: Store, opened: Checkpoint
) -> None:
    """A click on the card may arrive before the reply to the post: it is the same copy."""
    posting = await the_posting(store, opened)
    take = partial(postings.adopt, checkpoint_id=opened.id, surface="slack", place="C1")
    await store.write(partial(take, handle="1.1"))
    await store.write(
        partial(record_posted, posting_id=posting.id, place="C1", handle="1.1", version=1)
    )
    (found,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert (found.id, found.handle, found.shown_version) == (posting.id, "1.1", 1)


async def test_a_copy_the_surface_refuses_is_held_with_the_reason(
    store: Store, opened: Checkpoint
) -> None:
    """It is held, posted before or not, until it stands or is redrawn."""
    posting = await the_posting(store, opened)
    hold = partial(record_held, posting_id=posting.id, reason="not_in_channel")
    await store.write(hold)
    held = await the_posting(store, opened)
    assert (held.state, held.error) == (PostingState.HELD, "not_in_channel")
    await store.write(
        partial(record_posted, posting_id=posting.id, place="C1", handle="1.1", version=1)
    )
    posted = await the_posting(store, opened)
    assert (posted.state, posted.error) == (PostingState.POSTED, None)
    await store.write(hold)
    assert (await the_posting(store, opened)).state is PostingState.HELD
    await store.write(partial(record_shown, posting_id=posting.id, version=1))
    assert (await the_posting(store, opened)).state is PostingState.POSTED


# The loop


async def finished(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_loop_tells_what_is_asked_for_while_it_sleeps(
    store: Store, clock: FakeClock
) -> None:
    """A commit wakes it: a card appears long before its nap would have ended."""
    surface, stop = Scripted(), asyncio.Event()
    running = asyncio.create_task(Outbox(store, surface, "bot").run(stop))
    await asyncio.sleep(0.05)
    assert clock.now() == NOW
    opened = await store.write(waiting)
    await finished(lambda: bool(surface.asked))
    assert surface.asked[0].checkpoint_id == opened.id
    stop.set()
    async with asyncio.timeout(1):
        await running


async def test_stopping_ends_the_loop_at_once(store: Store) -> None:
    """Nobody waits for a nap to end when the process is told to stop."""
    stop = asyncio.Event()
    running = asyncio.create_task(Outbox(store, Scripted(), "bot").run(stop))
    await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(1):
        await running


async def test_stopping_finishes_what_is_being_told(store: Store, opened: Checkpoint) -> None:
    """A delivery under way is ended and noted before the loop ends."""
    begun, stop = asyncio.Event(), asyncio.Event()

    async def slow(delivery: Delivery) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        await showing(store, 1)(delivery)

    running = asyncio.create_task(Outbox(store, Scripted(slow), "bot").run(stop))
    await begun.wait()
    stop.set()
    await running
    (delivery,) = await deliveries(store, opened)
    assert delivery.state is DeliveryState.DONE


async def test_a_database_that_cannot_be_reached_does_not_end_the_loop(
    store: Store,
    opened: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says so and tries again."""
    surface, stop = Scripted(showing(store, 1)), asyncio.Event()
    loop = Outbox(store, surface, "bot")
    sweep, failures = loop.sweep, [StoreBusy("locked")]

    async def sometimes() -> int:
        if failures:
            raise failures.pop()
        return await sweep()

    monkeypatch.setattr(loop, "sweep", sometimes)
    running = asyncio.create_task(loop.run(stop))
    await finished(lambda: bool(surface.asked))
    stop.set()
    await running
    assert "cannot reach the database" in caplog.text
    assert surface.asked[0].checkpoint_id == opened.id


async def test_two_outboxes_tell_everything_once_between_them(
    store: Store, sqlite_url: str, clock: FakeClock
) -> None:
    """Claims keep replicas apart: nothing is told twice while both are well."""
    other = Store.open(sqlite_url, clock)
    opened = [await store.write(waiting) for _ in range(12)]
    one, two = Scripted(), Scripted()
    one.answers = [showing(store, 1)] * 12
    two.answers = [showing(other, 1)] * 12
    loops = Outbox(store, one, "one"), Outbox(other, two, "two")
    try:
        while sum(await asyncio.gather(*(loop.sweep() for loop in loops))):
            pass
    finally:
        other.close()
    asked = [d.checkpoint_id for d in one.asked + two.asked]
    assert sorted(asked) == sorted(c.id for c in opened)


async def test_a_decision_makes_every_copy_true(store: Store, opened: Checkpoint) -> None:
    """After the end both copies show the version of the end, and whoever asked hears of it."""
    posting = await the_posting(store, opened)
    post = partial(record_posted, posting_id=posting.id, place="C1", version=1)
    await store.write(partial(post, handle="1.1"))
    await store.write(partial(post, handle="2.2"))
    await store.write(says(opened, choice=Choice.REJECT))
    surface = Scripted(showing(store, 2), showing(store, 2))
    assert await Outbox(store, surface, "bot").sweep() == 3
    assert [d.kind for d in surface.asked].count(DeliveryKind.POSTING) == 2
    found = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert [p.shown_version for p in found] == [2, 2]
