"""Delegations as they are made, used, shown and ended; and people an Admin stops."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from engine.decisions import admit, decide, expire_now
from engine.delegating import delegate, end_delegation
from engine.disabling import disable, enable
from engine.identity import Caller, Delegation, Principal, Role
from engine.lenders import earlier_voters, lenders_of
from engine.mine import mine_page
from engine.model import Checkpoint, CheckpointState, Choice, Policy
from engine.people import LocalMode, resolve
from engine.people import grant as give
from engine.policy import Accepted, Refused, Rule, Settled
from engine.queries import checkpoint_view
from engine.registry import file_of
from engine.steering import cancel
from engine.store import people
from engine.store.writer import Store, Tx
from engine.submission import submit
from tests.engine.build import (
    HOST,
    NOW,
    TENANT,
    FakeClock,
    answer,
    caller,
    cli_caller,
    decided,
    deploy_dag,
    events,
    give_role,
    give_roles,
    rows,
    says,
    take_role,
    task_of,
    waiting,
)

ALICE, BOB, CID, ROOT = caller("U0ALICE"), caller("U0BOB"), caller("U0CID"), caller("U0ROOT")
DAY = timedelta(days=1)
NAMED = Policy(approvers=(Principal.parse("U0ALICE"), Principal.parse("U0CID")))
TWO = Policy(approvers=NAMED.approvers, quorum=2)


@pytest.fixture
async def store(sqlite_store: Store) -> Store:
    """Alice, Bob and Cid are Operators, Root is an Admin."""
    await sqlite_store.write(lambda tx: give_roles(tx, "U0ALICE", "U0BOB", "U0CID"))
    await sqlite_store.write(partial(give_role, user="U0ROOT", role=Role.ADMIN))
    return sqlite_store


def lend(
    tx: Tx,
    by: Caller = ALICE,
    *,
    of: Caller = ALICE,
    to: Caller = BOB,
    until: datetime = NOW + DAY,
    since: datetime | None = None,
    reason: str = "on leave",
    local: LocalMode | None = None,
) -> Delegation | Refused:
    """Alice delegates to Bob, unless told otherwise."""
    delegator, other = (people.ensure_person(tx, one.identity, one.name) for one in (of, to))
    return delegate(tx, delegator, other, by, until, since, reason, local)


async def lent(store: Store, **changes: Any) -> Delegation:
    made = await store.write(partial(lend, **changes))
    assert isinstance(made, Delegation)
    return made


def failed(ruling: Any) -> set[Rule]:
    assert isinstance(ruling, Refused)
    return {finding.rule for finding in ruling.reasons}


async def opened_for(store: Store, policy: Policy = NAMED) -> Checkpoint:
    return await store.write(partial(waiting, policy=policy))


async def stop(store: Store, who: Caller) -> None:
    def work(tx: Tx) -> Refused | None:
        return disable(tx, people.ensure_person(tx, who.identity, who.name), ROOT, "lost laptop")

    assert await store.write(work) is None


# Making


@pytest.mark.parametrize(
    ("by", "passes"), [(ALICE, True), (ROOT, True), (BOB, False), (CID, False)], ids=str
)
async def test_a_place_is_lent_by_whose_it_is_or_by_an_admin(
    store: Store, by: Caller, passes: bool
) -> None:
    """Nobody takes the place of somebody else by themselves."""
    made = await store.write(partial(lend, by=by))
    assert isinstance(made, Delegation) is passes
    assert ("delegation_made" in await store.read(events)) is passes
    assert ("people_change_refused" in await store.read(events)) is not passes


@pytest.mark.parametrize(
    "changes",
    [
        {"to": ALICE},
        {"until": NOW},
        {"until": NOW - DAY},
        {"since": NOW + 2 * DAY},
        {"until": NOW + timedelta(days=367)},
    ],
    ids=["to-oneself", "now", "over", "ends-before-it-begins", "longer-than-a-year"],
)
async def test_what_would_lend_nothing_is_refused(store: Store, changes: dict[str, Any]) -> None:
    """Said at once, not when it is needed."""
    assert failed(await store.write(partial(lend, **changes))) == {Rule.PEOPLE}
    assert await store.read(partial(rows, table="delegation")) == []


async def test_a_reason_that_cannot_be_kept_is_refused(store: Store) -> None:
    """As for decisions."""
    assert failed(await store.write(partial(lend, reason="x" * 3001))) == {Rule.REASON}


async def test_nobody_delegates_from_or_to_somebody_who_was_stopped(store: Store) -> None:
    """An Admin's word is not got round by a delegation."""
    await stop(store, BOB)
    assert failed(await store.write(lend)) == {Rule.PEOPLE}
    assert failed(await store.write(partial(lend, by=BOB, of=BOB, to=CID))) == {
        Rule.ENABLED,
        Rule.PEOPLE,
    }


