"""What concerns one person: what waits for them, what they asked for, what they answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import event

from engine.delegating import delegate
from engine.identity import Caller, Principal, Role, Standing
from engine.mine import groups_mine, mine_page
from engine.model import Checkpoint, CheckpointState, Choice, Policy
from engine.overview import Overview, expires_soon, overview_of
from engine.people import requester_kinds
from engine.policy import entitled
from engine.queries import as_candidate, pending_page
from engine.store import checkpoints, links, people
from engine.store.writer import Store, Tx
from tests.engine.build import (
    NOW,
    FakeClock,
    caller,
    checkpoint,
    cli_caller,
    everything,
    give_role,
    give_roles,
    says,
    waiting,
)

ANA, BOB = caller("U0ANA"), caller("U0BOB")
NAMED = Policy(approvers=(Principal.parse("U0BOB"),))


async def seen(store: Store, who: Caller = ANA, limit: int = 9, latest: int = 3) -> Overview:
    return await store.read(partial(overview_of, caller=who, limit=limit, latest=latest))


def ids(found: tuple[Checkpoint, ...]) -> list[str]:
    return [one.id for one in found]


async def several(store: Store, clock: FakeClock, count: int, **changes: object) -> list[str]:
    """So many checkpoints, a minute apart, the oldest first."""
    opened: list[str] = []
    for _ in range(count):
        opened.append((await store.write(partial(waiting, **changes))).id)  # type: ignore[arg-type]
        clock.advance(timedelta(minutes=1))
    return opened


@contextmanager
def counted(store: Store) -> Iterator[Callable[[], int]]:
    """How many statements reads have sent so far."""
    said: list[str] = []

    def listen(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(store._read_engine, "before_cursor_execute", listen)
    try:
        yield lambda: len(said)
    finally:
        event.remove(store._read_engine, "before_cursor_execute", listen)


async def test_it_holds_what_waits_what_was_asked_and_what_was_answered(
    store: Store, clock: FakeClock
) -> None:
    """Each list in its own order, each checkpoint as it effectively is."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    mine = await several(store, clock, 2)
    asked = await several(store, clock, 4, requester="U0ANA")
    answered = [await store.write(partial(waiting, policy=Policy(quorum=2))) for _ in range(2)]
    for one in answered:
        await store.write(says(one, "U0ANA"))
    await store.write(says(answered[0], "U0ANA", Choice.REJECT, reason="no"))
    found = await seen(store)
    assert ids(found.waiting.items) == mine
    assert (found.tally.count, found.tally.is_all) == (2, True)
    assert ids(found.asked) == asked[:0:-1]
    assert [(said.checkpoint.id, said.choice) for said in found.said] == [
        (answered[0].id, Choice.REJECT),
        (answered[1].id, Choice.APPROVE),
    ]
    assert [said.checkpoint.state for said in found.said] == ["rejected", "pending"]
    assert found.filed is not None
    clock.advance(timedelta(days=4))
    late = await seen(store)
    assert late.waiting.items == ()
    assert {one.state for one in late.asked} == {CheckpointState.EXPIRED}


async def test_nothing_is_shown_of_a_tenant_in_which_no_role_is_held(store: Store) -> None:
    """Not even what one asked for there oneself; and reading makes nobody known."""
    await store.write(partial(waiting, requester="U0ANA"))
    before = await store.read(everything)
    for who in (ANA, caller("U0EVE")):
        found = await seen(store, who)
        assert (found.roles, found.waiting.items, found.asked, found.said) == ({}, (), (), ())
    assert await store.read(everything) == before


async def test_a_colleague_without_a_role_is_told_whom_to_ask(store: Store) -> None:
    """Admins by name where one is known; nobody of another company, and nobody with a role."""

    def prepare(tx: Tx) -> None:
        for admin in ("U0ANA", "U0BOSS", "S0ADMINS"):
            give_role(tx, admin, Role.ADMIN)
        give_role(tx, "U0OPS")
        people.ensure_person(tx, ANA.identity, "Ana")

    await store.write(prepare)
    assert set((await seen(store, caller("U0NEW"))).admins) == {"Ana", "U0BOSS", "S0ADMINS"}
    for outsider in (
        caller("U0EVE", at_home=False, standing=Standing.EXTERNAL),
        caller("U0GUS", standing=Standing.GUEST),
        caller("U0OPS"),
    ):
        assert (await seen(store, outsider)).admins == ()


async def test_a_viewer_sees_what_they_asked_for_and_has_nothing_to_decide(store: Store) -> None:
    """Starting runs and deciding are two things."""
    await store.write(partial(give_role, user="U0ANA", role=Role.VIEWER))
    await store.write(waiting)
    own = await store.write(partial(waiting, requester="U0ANA"))
    found = await seen(store)
    assert (found.waiting.items, found.tally.count) == ((), 0)
    assert ids(found.asked) == [own.id]


async def test_what_was_asked_by_another_account_of_the_same_person_is_theirs(
    store: Store, clock: FakeClock
) -> None:
    """Also what that account asked before it was known whose it is, in one order of time."""
    await store.write(partial(give_role, user="U0ANA"))
    at_terminal = cli_caller("ana")
    first = await store.write(partial(waiting, requester=at_terminal))
    clock.advance(timedelta(minutes=1))
    second = await store.write(partial(waiting, requester="U0ANA"))

    def become_one(tx: Tx) -> None:
        was = people.person_of(tx, at_terminal.identity)
        person_id = people.person_of(tx, ANA.identity)
        assert was is not None
        assert person_id is not None
        links.merge(tx, was, person_id, "test")

    assert ids((await seen(store)).asked) == [second.id]
    await store.write(become_one)
    assert ids((await seen(store)).asked) == [second.id, first.id]
    assert (await seen(store)).waiting.items == ()


