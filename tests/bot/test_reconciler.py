"""The reconciler against a Slack that loses, deletes, archives and throws out, in any order.

Whatever happened: once Slack is well again and the bot has had the time to look, every
checkpoint that waits has a card that people can use, and every card that is known tells
the truth. And then nothing more is posted.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.directory import Directory
from bot.notifier import Notifier
from bot.reconciler import LOOKS_A_MINUTE, Reconciler
from bot.slack import Channel, Posted, Slack, SlackRefused, SlackUnreachable
from engine import (
    Checkpoint,
    Choice,
    DeliveryKind,
    DeliveryState,
    Outbox,
    Policy,
    Posting,
    PostingState,
    Store,
    adopt,
    checkpoint_view,
    deliveries_of,
    granted_groups,
    place_changed,
    repost,
    troubled_deliveries,
)
from engine.ending import expire_due
from tests.bot.fake_slack import HOME, SETTINGS, FakeSlack
from tests.engine.build import FakeClock, give_role, says, waiting

ROOM = "C0APPROVALS"
POLICY = Policy(quorum=2, remind=())


@dataclass
class Card:
    """A message with a card as it stands in the model."""

    ts: str
    of: str  # its checkpoint
    text: str
    is_there: bool = True


@dataclass
class ModelSlack(FakeSlack):
    """A channel that can be archived, or without the bot, and calls that can fail."""

    cards: list[Card] = field(default_factory=list)
    is_archived: bool = False
    has_us: bool = True
    is_down: bool = False
    loses_reply: bool = False
    outages: int = 0
    looks: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def channel(self, _wanted: str) -> Channel:
        self._reach()
        return Channel(
            ROOM, is_externally_shared=False, is_archived=self.is_archived, has_us=self.has_us
        )

    async def post(self, channel: str, text: str, blocks: Any, **more: Any) -> Posted:
        assert blocks
        if channel.startswith("D"):  # to one person, whom the room does not concern
            self._reach()
            return Posted(channel, "8.0")
        assert channel == ROOM
        self._enter("chat.postMessage")
        if more.get("thread") is not None:
            if all(card.ts != more["thread"] for card in self.standing()):
                raise SlackRefused("chat.postMessage", "thread_not_found")
            return Posted(ROOM, f"9.{more['thread']}")
        about = more["metadata"]["event_payload"]["checkpoint"]
        self.cards.append(Card(f"{len(self.cards) + 1}.0", about, text))
        if self.loses_reply:
            self.loses_reply = False
            raise SlackUnreachable("chat.postMessage: the reply was lost")
        return Posted(ROOM, self.cards[-1].ts)

    async def update(self, _channel: str, ts: str, text: str, _blocks: Any) -> None:
        self._enter("chat.update")
        self._card("chat.update", ts).text = text

    async def permalink(self, _channel: str, ts: str) -> str:
        self.looks += 1
        self._reach()
        return f"/{self._card('chat.getPermalink', ts).ts}"

    def standing(self) -> list[Card]:
        """What is there to be seen."""
        return [card for card in self.cards if card.is_there]

    def _reach(self) -> None:
        if self.is_down:
            raise SlackUnreachable("down")

    def _enter(self, method: str) -> None:
        self._reach()
        if self.is_archived or not self.has_us:
            raise SlackRefused(method, "is_archived" if self.is_archived else "not_in_channel")

    def _card(self, method: str, ts: str) -> Card:
        card = next((card for card in self.standing() if card.ts == ts), None)
        if card is None:
            raise SlackRefused(method, "message_not_found")
        return card


class World:
    """A bot, its record and its Slack; time passes only when told."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store, self.clock, self.slack = store, clock, ModelSlack()
        self.start()

    def start(self) -> None:
        """The bot starts, or starts again."""
        known = cast("Slack", self.slack)
        directory = Directory(known, HOME, self.clock, partial(self.store.read, granted_groups))
        notifier = Notifier(self.store, known, SETTINGS, directory)
        self.outbox = Outbox(self.store, notifier, "bot")
        self.reconciler = Reconciler(self.store, known, SETTINGS, "slack")

    async def opens(self, policy: Policy = POLICY) -> Checkpoint:
        """A checkpoint opens."""
        return await self.store.write(partial(waiting, policy=policy))

    async def passes(self, by: timedelta) -> None:
        """Time passes; the bot does what is due in it."""
        self.clock.advance(by)
        await self.reconciler.sweep()
        while await self.outbox.sweep():
            pass

    async def comes_to_rest(self) -> None:
        """Slack is well for four hours, without anybody saying so."""
        self.slack.is_down = self.slack.is_archived = self.slack.loses_reply = False
        self.slack.has_us = True
        for _ in range(8):
            await self.passes(timedelta(minutes=30))

    async def known(self, opened: Checkpoint) -> tuple[Posting, ...]:
        """The copies on record."""
        view = await self.store.read(partial(checkpoint_view, checkpoint_id=opened.id))
        assert view is not None
        return view.postings


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A bot whose cards go to #approvals."""
    clock = FakeClock()
    store = Store.open(f"sqlite:///{tmp_path}/signoff.db", clock)
    yield World(store, clock)
    store.close()


