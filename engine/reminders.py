"""When people are reminded of what waits for them. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.lifecycle import is_extended
from engine.model import Checkpoint, Nudge, Policy

APART = timedelta(minutes=10)
"""The least time between two reminders that nobody configured."""

SHORTEST = timedelta(minutes=20)
"""A deadline that comes sooner is not reminded of, unless somebody configured it."""

_QUIET = timedelta(minutes=1)  # the card itself is still fresh
_WARNING = timedelta(hours=1)


def reminder_times(policy: Policy, since: datetime, deadline: datetime) -> tuple[datetime, ...]:
    """When to remind between the question and its deadline, in order.

    What the policy says, as far as it lies in between. Where it says nothing: half-way and an
    hour before, where that is sparse enough; of two that are too close the later one stays,
    as it is the warning.
    """
    if policy.remind is not None:
        asked_for = {_moment(nudge, since, deadline) for nudge in policy.remind}
        return tuple(sorted(at for at in asked_for if since < at < deadline))
    if deadline - since < SHORTEST:
        return ()
    return _sparse({since + (deadline - since) / 2, deadline - _WARNING}, since)


def next_reminder(checkpoint: Checkpoint, now: datetime) -> datetime | None:
    """The first reminder of an open checkpoint that is still to come; None for no more."""
    policy, since = checkpoint.policy, checkpoint.created_at
    if is_extended(checkpoint):
        since += policy.expires_in  # the second deadline has reminders of its own
    times = reminder_times(policy, since, checkpoint.expires_at)
    return next((at for at in times if at > now), None)


def reminder_after(checkpoint: Checkpoint, told_at: datetime) -> datetime | None:
    """The first one after one that was told at this time; None for no more.

    One told late is not followed at once by the next, unless somebody configured them so.
    """
    pause = APART if checkpoint.policy.remind is None else timedelta()
    return next_reminder(checkpoint, told_at + pause)


def _moment(nudge: Nudge, since: datetime, deadline: datetime) -> datetime:
    return since + nudge.after if nudge.after is not None else deadline - (nudge.before or _WARNING)


def _sparse(times: Sequence[datetime] | set[datetime], since: datetime) -> tuple[datetime, ...]:
    kept: list[datetime] = []
    for at in sorted(times, reverse=True):
        if at > since + _QUIET and (not kept or kept[-1] - at >= APART):
            kept.append(at)
    return tuple(reversed(kept))
