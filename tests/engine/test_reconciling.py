"""What follows from a look at a copy of a card: nothing lost in silence, no endless posting."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import chain
from engine.model import Checkpoint, Choice
from engine.outbox import adopt, record_held, record_posted, record_shown, repost
from engine.reconciling import (
    LOOK_EVERY,
    Gone,
    Stands,
    Unreachable,
    Verdict,
    ask_elsewhere,
    is_anything_untold,
    lose,
    place_changed,
    record_look,
    take_up_again,
    to_look_at,
    unreachable_cards,
    wait_before_posting_anew,
)
from engine.store import outbox, postings, trail
from engine.store.outbox import Delivery, DeliveryState
from engine.store.postings import Posting, PostingState
from engine.store.writer import Store, Tx
from tests.engine.build import NOW, TERM, FakeClock, events, give_role, says, waiting

MINUTE = timedelta(minutes=1)
GONE = Gone("message_not_found")
ARCHIVED = Unreachable("is_archived")


class Cards:
    """Copies of cards as a surface posts and tells of them; each handle is new."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.posted = 0

    async def opens(self) -> Checkpoint:
        """A checkpoint opens, and its card is posted."""
        opened = await self.store.write(waiting)
        await self.tells()
        return opened

    async def tells(self) -> list[Delivery]:
        """Post or redraw what is due."""
        due = await self.claimed()
        for delivery in due:
            await self.store.write(partial(self._draw, delivery=delivery))
        return due

    async def claimed(self) -> list[Delivery]:
        """The copies that are due to be posted or redrawn."""
        kinds = (outbox.DeliveryKind.POSTING,)
        claim = partial(outbox.claim, holder="a", term=TERM, limit=99, kinds=kinds)
        return await self.store.write(claim)

    def _draw(self, tx: Tx, delivery: Delivery) -> None:
        assert delivery.posting_id is not None
        posting = postings.load(tx, delivery.posting_id)
        if posting.state is not PostingState.GONE and posting.handle is None:
            self.posted += 1
            handle = f"{self.posted}.0"
            record_posted(tx, posting.id, posting.place or "C1", handle, posting.wanted_version)
        elif posting.state is not PostingState.GONE:
            record_shown(tx, posting.id, posting.wanted_version)
        outbox.finish(tx, delivery.id, "a")

    async def looked(self, posting: Posting, verdict: Verdict) -> None:
        """A look found this."""
        await self.store.write(partial(record_look, posting_id=posting.id, verdict=verdict))

    async def of(self, opened: Checkpoint) -> list[Posting]:
        """The copies that are not gone."""
        return await self.store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))

    async def due(self, since: timedelta = -MINUTE) -> list[str | None]:
        """The handles of what is to be looked at now."""
        query = partial(to_look_at, surface="slack", since=NOW + since, limit=9)
        return [posting.handle for posting in await self.store.read(query)]

    async def told(self, what: Callable[[Tx], object]) -> None:
        """Something happens."""
        await self.store.write(what)


@pytest.fixture
async def cards(store: Store, clock: FakeClock) -> Cards:
    """An empty record; Ana is an Operator. The test runs once on each kind of database."""
    await store.write(partial(give_role, user="U0ANA"))
    return Cards(store, clock)


async def test_a_card_that_is_gone_while_it_waits_is_posted_anew_once(cards: Cards) -> None:
    """Whoever tells of it first, an event or a look: the other changes nothing. It is audited."""
    opened = await cards.opens()
    (first,) = await cards.of(opened)
    await cards.looked(first, GONE)
    gone = partial(repost, surface="slack", place=first.place, handle="1.0")
    await cards.told(gone)
    await cards.looked(first, GONE)
    await cards.tells()
    (second,) = await cards.of(opened)
    assert (second.handle, second.state, second.shown_version) == ("2.0", PostingState.POSTED, 1)
    assert (await cards.store.read(events)).count("posting_lost") == 1
    rows = await cards.store.read(lambda tx: list(trail.entries(tx, event="posting_lost")))
    (facts,) = (json.loads(p.body) for p in rows[0].parts if p.name == chain.FACTS)
    assert (facts["handle"], facts["why"]) == ("1.0", "message_not_found")


