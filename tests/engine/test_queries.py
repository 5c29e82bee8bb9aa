"""What surfaces read: as it effectively is, in pages, without changing anything."""

from datetime import timedelta
from functools import partial

import pytest

from engine import mine as mine_module
from engine.identity import Caller, Identity, Principal, Role, Standing
from engine.lenders import earlier_voters
from engine.mine import mine_page
from engine.model import CheckpointState, Choice, Policy, RunState
from engine.people import LocalMode
from engine.queries import (
    checkpoint_view,
    listed_checkpoints,
    listed_runs,
    pending_page,
    roles,
    run_view,
)
from engine.store import checkpoints, people
from engine.store.writer import Store, Tx
from tests.engine.build import (
    NOW,
    TENANT,
    FakeClock,
    caller,
    cli_caller,
    everything,
    give_role,
    give_roles,
    new_run,
    says,
    waiting,
)

ANA = caller("U0ANA")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here: the statements are in the contract suite."""
    return sqlite_store


async def mine(store: Store, who: Caller = ANA, limit: int = 9) -> list[str]:
    page = await store.read(partial(mine_page, caller=who, limit=limit))
    return [checkpoint.id for checkpoint in page.items]


# One


async def test_a_view_has_all_that_a_card_shows(store: Store) -> None:
    """The checkpoint, who asked, whose votes stand, its run and its copies."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened = await store.write(partial(waiting, policy=Policy(quorum=3, reject_quorum=2)))
    await store.write(says(opened, "U0ANA", Choice.REJECT, reason="no"))
    await store.write(says(opened, "U0BOB"))
    await store.write(says(opened, "U0ANA", reason="yes"))
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert view.checkpoint == await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert (view.requester.name, view.requested_as) == ("Req", "slack:T0HOME:U0REQ")
    voices = {(v.person.name, v.choice, v.reason) for v in view.voices}
    assert voices == {("Ana", "approve", "yes"), ("Bob", "approve", "looks good")}
    assert {v.person.slack for v in view.voices} == {
        caller("U0ANA").identity,
        caller("U0BOB").identity,
    }
    assert (view.run.id, view.run.state) == (opened.run_id, RunState.PAUSED)
    assert [posting.handle for posting in view.postings] == [None]


async def test_an_overdue_checkpoint_reads_as_expired_before_any_sweep(
    store: Store, clock: FakeClock
) -> None:
    """Every read agrees with what a click would be told; the row itself is untouched."""
    opened = await store.write(waiting)
    clock.set(opened.expires_at)
    before = await store.read(everything)
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert view.checkpoint.state is CheckpointState.EXPIRED
    assert view.checkpoint.ended_at == opened.expires_at
    of_run = await store.read(partial(run_view, run_id=opened.run_id))
    assert of_run is not None
    assert [c.state for c in of_run.checkpoints] == ["expired"]
    assert (await store.read(partial(pending_page, limit=9))).items == ()
    listed = partial(listed_checkpoints, limit=9)
    assert await store.read(partial(listed, state=CheckpointState.PENDING)) == []
    (expired,) = await store.read(partial(listed, state=CheckpointState.EXPIRED))
    assert expired.id == opened.id
    assert await store.read(everything) == before


async def test_what_does_not_exist_is_none(store: Store) -> None:
    """An unknown id is no error, also when no database could hold it."""
    for name in ("cp_gone", "", "cp_\ud800", "cp_\x00"):
        assert await store.read(partial(checkpoint_view, checkpoint_id=name)) is None
    assert await store.read(partial(run_view, run_id="run_gone")) is None


async def test_a_view_of_a_run_has_its_graph_and_its_checkpoints(store: Store) -> None:
    """Tasks in the order they were declared, checkpoints in the order they were asked."""
    opened = await store.write(waiting)
    view = await store.read(partial(run_view, run_id=opened.run_id))
    assert view is not None
    assert list(view.tasks) == [task.id for task in view.dag.tasks] == ["build", "release", "ship"]
    assert [c.id for c in view.checkpoints] == [opened.id]
    assert view.requester.name == "Req"


