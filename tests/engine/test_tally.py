"""How approvals went in a while."""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import CheckpointState, Choice
from engine.store.writer import Store
from engine.tally import Waits, tally, waits_of
from tests.engine.build import NOW, TENANT, FakeClock, everything, give_roles, says, waiting

WEEK = partial(tally, tenants=[TENANT], since=NOW)


async def test_a_tally_counts_what_was_asked_and_how_it_ended(
    store: Store, clock: FakeClock
) -> None:
    """Two approvals after one and three minutes, a rejection, an expiry, and one that waits."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    for minutes, choice in ((1, Choice.APPROVE), (3, Choice.APPROVE), (5, Choice.REJECT)):
        opened = await store.write(waiting)
        clock.advance(timedelta(minutes=minutes))
        await store.write(says(opened, choice=choice))
    waits = await store.write(waiting)
    before = await store.read(everything)
    found = await store.read(WEEK)
    assert await store.read(everything) == before
    assert (found.asked, found.pending, found.oldest) == (4, 1, waits.created_at)
    assert found.ended == {
        CheckpointState.APPROVED: 2,
        CheckpointState.REJECTED: 1,
        CheckpointState.EXPIRED: 0,
        CheckpointState.CANCELLED: 0,
    }
    assert found.approval_rate == pytest.approx(2 / 3)
    assert found.waits == Waits(2, timedelta(minutes=1), timedelta(minutes=3))
    assert (found.by_rule, found.as_of) == (0, clock.now())


async def test_a_tally_is_of_these_tenants_this_dag_and_this_while(
    store: Store, clock: FakeClock
) -> None:
    """Nothing of anybody else's, and nothing older; what waits is told as of now."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    opened = await store.write(waiting)
    await store.write(says(opened))
    clock.advance(timedelta(days=8))
    later = await store.read(partial(WEEK, since=clock.now() - timedelta(days=7)))
    assert (later.asked, later.ended[CheckpointState.APPROVED], later.waits) == (0, 0, None)
    for narrowed in (partial(WEEK, tenants=["other"]), partial(WEEK, dag="other")):
        assert (await store.read(narrowed)).asked == 0
    assert (await store.read(partial(WEEK, dag="deploy"))).asked == 1
    nothing = await store.read(partial(WEEK, tenants=[]))
    assert (nothing.asked, nothing.pending, nothing.approval_rate) == (0, 0, None)


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_a_percentile_is_a_time_that_somebody_waited(seconds: list[int]) -> None:
    """At least half waited no longer than the median, and 95 in a hundred no longer than p95."""
    found = waits_of(seconds)
    assert found is not None
    for span, percent in ((found.median, 50), (found.p95, 95)):
        assert span.total_seconds() in seconds
        no_longer = sum(one <= span.total_seconds() for one in seconds)
        assert no_longer * 100 >= percent * len(seconds)
