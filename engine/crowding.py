"""Many cards wait for one lane: one message says so meanwhile, and is kept true.

It is a row, so that a restart neither forgets the message nor posts it again.
"""

from dataclasses import dataclass
from datetime import timedelta

from engine.model import Checkpoint
from engine.store import backlogs, checkpoints
from engine.store.backlogs import Backlog
from engine.store.writer import Tx

_CLAIM_TERM = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What the message of a lane should say now."""

    backlog: Backlog
    waiting: int  # cards
    urgent: tuple[Checkpoint, ...]  # the nearest deadline first


def crowded_lanes(tx: Tx, least: int) -> list[str]:
    """The lanes in which at least so many cards wait and nothing says so yet."""
    return backlogs.crowded(tx, least)


def begin_backlog(tx: Tx, lane: str, after: timedelta) -> None:
    """A message should say so, `after` a moment in which the crowd arrives."""
    backlogs.begin(tx, lane, tx.now + after)


def take_crowds(tx: Tx, holder: str, rows: int) -> list[Crowd]:
    """What is to be drawn now, taken so that nobody else draws it. `rows`: how many are named.

    One whose crowd went before it was told of ends here.
    """
    taken = []
    for backlog in backlogs.unclaimed(tx):
        waiting = backlogs.count_waiting(tx, backlog.lane)
        if not waiting and backlog.handle is None:
            backlogs.end(tx, backlog.id)
        elif _is_due(tx, backlog, waiting):
            backlogs.claim(tx, backlog.id, holder, _CLAIM_TERM)
            taken.append(_crowd(tx, backlog, waiting, rows))
    return taken


def record_crowd(
    tx: Tx, crowd: Crowd, holder: str, place: str, handle: str, every: timedelta
) -> None:
    """The message says it, and is not drawn again for a while; once nothing waits it is done."""
    next_at = tx.now + every
    backlogs.drawn(tx, crowd.backlog, holder, place, handle, crowd.waiting, next_at)
    if not crowd.waiting:
        backlogs.end(tx, crowd.backlog.id)


def put_back_crowd(tx: Tx, crowd: Crowd, holder: str, after: timedelta) -> None:
    """It could not be told now."""
    backlogs.put_back(tx, crowd.backlog.id, holder, tx.now + after)


def end_backlog(tx: Tx, crowd: Crowd) -> None:
    """The message is gone. While there is a crowd it gets another."""
    backlogs.end(tx, crowd.backlog.id)


def _is_due(tx: Tx, backlog: Backlog, waiting: int) -> bool:
    if backlog.handle is not None and waiting == backlog.waiting:
        return False
    return not waiting or backlog.due_at <= tx.now


def _crowd(tx: Tx, backlog: Backlog, waiting: int, rows: int) -> Crowd:
    named = backlogs.most_urgent(tx, backlog.lane, rows)
    found = (checkpoints.load(tx, checkpoint_id) for checkpoint_id in named)
    urgent = tuple(checkpoint for checkpoint in found if checkpoint is not None)
    return Crowd(backlog=backlog, waiting=waiting, urgent=urgent)