# Using


async def test_a_delegate_decides_and_everybody_can_see_for_whom(store: Store) -> None:
    """In the decision, the trail, the output of the task and the view of the card."""
    await lent(store)
    opened = await opened_for(store)
    outcome = decided(await store.write(says(opened, "U0BOB", voters=["U0ALICE"])))
    assert isinstance(outcome.ruling, Settled)
    alice = await store.read(partial(people.person_of, identity=ALICE.identity))
    (row,) = await store.read(partial(rows, table="decision"))
    assert row["for_person"] == alice
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    (voice,) = view.voices
    assert voice.on_behalf is not None
    assert (voice.person.name, voice.on_behalf.name) == ("Bob", "Alice")
    task = await store.read(partial(task_of, opened=opened))
    assert task.output is not None
    assert task.output["decided_by"] == "Bob for Alice"


async def test_the_lower_of_both_roles_is_recorded(store: Store) -> None:
    """Bob is an Admin, and acts as the Operator that Alice is."""
    await store.write(partial(give_role, user="U0BOB", role=Role.ADMIN))
    await lent(store)
    opened = await opened_for(store)
    await store.write(says(opened, "U0BOB", voters=["U0ALICE"]))
    (row,) = await store.read(partial(rows, table="decision"))
    assert (row["role"], row["role_source"]) == ("Operator", "signoff.toml: U0ALICE")


async def test_a_delegator_who_cannot_be_looked_up_lends_nothing(store: Store) -> None:
    """Slack did not say who Alice is today: that grants nothing."""
    await lent(store)
    opened = await opened_for(store)
    outcome = decided(await store.write(says(opened, "U0BOB")))
    assert failed(outcome.ruling) == {Rule.APPROVERS, Rule.DELEGATION}


async def test_a_delegation_that_ended_between_form_and_answer_refuses_with_that_reason(
    store: Store, clock: FakeClock
) -> None:
    """The form opened; when it was sent, Alice was back."""
    made = await lent(store, until=NOW + timedelta(minutes=5))
    opened = await opened_for(store)
    shown = await store.write(
        partial(
            admit,
            checkpoint_id=opened.id,
            caller=BOB,
            choice=Choice.APPROVE,
            request_digest=opened.request_digest,
            lenders=(ALICE,),
        )
    )
    assert isinstance(shown, Checkpoint)
    clock.advance(timedelta(minutes=5))
    outcome = decided(await store.write(says(opened, "U0BOB", voters=["U0ALICE"])))
    assert failed(outcome.ruling) == {Rule.APPROVERS, Rule.DELEGATION}
    assert isinstance(outcome.ruling, Refused)
    assert outcome.ruling.reasons[-1].found.startswith("Alice's delegation ended on 2026-03-02")
    assert made.ends_at == clock.now()


