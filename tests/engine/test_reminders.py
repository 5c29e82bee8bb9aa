"""When people are reminded: sparse by default, as configured otherwise, and never after the end."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lifecycle import extend
from engine.model import Escalation, Nudge, OnExpire, Policy
from engine.reminders import APART, SHORTEST, next_reminder, reminder_after, reminder_times
from tests.engine.build import NOW, checkpoint

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

spans = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=365))
nudges = st.builds(Nudge, after=spans) | st.builds(Nudge, before=spans)
policies = st.builds(
    Policy,
    expires_in=spans,
    remind=st.none() | st.lists(nudges, max_size=5).map(tuple),
)


def minutes(policy: Policy) -> list[float]:
    """When a policy reminds, in minutes after the question."""
    times = reminder_times(policy, NOW, NOW + policy.expires_in)
    return [(at - NOW) / MINUTE for at in times]


@pytest.mark.parametrize(
    ("expires_in", "reminded"),
    [
        (72 * HOUR, [36 * 60, 71 * 60]),  # half-way, and an hour before
        (2 * HOUR, [60]),  # both at once
        (2 * HOUR + 8 * MINUTE, [68]),  # too close: the warning stays
        (65 * MINUTE, [5, 32.5]),
        (61 * MINUTE, [30.5]),  # an hour before is in the first minute
        (20 * MINUTE, [10]),
        (19 * MINUTE, []),
    ],
)
def test_by_default_half_way_and_an_hour_before(
    expires_in: timedelta, reminded: list[float]
) -> None:
    """Only where that is sparse, and the card is not fresh any more."""
    assert minutes(Policy(expires_in=expires_in)) == reminded


def test_what_is_configured_holds_as_it_is() -> None:
    """In order, each once; what lies outside of the question and its deadline is left out."""
    remind = (
        Nudge(before=5 * MINUTE),
        Nudge(after=1 * MINUTE),
        Nudge(after=2 * HOUR),
        Nudge(before=59 * MINUTE),
    )
    assert minutes(Policy(expires_in=HOUR, remind=remind)) == [1, 55]


def test_none_turns_reminders_off() -> None:
    """Whatever the deadline."""
    assert minutes(Policy(remind=())) == []


@given(policies)
def test_reminders_lie_in_order_between_the_question_and_its_deadline(policy: Policy) -> None:
    """And those that nobody configured are sparse."""
    times = reminder_times(policy, NOW, NOW + policy.expires_in)
    assert list(times) == sorted(set(times))
    assert all(NOW < at < NOW + policy.expires_in for at in times)
    if policy.remind is None:
        assert len(times) <= 2
        assert not times or policy.expires_in >= SHORTEST
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(gap >= APART for gap in gaps)
        assert all(at - NOW > MINUTE for at in times)
    else:
        assert len(times) <= len(policy.remind)


@given(policies, st.lists(spans, max_size=5))
def test_each_is_due_once_however_late_it_is_told(policy: Policy, outages: list[timedelta]) -> None:
    """After an outage one is told, not one for each that was missed."""
    asked = checkpoint(policy)
    told_at, told, due = [], 0, next_reminder(asked, NOW)
    delays = iter(outages)
    while due is not None:
        told_at.append(due + next(delays, timedelta()))
        told += 1
        following = reminder_after(asked, told_at[-1])
        assert following is None or following > told_at[-1]
        due = following
    assert told <= len(reminder_times(policy, NOW, asked.expires_at))
    assert told_at == sorted(told_at)


def test_a_late_one_is_not_followed_at_once() -> None:
    """One that was told nine minutes before the next stands for it, unless configured."""
    asked = checkpoint(Policy(expires_in=72 * HOUR))
    assert reminder_after(asked, NOW + 36 * HOUR) == NOW + 71 * HOUR
    assert reminder_after(asked, NOW + 71 * HOUR - 9 * MINUTE) is None
    close = (Nudge(after=5 * MINUTE), Nudge(after=8 * MINUTE))
    configured = checkpoint(Policy(remind=close))
    assert reminder_after(configured, NOW + 5 * MINUTE) == NOW + 8 * MINUTE


def test_the_second_deadline_has_reminders_of_its_own() -> None:
    """Half-way and an hour before again, counted from the first deadline."""
    policy = Policy(
        expires_in=10 * HOUR, on_expire=OnExpire.ESCALATE, escalate=Escalation(("Admin",))
    )
    extended = extend(checkpoint(policy))
    assert next_reminder(extended, NOW + 10 * HOUR) == NOW + 15 * HOUR
    assert next_reminder(extended, NOW + 15 * HOUR) == NOW + 19 * HOUR