async def test_the_accounts_behind_standing_votes_are_known(store: Store) -> None:
    """A surface looks up exactly these again before the next decision."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened = await store.write(partial(waiting, policy=Policy(quorum=3)))
    voters = partial(earlier_voters, checkpoint_id=opened.id)
    assert await store.read(voters) == ()
    await store.write(says(opened, "U0ANA"))
    await store.write(says(opened, "U0BOB"))
    expected: set[Identity] = {caller(user).identity for user in ("U0ANA", "U0BOB")}
    assert set(await store.read(voters)) == expected


# Pages


async def test_pages_lead_on_until_the_end(store: Store, clock: FakeClock) -> None:
    """Each page says whether there is another; together they show each checkpoint once."""
    opened = []
    for _ in range(5):
        opened.append(await store.write(waiting))
        clock.advance(timedelta(minutes=1))
    seen, after = [], None
    for size in (2, 2, 1):
        page = await store.read(partial(pending_page, limit=2, after=after))
        assert (len(page.items), page.as_of) == (size, clock.now())
        seen += [c.id for c in page.items]
        after = page.after
    assert after is None
    assert seen == [c.id for c in opened]


async def test_a_full_last_page_leads_nowhere(store: Store) -> None:
    """Exactly `limit` items are all there is."""
    await store.write(waiting)
    page = await store.read(partial(pending_page, limit=1))
    assert (len(page.items), page.after) == (1, None)


async def test_lists_are_newest_first_and_filtered(store: Store, clock: FakeClock) -> None:
    """By state and tenant; a decided checkpoint is still listed."""
    await store.write(partial(give_role, user="U0ANA"))
    first = await store.write(waiting)
    clock.advance(timedelta(minutes=1))
    second = await store.write(waiting)
    await store.write(says(first))
    listed = partial(listed_checkpoints, limit=9)
    assert [c.id for c in await store.read(listed)] == [second.id, first.id]
    approved = await store.read(partial(listed, state=CheckpointState.APPROVED))
    assert [c.id for c in approved] == [first.id]
    assert await store.read(partial(listed, tenant="other")) == []
    assert len(await store.read(partial(listed, tenant=TENANT, dag="deploy"))) == 2


async def test_runs_are_listed_newest_first(store: Store, clock: FakeClock) -> None:
    """By state and tenant."""
    first = await store.write(new_run)
    clock.advance(timedelta(minutes=1))
    opened = await store.write(waiting)
    listed = partial(listed_runs, limit=9)
    assert [run.id for run in await store.read(listed)] == [opened.run_id, first]
    paused = await store.read(partial(listed, state=RunState.PAUSED))
    assert [run.id for run in paused] == [opened.run_id]
    assert await store.read(partial(listed, tenant="other")) == []


# Mine


async def test_mine_is_what_i_may_decide_and_have_not(store: Store) -> None:
    """My own request, what I voted on, what needs more than I hold and other lists are left out."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    open_to_me = await store.write(waiting)
    await store.write(partial(waiting, requester="U0ANA"))
    await store.write(partial(waiting, policy=Policy(required_role=Role.ADMIN)))
    await store.write(partial(waiting, policy=Policy(approvers=(Principal.parse("U0BOB"),))))
    voted = await store.write(partial(waiting, policy=Policy(quorum=2)))
    assert set(await mine(store)) == {open_to_me.id, voted.id}
    await store.write(says(voted, "U0ANA"))
    assert await mine(store) == [open_to_me.id]
    assert await mine(store, caller("U0EVE")) == []
    assert await mine(store, caller("U0ANA", standing=Standing.DEACTIVATED)) == []


async def test_mine_works_for_whoever_was_never_seen_before(store: Store) -> None:
    """An approver who has never clicked anything finds what waits for them; nothing is written."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0NEW"))
    before = await store.read(everything)
    assert await mine(store, caller("U0NEW")) == [opened.id]
    assert await store.read(everything) == before


async def test_mine_leads_on_past_what_is_not_mine(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at so many rows; what lies beyond them is reached by its cursor."""
    monkeypatch.setattr(mine_module, "_SCAN", 3)
    await store.write(partial(give_role, user="U0ANA"))
    for _ in range(4):
        await store.write(partial(waiting, requester="U0ANA"))
        clock.advance(timedelta(minutes=1))
    far = await store.write(waiting)
    first = await store.read(partial(mine_page, caller=ANA, limit=2))
    assert first.items == ()
    assert first.after is not None
    second = await store.read(partial(mine_page, caller=ANA, limit=2, after=first.after))
    assert [c.id for c in second.items] == [far.id]
    assert second.after is None


# Roles


async def test_whoami_says_every_role_with_its_source(store: Store) -> None:
    """In each tenant, and in local mode also what the variable gives."""

    def prepare(tx: Tx) -> None:
        give_role(tx, "U0ANA", Role.ADMIN)
        give_role(tx, "U0ANA", Role.VIEWER, tenant="other")
        people.add_grant(tx, Principal.parse("os:root"), "local-dev", Role.VIEWER, "test", "test")

    await store.write(prepare)
    held = await store.read(partial(roles, caller=ANA))
    assert {tenant: (e.role, e.source) for tenant, e in held.items()} == {
        TENANT: (Role.ADMIN, "signoff.toml: U0ANA"),
        "other": (Role.VIEWER, "signoff.toml: U0ANA"),
    }
    mode = LocalMode(Role.ADMIN)
    granted = await store.read(partial(roles, caller=cli_caller("root"), local=mode))
    assert granted["local-dev"].role is Role.VIEWER
    local = await store.read(partial(roles, caller=cli_caller("zoe"), local=mode))
    assert local["local-dev"].source == "USER_RBAC_ROLE"


async def test_time_in_a_page_is_the_moment_it_was_read(store: Store) -> None:
    """A list says "as of"."""
    assert (await store.read(partial(pending_page, limit=9))).as_of == NOW