async def test_late_news_of_a_card_that_is_gone_is_no_news(cards: Cards) -> None:
    """Its own post, told of minutes after somebody deleted it, makes no copy of it."""
    opened = await cards.opens()
    (first,) = await cards.of(opened)
    await cards.looked(first, GONE)
    take = partial(adopt, checkpoint_id=opened.id, surface="slack", place=first.place)
    assert not await cards.store.write(partial(take, handle="1.0"))
    assert len(await cards.of(opened)) == 1


async def test_a_card_that_is_gone_after_the_end_is_forgotten(cards: Cards) -> None:
    """Nobody is asked any more: it is not posted again, and not audited as lost."""
    opened = await cards.opens()
    (card,) = await cards.of(opened)
    await cards.told(says(opened, choice=Choice.REJECT))
    await cards.looked(card, GONE)
    assert await cards.of(opened) == []
    assert "posting_lost" not in await cards.store.read(events)
    await cards.tells()
    assert cards.posted == 1


async def test_one_of_two_copies_that_is_gone_is_not_posted_anew(cards: Cards) -> None:
    """The other stands in for it; once that is gone, too, one comes back."""
    opened = await cards.opens()
    (first,) = await cards.of(opened)
    take = partial(adopt, checkpoint_id=opened.id, surface="slack", place=first.place)
    await cards.told(partial(take, handle="9.9"))
    await cards.tells()
    await cards.looked(first, GONE)
    (copy,) = await cards.of(opened)
    assert copy.handle == "9.9"
    await cards.looked(copy, GONE)
    cards.clock.advance(MINUTE)
    await cards.tells()
    assert [p.handle for p in await cards.of(opened)] == ["2.0"]


async def test_what_deletes_every_card_is_not_fought_with(cards: Cards) -> None:
    """The first one comes back at once, the next after a minute, then two; never a flood."""
    opened = await cards.opens()
    for wait in (timedelta(), MINUTE, 2 * MINUTE, 4 * MINUTE):
        (card,) = await cards.of(opened)
        found = await cards.store.write(partial(lose, posting_id=card.id, why="deleted"))
        assert found == wait
        if wait:
            assert await cards.tells() == []
        cards.clock.advance(wait)
        assert len(await cards.tells()) == 1


@given(st.integers(0, 10_000))
def test_a_deleted_card_comes_back_within_the_hour(losses: int) -> None:
    """However often it was deleted; and never sooner than the time before."""
    wait = wait_before_posting_anew(losses)
    assert timedelta() <= wait <= timedelta(hours=1)
    assert wait <= wait_before_posting_anew(losses + 1)


@pytest.mark.parametrize("ended", [False, True], ids=["waits", "ended"])
async def test_a_card_out_of_reach_is_held_and_true_once_it_can_be_reached(
    cards: Cards, *, ended: bool
) -> None:
    """It stays known with the reason; when the room opens it is looked at, and drawn if need be."""
    opened = await cards.opens()
    (card,) = await cards.of(opened)
    await cards.looked(card, ARCHIVED)
    (held,) = await cards.of(opened)
    assert (held.state, held.error, held.handle) == (PostingState.HELD, "is_archived", "1.0")
    assert await cards.store.read(unreachable_cards) == [held]
    if ended:
        await cards.told(says(opened, choice=Choice.REJECT))
        (delivery,) = await cards.claimed()
        await cards.told(lambda tx: outbox.give_up(tx, delivery.id, "a", "is_archived"))
        assert await cards.store.read(unreachable_cards) == []
    await cards.told(partial(place_changed, surface="slack", place=held.place))
    assert await cards.due() == ["1.0"]
    await cards.looked(held, Stands())
    await cards.tells()
    (back,) = await cards.of(opened)
    assert (back.state, back.error) == (PostingState.POSTED, None)
    assert back.shown_version == back.wanted_version
    assert cards.posted == 1


async def test_a_held_card_follows_the_configuration_once(cards: Cards) -> None:
    """One is asked for elsewhere; the held one stays known, and both end true."""
    opened = await cards.opens()
    (card,) = await cards.of(opened)
    ask = partial(ask_elsewhere, posting_id=card.id)
    assert not await cards.store.write(partial(ask, place="C2"))  # it stands
    await cards.looked(card, ARCHIVED)
    assert not await cards.store.write(partial(ask, place=card.place))  # nowhere else to go
    assert await cards.store.write(partial(ask, place="C2"))
    assert not await cards.store.write(partial(ask, place="C2"))
    await cards.tells()
    assert not await cards.store.write(partial(ask, place="C2"))
    assert [p.handle for p in await cards.of(opened)] == ["1.0", "2.0"]
    await cards.told(says(opened, choice=Choice.REJECT))
    await cards.looked(card, Stands())
    await cards.tells()
    assert all(p.shown_version == p.wanted_version for p in await cards.of(opened))


