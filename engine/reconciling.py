"""The record against what stands outside: what a look at a copy of a card found, and what follows.

| found | its checkpoint waits | it has ended |
| --- | --- | --- |
| stands | drawn, if it is not true | drawn, if it is not true |
| gone | posted anew, unless another copy stands in for it | forgotten |
| unreachable | held; asked for elsewhere, if the configuration leads elsewhere now | held |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.events import PostingLost
from engine.model import Checkpoint
from engine.store import checkpoints, looks, outbox, postings, trail
from engine.store.postings import Posting, PostingState
from engine.store.writer import Tx

LOOK_EVERY = timedelta(minutes=15)
"""How long a copy of a card that waits is believed to stand without a look."""

_REVIVED_AFTER = timedelta(hours=1)
_AT_ONCE = 32  # given up or forgotten deliveries that one sweep takes up again
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stands:
    """The copy is where it should be."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The copy is not there any more, or not ours to draw; `why` in the surface's own word."""

    why: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """It may be there, but nobody can use or redraw it now."""

    why: str


Verdict = Stands | Gone | Unreachable


def wait_before_posting_anew(losses: int) -> timedelta:
    """How long to wait after this many copies were deleted: the first one comes back at once.

    Whatever deletes each one as it comes, a retention rule perhaps, is not fought with.
    """
    if losses <= 1:
        return timedelta()
    wait: timedelta = min(timedelta(minutes=1) * 2 ** min(losses - 2, 16), _LONGEST_WAIT)
    return wait


def to_look_at(tx: Tx, surface: str, since: datetime, limit: int) -> list[Posting]:
    """Copies to look at next. Every one of a card that waits is due which was seen before `since`.

    `since` is when news may have been missed: a start, or the end of an outage.
    """
    return looks.due(tx, surface, max(since, tx.now - LOOK_EVERY), limit)


def record_look(tx: Tx, posting_id: int, verdict: Verdict) -> None:
    """A copy was looked at."""
    match verdict:
        case Gone(why=why):
            lose(tx, posting_id, why)
        case Unreachable(why=why):
            postings.hold(tx, posting_id, why)
        case Stands():
            _note_standing(tx, posting_id)


def _note_standing(tx: Tx, posting_id: int) -> None:
    posting = postings.load(tx, posting_id)
    if posting.state is PostingState.GONE:
        return  # told by an event while the look was under way
    looks.stands(tx, posting_id)
    if posting.shown_version < posting.wanted_version:
        postings.ask(tx, posting.checkpoint_id, posting_id)


def lose(tx: Tx, posting_id: int, why: str) -> timedelta | None:
    """A copy is gone. Returns how long until it is posted anew; None when it is not."""
    posting = postings.load(tx, posting_id)
    if posting.handle is None or posting.state is PostingState.GONE:
        return None
    postings.forget(tx, posting_id)
    checkpoint = checkpoints.load(tx, posting.checkpoint_id)
    if checkpoint is None or not checkpoint.is_open:
        return None
    _tell_of_loss(tx, checkpoint, posting, why)
    if any(_stands_in(other, posting) for other in postings.of_checkpoint(tx, checkpoint.id)):
        return None
    wait = wait_before_posting_anew(postings.count_gone(tx, checkpoint.id, posting.asked_place))
    _want_again(tx, checkpoint, posting, tx.now + wait)
    return wait


def ask_elsewhere(tx: Tx, posting_id: int, place: str) -> bool:
    """A held copy would be posted to another place now: ask for one there.

    The held one stays known: should its place open again, it must not stand there untrue.
    """
    posting = postings.load(tx, posting_id)
    checkpoint = checkpoints.load(tx, posting.checkpoint_id)
    if posting.state is not PostingState.HELD or posting.place == place:
        return False
    if checkpoint is None or not checkpoint.is_open:
        return False
    others = [p for p in postings.of_checkpoint(tx, checkpoint.id) if p.id != posting.id]
    if any(
        _stands_in(o, posting) or (o.surface, o.place) == (posting.surface, place) for o in others
    ):
        return False
    _want_again(tx, checkpoint, posting, tx.now)
    return True


def is_anything_untold(tx: Tx) -> bool:
    """Whether there is something for `take_up_again`."""
    long_ago = tx.now - _REVIVED_AFTER
    return bool(looks.given_up(tx, long_ago, 1) or looks.owed(tx, long_ago, 1))


def take_up_again(tx: Tx) -> int:
    """Nothing about a checkpoint that waits stays untold in silence; returns how much was found.

    What was given up is tried again after an hour, and a copy that nobody is making true
    is asked for.
    """
    long_ago = tx.now - _REVIVED_AFTER
    dropped = looks.given_up(tx, long_ago, _AT_ONCE)
    for delivery_id in dropped:
        outbox.revive(tx, delivery_id)
    forgotten = looks.owed(tx, long_ago, _AT_ONCE)
    for checkpoint_id, posting_id in forgotten:
        postings.ask(tx, checkpoint_id, posting_id)
    return len(dropped) + len(forgotten)


def place_changed(tx: Tx, surface: str, place: str) -> None:
    """Something happened to a place: look at what stands there, and try what waits for it."""
    looks.soon(tx, surface, place)
    outbox.hurry(tx)


def unreachable_cards(tx: Tx, limit: int = 20) -> list[Posting]:
    """Copies of cards that wait which stand where nobody can use them now."""
    return looks.unreachable(tx, limit)


def _stands_in(other: Posting, lost: Posting) -> bool:
    """Whether one copy does for another: there or on its way, and asked for at the same place."""
    if (other.surface, other.asked_place) != (lost.surface, lost.asked_place):
        return False
    return other.handle is None or other.state is PostingState.POSTED


def _want_again(tx: Tx, checkpoint: Checkpoint, lost: Posting, due_at: datetime) -> None:
    place = lost.asked_place
    postings.want(tx, checkpoint.id, lost.surface, place, checkpoint.version, due_at=due_at)


def _tell_of_loss(tx: Tx, checkpoint: Checkpoint, lost: Posting, why: str) -> None:
    trail.append(
        tx,
        PostingLost(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            surface=lost.surface,
            place=lost.place,
            handle=lost.handle or "",
            why=why,
        ),
    )
