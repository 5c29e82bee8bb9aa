"""What is over, and runs: in pages, the newest first, by tenant, person and time."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine.mine import mine_page
from engine.model import CheckpointState, Choice, RunState
from engine.past import PastFilter, RunFilter, past_page, run_page
from engine.queries import pending_page
from engine.store.past import Mark
from engine.store.writer import Store
from tests.engine.build import (
    TENANT,
    FakeClock,
    caller,
    everything,
    give_roles,
    new_run,
    says,
    waiting,
)

HERE = PastFilter(tenants=[TENANT])
MINUTE = timedelta(minutes=1)


async def ended(store: Store, clock: FakeClock, *choices: Choice) -> list[str]:
    """Checkpoints that Ana answers one after the other, a minute apart."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    made: list[str] = []
    for choice in choices:
        opened = await store.write(waiting)
        clock.advance(MINUTE)
        await store.write(says(opened, choice=choice))
        made.append(opened.id)
    return made


async def found(store: Store, **changes: Any) -> list[str]:
    wanted = PastFilter(**{"tenants": [TENANT], **changes})
    page = await store.read(partial(past_page, wanted=wanted, limit=9))
    return [view.checkpoint.id for view in page.items]


async def test_what_ended_comes_newest_first_in_pages(store: Store, clock: FakeClock) -> None:
    """Together the pages show each once; the last leads nowhere."""
    made = await ended(store, clock, *[Choice.APPROVE] * 5)
    seen: list[str] = []
    after: Mark | None = None
    for size in (2, 2, 1):
        page = await store.read(partial(past_page, wanted=HERE, limit=2, after=after))
        assert (len(page.items), page.as_of) == (size, clock.now())
        seen += [view.checkpoint.id for view in page.items]
        after = page.after
    assert after is None
    assert seen == made[::-1]


async def test_the_past_is_narrowed(store: Store, clock: FakeClock) -> None:
    """By how it ended, by DAG, by who answered, and by when."""
    approved, rejected = await ended(store, clock, Choice.APPROVE, Choice.REJECT)
    assert await found(store, states=frozenset({CheckpointState.REJECTED})) == [rejected]
    assert await found(store, dag="nothing") == []
    assert await found(store, dag="deploy") == [rejected, approved]
    assert await found(store, by=caller("U0ANA").identity) == [rejected, approved]
    assert await found(store, by=caller("U0BOB").identity) == []
    assert await found(store, by=caller("U0NOBODY").identity) == []
    assert await found(store, since=clock.now()) == [rejected]
    assert await found(store, tenants=["other"]) == []
    assert await found(store, tenants=[]) == []


async def test_what_is_overdue_is_past_before_any_sweep(store: Store, clock: FakeClock) -> None:
    """It waits for nobody any more, so it is here, once, and where its deadline puts it."""
    overdue = await store.write(waiting)
    clock.set(overdue.expires_at + MINUTE)
    (later,) = await ended(store, clock, Choice.APPROVE)
    before = await store.read(everything)
    assert await found(store) == [later, overdue.id]
    assert await found(store, states=frozenset({CheckpointState.EXPIRED})) == [overdue.id]
    assert await found(store, by=caller("U0ANA").identity) == [later]
    first = await store.read(partial(past_page, wanted=HERE, limit=1))
    second = await store.read(partial(past_page, wanted=HERE, limit=1, after=first.after))
    assert [view.checkpoint.id for view in second.items] == [overdue.id]
    assert second.after is None
    assert await store.read(everything) == before


async def test_what_waits_is_not_past(store: Store) -> None:
    """It is in the list of what waits."""
    await store.write(waiting)
    assert await found(store) == []


async def test_what_waits_is_narrowed_to_a_person(store: Store) -> None:
    """By who answered already, or by who started the run; also among what waits for me."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened = await store.write(partial(waiting, requester="U0REQ"))
    ana, req = caller("U0ANA"), caller("U0REQ").identity
    for query in (pending_page, partial(mine_page, caller=ana)):
        for account, count in ((req, 1), (ana.identity, 0)):
            page = await store.read(partial(query, limit=9, asked_by=account))
            assert [one.id for one in page.items] == [opened.id] * count
        page = await store.read(partial(query, limit=9, by=ana.identity))
        assert page.items == ()


async def test_runs_come_newest_first_with_what_they_wait_for(
    store: Store, clock: FakeClock
) -> None:
    """Who asked, what is open, in pages; of the tenants that were asked about only."""
    opened = await store.write(waiting)
    clock.advance(MINUTE)
    queued = await store.write(partial(new_run, requester="U0ANA"))
    here = RunFilter(tenants=[TENANT])
    first = await store.read(partial(run_page, wanted=here, limit=1))
    assert [line.run.id for line in first.items] == [queued]
    second = await store.read(partial(run_page, wanted=here, limit=1, after=first.after))
    (line,) = second.items
    assert (line.run.id, line.requester.name, second.after) == (opened.run_id, "Req", None)
    assert [one.id for one in line.waits_for] == [opened.id]
    clock.set(opened.expires_at)
    (_, later) = (await store.read(partial(run_page, wanted=here, limit=9))).items
    assert later.waits_for == ()
    assert (await store.read(partial(run_page, wanted=RunFilter(tenants=[]), limit=9))).items == ()


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"states": frozenset({RunState.QUEUED})}, 1),
        ({"states": frozenset({RunState.FAILED})}, 0),
        ({"dag": "deploy"}, 2),
        ({"dag": "other"}, 0),
        ({"asked_by": caller("U0ANA").identity}, 1),
        ({"asked_by": caller("U0NOBODY").identity}, 0),
    ],
)
async def test_runs_are_narrowed(store: Store, changes: dict[str, Any], count: int) -> None:
    """By state, by DAG, by who asked."""
    await store.write(waiting)
    await store.write(partial(new_run, requester="U0ANA"))
    wanted = RunFilter(tenants=[TENANT], **changes)
    page = await store.read(partial(run_page, wanted=wanted, limit=9))
    assert len(page.items) == count