async def test_pages_count_from_the_beginning(store: Store, clock: FakeClock) -> None:
    """The number is of everything that waits, on whichever page one is."""
    await store.write(partial(give_role, user="U0ANA"))
    opened = await several(store, clock, 5)
    first = await seen(store, limit=2)
    assert (ids(first.waiting.items), first.tally.count) == (opened[:2], 5)
    work = partial(overview_of, caller=ANA, limit=2, latest=1, after=first.waiting.after)
    second = await store.read(work)
    assert (ids(second.waiting.items), second.tally.count) == (opened[2:4], 5)


async def test_a_count_says_when_it_looked_at_a_part_only(
    sqlite_store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many rows are looked at, whoever they wait for."""
    monkeypatch.setattr("engine.mine._SCAN", 3)
    await sqlite_store.write(partial(give_role, user="U0ANA"))
    await several(sqlite_store, clock, 2)
    assert (await seen(sqlite_store)).tally.is_all
    await several(sqlite_store, clock, 1)
    found = await seen(sqlite_store)
    assert (found.tally.count, found.tally.is_all) == (3, False)


async def test_the_groups_that_matter_are_those_of_what_waits(store: Store) -> None:
    """In tenants where one may decide at all; a surface asks who is in them."""
    group = Policy(approvers=(Principal.parse("S0RELEASE"), Principal.parse("U0BOB")))
    await store.write(partial(waiting, policy=group))
    assert await store.read(partial(groups_mine, caller=ANA)) == frozenset()
    await store.write(partial(give_role, user="U0ANA"))
    assert await store.read(partial(groups_mine, caller=ANA)) == {"S0RELEASE"}
    member = caller("U0ANA", groups=["S0RELEASE"])
    assert len((await seen(store, member)).waiting.items) == 1
    assert (await seen(store)).waiting.items == ()


async def test_it_waits_for_exactly_those_whom_a_click_would_admit(sqlite_store: Store) -> None:
    """The few questions asked of the database answer as the rules themselves do."""
    store = sqlite_store

    def prepare(tx: Tx) -> None:
        give_roles(tx, "U0ANA", "U0BOB", "U0CID")
        give_role(tx, "U0VIC", Role.VIEWER)
        for policy in (Policy(), NAMED, Policy(required_role=Role.ADMIN), Policy(quorum=2)):
            for requester in ("U0ANA", "U0REQ", cli_caller("ana")):
                waiting(tx, policy, requester=requester)
            waiting(tx, Policy(self_approval=True, approvers=policy.approvers), requester="U0ANA")
        both = [people.ensure_person(tx, one.identity, one.name) for one in (BOB, caller("U0CID"))]
        delegate(tx, both[0], both[1], BOB, NOW + timedelta(days=1))

    await store.write(prepare)
    page = await store.read(partial(pending_page, limit=99))
    assert len(page.items) == 16
    for user in ("U0ANA", "U0BOB", "U0CID", "U0VIC", "U0NEW"):
        for lenders in ((), (BOB,)):
            who = caller(user)

            def admitted(
                tx: Tx, who: Caller = who, lenders: tuple[Caller, ...] = lenders
            ) -> list[str]:
                return [
                    one.id
                    for one in page.items
                    if entitled(one, as_candidate(tx, one, who, lenders), requester_kinds(tx, one))
                ]

            found = await store.read(partial(mine_page, caller=who, limit=99, lenders=lenders))
            assert ids(found.items) == await store.read(admitted), (user, lenders)


async def test_many_rows_cost_no_more_questions_than_few(
    sqlite_store: Store,
) -> None:
    """The number of statements does not grow with what is pending, nor with who asked."""
    store, costs = sqlite_store, []
    await store.write(partial(give_role, user="U0ANA"))
    for count in (2, 60):

        def more(tx: Tx, count: int = count) -> None:
            for number in range(count):
                waiting(tx, requester=f"U0REQ{number}")
                waiting(tx, NAMED, requester=f"U0REQ{number}")

        await store.write(more)
        with counted(store) as statements:
            found = await seen(store, limit=8)
            costs.append(statements())
    assert found.tally.count == 62
    assert costs[0] == costs[1] <= 30


@pytest.mark.parametrize(
    ("lasts", "left", "is_soon"),
    [
        (timedelta(hours=72), timedelta(hours=6), True),
        (timedelta(hours=72), timedelta(hours=6, seconds=1), False),
        (timedelta(hours=1), timedelta(minutes=15), True),
        (timedelta(hours=1), timedelta(minutes=16), False),
    ],
)
def test_soon_is_six_hours_or_the_last_quarter(
    lasts: timedelta, left: timedelta, is_soon: bool
) -> None:
    """Whichever is less: what was asked an hour ago for a day is not urgent yet."""
    asked = checkpoint(expires_at=NOW + lasts)
    assert expires_soon(asked, asked.expires_at - left) is is_soon


async def test_an_answer_in_an_other_tenant_is_not_told(store: Store) -> None:
    """Whoever lost their role sees no more of what they decided there."""
    await store.write(partial(give_role, user="U0ANA"))
    opened = await store.write(waiting)
    await store.write(says(opened, "U0ANA"))
    assert len((await seen(store)).said) == 1
    await store.write(
        lambda tx: people.close_grant(tx, Principal.parse("U0ANA"), "acme", "signoff.toml", "test")
    )
    assert (await seen(store)).said == ()
    assert (await store.read(partial(checkpoints.load, checkpoint_id=opened.id))) is not None