@pytest.mark.parametrize("how", ["ended", "alice-disabled", "bob-disabled", "alice-lost-role"])
async def test_a_vote_in_somebodys_place_does_not_outlive_its_ground(
    store: Store, how: str
) -> None:
    """When the quorum would be reached, what Bob said for Alice is judged anew."""
    made = await lent(store)
    opened = await opened_for(store, TWO)
    first = decided(await store.write(says(opened, "U0BOB", voters=["U0ALICE"])))
    assert isinstance(first.ruling, Accepted)
    match how:
        case "ended":
            await store.write(partial(end_delegation, delegation_id=made.id, by=ALICE))
        case "alice-disabled":
            await stop(store, ALICE)
        case "bob-disabled":
            await stop(store, BOB)
        case _:
            await store.write(partial(take_role, user="U0ALICE"))
    second = decided(await store.write(says(opened, "U0CID", voters=["U0BOB", "U0ALICE"])))
    assert isinstance(second.ruling, Accepted)
    assert second.ruling.have == 1


async def test_a_vote_in_somebodys_place_counts_while_its_ground_holds(store: Store) -> None:
    """Bob for Alice, and Cid: two persons."""
    await lent(store)
    opened = await opened_for(store, TWO)
    await store.write(says(opened, "U0BOB", voters=["U0ALICE"]))
    second = decided(await store.write(says(opened, "U0CID", voters=["U0BOB", "U0ALICE"])))
    assert isinstance(second.ruling, Settled)


async def test_a_surface_looks_up_whoever_lends(store: Store) -> None:
    """Voters, those who lent them their place, and those who lend the caller theirs."""
    await lent(store)
    opened = await opened_for(store, TWO)
    asks = partial(earlier_voters, checkpoint_id=opened.id)
    assert await store.read(asks) == ()
    assert await store.read(partial(asks, caller=BOB.identity)) == (ALICE.identity,)
    assert await store.read(partial(lenders_of, caller=BOB.identity)) == (ALICE.identity,)
    await store.write(says(opened, "U0BOB", voters=["U0ALICE"]))
    assert await store.read(asks) == (BOB.identity, ALICE.identity)


async def test_what_a_delegate_may_decide_is_listed_for_them(store: Store) -> None:
    """`mine` shows it while the place is lent, when whoever lends it is looked up."""
    await opened_for(store)
    listed = partial(mine_page, caller=BOB, limit=9)
    assert (await store.read(partial(listed, lenders=(ALICE,)))).items == ()
    await lent(store)
    assert len((await store.read(partial(listed, lenders=(ALICE,)))).items) == 1
    assert (await store.read(listed)).items == ()


async def test_a_user_of_a_machine_lends_at_the_terminal(store: Store) -> None:
    """Without Slack there is nobody to look them up with but the record."""
    alice, bob = cli_caller("alice"), cli_caller("bob")
    policy = Policy(approvers=(Principal.parse("os:alice"),), self_approval=True)
    for one in ("os:alice", "os:bob"):
        await store.write(partial(give_role, user=one))
    await lent(store, by=alice, of=alice, to=bob)
    opened = await opened_for(store, policy)
    said = answer(digest=opened.request_digest)
    work = partial(decide, checkpoint_id=opened.id, caller=bob, answer=said)
    assert isinstance(decided(await store.write(work)).ruling, Settled)


# Ending


@pytest.mark.parametrize(
    ("by", "passes"), [(ALICE, True), (BOB, True), (ROOT, True), (CID, False)], ids=str
)
async def test_either_of_both_or_an_admin_ends_a_delegation(
    store: Store, by: Caller, passes: bool
) -> None:
    """It lends nothing from then on, and is listed no more."""
    made = await lent(store)
    ended = await store.write(partial(end_delegation, delegation_id=made.id, by=by))
    assert isinstance(ended, Delegation) is passes
    filed = await store.read(partial(file_of, account=BOB.identity))
    assert filed is not None
    assert (filed.delegations == ()) is passes


@pytest.mark.parametrize("named", ["dl_nothing", "", "x" * 99])
async def test_what_is_no_delegation_cannot_be_ended(store: Store, named: str) -> None:
    """It is said, and nothing changes."""
    assert Rule.PEOPLE in failed(
        await store.write(partial(end_delegation, delegation_id=named, by=ROOT))
    )


# Stopping people