async def test_every_card_that_waits_is_looked_at_in_turn(cards: Cards) -> None:
    """The one seen longest ago first; nothing seen lately; everything once news may be missing."""
    for _ in range(3):
        await cards.opens()
        cards.clock.advance(MINUTE)
    assert await cards.due() == []
    assert await cards.due(since=2.5 * MINUTE) == ["1.0", "2.0", "3.0"]
    assert await cards.due(since=1.5 * MINUTE) == ["1.0", "2.0"]
    cards.clock.advance(LOOK_EVERY - 2 * MINUTE)
    assert await cards.due() == ["1.0"]
    cards.clock.advance(LOOK_EVERY)
    assert await cards.due() == ["1.0", "2.0", "3.0"]


async def test_cards_of_ended_checkpoints_are_left_alone(cards: Cards) -> None:
    """Unless something happened to their channel, and they do not show the end."""
    true, untrue = await cards.opens(), await cards.opens()
    await cards.told(says(true, choice=Choice.REJECT))
    await cards.tells()
    await cards.told(says(untrue, choice=Choice.REJECT))
    cards.clock.advance(timedelta(days=1))
    assert await cards.due(since=timedelta(days=1)) == []
    place = (await cards.of(untrue))[0].place
    await cards.told(partial(place_changed, surface="slack", place=place))
    assert await cards.due() == ["2.0"]


async def test_what_was_given_up_about_a_card_that_waits_is_tried_again_after_an_hour(
    cards: Cards,
) -> None:
    """Never at once, never silent for good; what ended stays given up."""
    waits, ended = await cards.store.write(waiting), await cards.store.write(waiting)
    await cards.told(says(ended, choice=Choice.REJECT))

    def give_up(tx: Tx) -> None:
        for delivery in outbox.claim(tx, "a", TERM, 9):
            outbox.give_up(tx, delivery.id, "a", "invalid_blocks")

    await cards.told(give_up)
    cards.clock.advance(timedelta(minutes=59))
    assert not await cards.store.read(is_anything_untold)
    assert await cards.store.write(take_up_again) == 0
    cards.clock.advance(MINUTE)
    assert await cards.store.read(is_anything_untold)
    assert await cards.store.write(take_up_again) == 1
    assert not await cards.store.read(is_anything_untold)
    assert [d.checkpoint_id for d in await cards.tells()] == [waits.id]


async def test_a_copy_nobody_makes_true_is_asked_for(cards: Cards) -> None:
    """A delivery that is done although its copy is not true would be a silent lie."""
    opened = await cards.opens()
    (card,) = await cards.of(opened)
    await cards.told(_grows(opened))
    claimed = await cards.store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    assert not await cards.store.read(is_anything_untold)
    for delivery in claimed:
        await cards.told(partial(outbox.finish, delivery_id=delivery.id, holder="a"))
    assert await cards.store.write(take_up_again) == 1
    await cards.tells()
    (drawn,) = await cards.of(opened)
    assert (drawn.id, drawn.shown_version) == (card.id, drawn.wanted_version)


def _grows(opened: Checkpoint) -> Callable[[Tx], None]:
    """Something about it changes."""
    return partial(postings.want_true, checkpoint_id=opened.id, version=2)


async def test_a_slow_update_does_not_bring_back_what_is_gone(cards: Cards) -> None:
    """Gone stays gone, whatever was under way."""
    opened = await cards.opens()
    (card,) = await cards.of(opened)
    await cards.looked(card, GONE)
    await cards.told(partial(record_shown, posting_id=card.id, version=1))
    await cards.told(partial(record_held, posting_id=card.id, reason="x"))
    await cards.looked(card, Stands())
    gone = await cards.store.read(partial(postings.load, posting_id=card.id))
    assert gone.state is PostingState.GONE
    pending = await cards.store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    assert [d.state for d in pending if d.posting_id == card.id] == [DeliveryState.DONE]
