"""Which of the deliveries that wait for one budget goes first. Pure."""

from engine import CheckpointView, DeliveryKind

_NUDGES = frozenset({DeliveryKind.REMINDER, DeliveryKind.REVIEW_OPEN, DeliveryKind.REACH})

NEW_CARDS, NEWS, NUDGES, LATE_RECORDS = range(4)
"""The ranks, the lowest first.

People can decide nothing before its card is there; then what has happened; then reminders.
Last the record of what was decided elsewhere before its card could be posted: nobody waits
for that one.
"""


def rank_of(view: CheckpointView, kind: DeliveryKind) -> int:
    """The rank of something to tell about a checkpoint."""
    if kind is DeliveryKind.POSTING:
        is_posted = any(posting.handle is not None for posting in view.postings)
        return NEW_CARDS if view.checkpoint.is_open or is_posted else LATE_RECORDS
    return NUDGES if kind in _NUDGES else NEWS