async def test_a_stopped_person_decides_nothing_anywhere(store: Store) -> None:
    """No answer, no list of theirs, no steering, no role they could give: on any surface."""
    opened = await opened_for(store, Policy())
    await stop(store, BOB)
    assert failed(decided(await store.write(says(opened, "U0BOB"))).ruling) == {Rule.ENABLED}
    shown = partial(
        admit,
        checkpoint_id=opened.id,
        caller=BOB,
        choice=Choice.REJECT,
        request_digest=opened.request_digest,
    )
    outcome = await store.write(shown)
    assert failed(getattr(outcome, "ruling", None)) == {Rule.ENABLED}
    forced: Any = await store.write(partial(expire_now, checkpoint_id=opened.id, caller=BOB))
    assert failed(forced.ruling) == {Rule.ENABLED}
    assert (await store.read(partial(mine_page, caller=BOB, limit=9))).items == ()
    ended = await store.write(partial(cancel, run_id=opened.run_id, caller=BOB))
    assert failed(ended) == {Rule.ENABLED}
    made = await store.write(partial(submit, dag=deploy_dag(), caller=BOB, host=HOST))
    assert failed(made) == {Rule.ENABLED}


async def test_an_earlier_vote_of_a_stopped_person_does_not_count(store: Store) -> None:
    """It is checked again when it would settle something."""
    opened = await opened_for(store, Policy(quorum=2))
    await store.write(says(opened, "U0BOB"))
    await stop(store, BOB)
    outcome = decided(await store.write(says(opened, "U0CID", voters=["U0BOB"])))
    assert isinstance(outcome.ruling, Accepted)
    assert outcome.ruling.have == 1


async def test_a_stopped_admin_cannot_let_themselves_act_again(store: Store) -> None:
    """Nor give roles, nor stop others: somebody else has to."""
    await store.write(partial(give_role, user="U0ALICE", role=Role.ADMIN))
    root = (await store.write(partial(resolve, caller=ROOT, tenant=TENANT))).person_id
    await store.write(partial(disable, person_id=root, by=ALICE))
    assert failed(await store.write(partial(enable, person_id=root, by=ROOT))) == {Rule.ENABLED}
    cid = Principal.parse("U0CID")
    given = partial(give, principal=cid, tenant=TENANT, role=Role.ADMIN, by=ROOT)
    assert failed(await store.write(given)) == {Rule.ENABLED}
    assert await store.write(partial(enable, person_id=root, by=ALICE)) is None
    assert await store.write(given) is None


async def test_stopping_keeps_runs_roles_and_delegations(store: Store) -> None:
    """Once enabled again, everything is as it was."""
    await lent(store)
    opened = await opened_for(store)
    await stop(store, ALICE)
    await stop(store, ALICE)
    (person,) = [
        row for row in await store.read(partial(rows, table="person")) if row["disabled_at"]
    ]
    assert (await store.read(events)).count("person_disabled") == 1
    await store.write(partial(enable, person_id=person["id"], by=ROOT))
    outcome = decided(await store.write(says(opened, "U0BOB", voters=["U0ALICE"])))
    assert outcome.checkpoint.state is CheckpointState.APPROVED


@pytest.mark.parametrize(
    ("by", "local", "passes"),
    [
        (ROOT, None, True),
        (ALICE, None, False),
        (cli_caller("zoe"), None, False),
        (cli_caller("zoe"), LocalMode(Role.ADMIN), True),
        (cli_caller("zoe"), LocalMode(Role.OPERATOR), False),
        (caller("U0ZOE"), LocalMode(Role.ADMIN), False),
    ],
    ids=["admin", "operator", "nobody", "local-admin", "local-operator", "not-in-slack"],
)
async def test_only_an_admin_stops_people(
    store: Store, by: Caller, local: LocalMode | None, passes: bool
) -> None:
    """Of any tenant; in explicit local mode as the variable says, at a terminal."""
    bob = (await store.write(partial(resolve, caller=BOB, tenant=TENANT))).person_id
    refused = await store.write(partial(disable, person_id=bob, by=by, local=local))
    assert (refused is None) is passes