async def test_a_card_that_was_deleted_unseen_is_found_by_a_look(world: World) -> None:
    """Within a quarter of an hour, and posted again once."""
    await world.opens()
    await world.passes(timedelta())
    world.slack.cards[0].is_there = False
    await world.passes(timedelta(minutes=14))
    assert world.slack.standing() == []
    await world.passes(timedelta(minutes=2))
    assert len(world.slack.standing()) == 1
    await world.comes_to_rest()
    assert len(world.slack.cards) == 2


async def test_after_an_outage_every_card_is_looked_at(world: World) -> None:
    """What was deleted meanwhile is found at once; and so it is after a start."""
    await world.opens()
    await world.passes(timedelta())
    world.slack.cards[0].is_there = False
    world.slack.outages += 1
    world.clock.advance(timedelta(seconds=1))
    await world.passes(timedelta())
    assert len(world.slack.standing()) == 1
    world.slack.standing()[0].is_there = False
    world.clock.advance(timedelta(seconds=1))
    world.start()
    await world.passes(timedelta())
    await world.passes(timedelta(minutes=1))  # the second one that goes comes back later
    assert len(world.slack.standing()) == 1


async def test_looks_keep_to_their_budget(world: World) -> None:
    """However many cards wait: so many a minute, the others in the minutes after."""
    for _ in range(LOOKS_A_MINUTE + 5):
        await world.opens()
    await world.passes(timedelta())
    world.clock.advance(timedelta(seconds=1))
    world.reconciler.doubt()
    for _ in range(3):
        await world.passes(timedelta(seconds=10))
    assert world.slack.looks == LOOKS_A_MINUTE
    await world.passes(timedelta(seconds=51))
    assert world.slack.looks == LOOKS_A_MINUTE + 5


async def test_a_look_that_gets_no_answer_says_nothing(world: World) -> None:
    """A Slack that is down has not deleted anything: no card is posted again."""
    opened = await world.opens()
    await world.passes(timedelta())
    world.slack.is_down = True
    await world.passes(timedelta(hours=1))
    (posting,) = await world.known(opened)
    assert posting.state is PostingState.POSTED
    await world.comes_to_rest()
    assert len(world.slack.cards) == 1


async def test_what_belongs_into_the_thread_of_a_settled_card_that_was_deleted_is_not_said(
    world: World,
) -> None:
    """Somebody wanted it away: nothing is posted in its place, and it is no trouble to a doctor."""
    opened = await world.opens()
    await world.passes(timedelta())
    world.slack.cards[0].is_there = False
    world.clock.advance(timedelta(days=4))
    await world.store.write(expire_due)
    while await world.outbox.sweep():
        pass
    told = await world.store.read(partial(deliveries_of, checkpoint_id=opened.id))
    states = {d.kind: d.state for d in told}
    assert states[DeliveryKind.POSTING] is DeliveryState.VOID
    assert states[DeliveryKind.EXPIRED] is DeliveryState.VOID
    assert await world.store.read(troubled_deliveries) == []
    assert len(world.slack.cards) == 1


@dataclass
class Hands:
    """What people, Slack and the machine do; each act is given a number to choose by."""

    world: World
    opened: list[Checkpoint] = field(default_factory=list)

    async def open(self, _at: int) -> None:
        self.opened.append(await self.world.opens())

    async def vote(self, at: int) -> None:
        await self.world.store.write(says(self.opened[at % len(self.opened)]))

    async def reject(self, at: int) -> None:
        refused = says(self.opened[at % len(self.opened)], choice=Choice.REJECT)
        await self.world.store.write(refused)

    async def wait(self, at: int) -> None:
        await self.world.passes(timedelta(minutes=at))

    async def delete(self, at: int) -> Card | None:
        there = self.world.slack.standing()
        if not there:
            return None
        card = there[at % len(there)]
        card.is_there = False
        return card

    async def delete_and_tell(self, at: int) -> None:
        card = await self.delete(at)
        if card is not None:
            gone = partial(repost, surface="slack", place=ROOM, handle=card.ts)
            await self.world.store.write(gone)

    async def archive(self, at: int) -> None:
        self.world.slack.is_archived = at % 2 == 0

    async def remove(self, at: int) -> None:
        self.world.slack.has_us = at % 2 == 1

    async def tell_of_room(self, _at: int) -> None:
        await self.world.store.write(partial(place_changed, surface="slack", place=ROOM))

    async def down(self, at: int) -> None:
        slack = self.world.slack
        was, slack.is_down = slack.is_down, at % 2 == 0
        slack.outages += was and not slack.is_down

    async def lose_reply(self, _at: int) -> None:
        self.world.slack.loses_reply = True

    async def tell_of_posts(self, _at: int) -> None:
        """Late, and of cards that are long gone, too."""
        for card in self.world.slack.cards:
            take = partial(adopt, checkpoint_id=card.of, surface="slack", place=ROOM)
            await self.world.store.write(partial(take, handle=card.ts))

    async def restart(self, _at: int) -> None:
        self.world.start()


ACTS = tuple(name for name in vars(Hands) if not name.startswith("_") and name != "opened")


async def _history(world: World, acts: list[tuple[str, int]]) -> None:
    await world.store.write(partial(give_role, user="U0ANA"))
    hands = Hands(world)
    await hands.open(0)
    for act, at in acts:
        await getattr(hands, act)(at)
        await world.passes(timedelta(seconds=5))
    await world.comes_to_rest()
    there = {card.ts: card.text for card in world.slack.standing()}
    for checkpoint in hands.opened:
        view = await world.store.read(partial(checkpoint_view, checkpoint_id=checkpoint.id))
        assert view is not None
        live = [p for p in view.postings if p.handle in there]
        if view.checkpoint.is_open:
            assert live, "it waits, and nobody can see a card"
            assert len(view.postings) == len(live), "a card on record is not there"
        for posting in live:
            assert posting.state is PostingState.POSTED
            assert posting.shown_version == posting.wanted_version == view.checkpoint.version
            is_open = "Approval needed" in there[str(posting.handle)]
            assert is_open is view.checkpoint.is_open
    posted = len(world.slack.cards)
    for _ in range(8):
        await world.passes(timedelta(minutes=20))
    assert len(world.slack.cards) == posted, "it posts for ever"


@pytest.mark.storm
@pytest.mark.timeout(300)
@settings(max_examples=12)
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 20)), max_size=14))
def test_at_rest_every_card_is_there_and_true(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    """Any history of posts, lost replies, deletions, closed rooms, outages and restarts."""
    clock = FakeClock()
    folder = tmp_path_factory.mktemp("history")
    store = Store.open(f"sqlite:///{folder}/signoff.db", clock)
    try:
        asyncio.run(_history(World(store, clock), acts))
    finally:
        store.close()
