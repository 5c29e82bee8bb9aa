"""Accounts that become one person's, and what that means for what was done before."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine.accounts import read_account, written
from engine.decisions import decide
from engine.errors import InvalidAccount, InvalidPrincipal
from engine.identity import Caller, Identity, IdentityKind, Principal, Role
from engine.linking import LinkCode, Linked, ask_link, confirm_link, unlink
from engine.model import Checkpoint, Choice, Policy
from engine.people import resolve
from engine.policy import Accepted, Refused, Rule, Settled
from engine.queries import checkpoint_view
from engine.registry import file_of, person_file, person_named
from engine.steering import cancel
from engine.store import checkpoints, people, runs
from engine.store.writer import Store, Tx
from tests.engine.build import (
    HOME,
    HOST,
    TENANT,
    FakeClock,
    answer,
    caller,
    cli_caller,
    decided,
    events,
    give_role,
    give_roles,
    rows,
    says,
    waiting,
)

ANA, BOB = caller("U0ANA"), caller("U0BOB")
OS_ANA = cli_caller("ana")
AS_ANA = Principal.parse("U0ANA")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here."""
    return sqlite_store


def give_os_role(tx: Tx, user: str, role: Role = Role.OPERATOR) -> None:
    people.add_grant(tx, Principal.parse(f"os:{user}"), TENANT, role, "signoff.toml", "test")


async def asked(store: Store, account: Identity = OS_ANA.identity, by: Caller = OS_ANA) -> str:
    """A code for Ana's Slack account."""
    made = await store.write(partial(ask_link, account=account, target=AS_ANA, by=by))
    assert isinstance(made, LinkCode)
    return made.code


async def confirmed(store: Store, code: str, who: Caller = ANA) -> Linked | Refused:
    return await store.write(partial(confirm_link, code=code, caller=who))


async def linked(store: Store, account: Identity = OS_ANA.identity, by: Caller = OS_ANA) -> None:
    assert isinstance(await confirmed(store, await asked(store, account, by)), Linked)


def failed(ruling: Any) -> set[Rule]:
    assert isinstance(ruling, Refused)
    return {finding.rule for finding in ruling.reasons}


def starts(tx: Tx, policy: Policy | None = None, who: Caller = OS_ANA) -> Checkpoint:
    """A run that somebody at a terminal started, at its checkpoint."""
    opened = waiting(tx, policy)
    person = people.ensure_person(tx, who.identity, who.name)
    for table in (checkpoints._checkpoint, runs._run):
        tx.run(table.update().values(requester=person))
    return replace(opened, requester=person)


# What is written


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("os:ana", Identity(IdentityKind.OS, HOST, "ana")),
        ("os:ana@build-2", Identity(IdentityKind.OS, "build-2", "ana")),
        ("airflow:prod/ana", Identity(IdentityKind.AIRFLOW, "prod", "ana")),
        ("prefect:main/ana@x.org", Identity(IdentityKind.PREFECT, "main", "ana@x.org")),
        ("Ana@Example.com", Identity(IdentityKind.EMAIL, "", "ana@example.com")),
        ("U012AB", Identity(IdentityKind.SLACK, HOME, "U012AB")),
        ("T9X/U012AB", Identity(IdentityKind.SLACK, "T9X", "U012AB")),
    ],
)
def test_an_account_is_read_as_it_is_written(text: str, account: Identity) -> None:
    """And written so that it is read again."""
    assert read_account(text, host=HOST, home=HOME) == account
    assert read_account(written(account), host="elsewhere", home=None) == account


@pytest.mark.parametrize("text", ["", "ana", "S012AB", "airflow:ana", "airflow:/ana", "U012AB"])
def test_what_names_no_account_is_refused(text: str) -> None:
    """A group is nobody, and a bare member id needs a workspace that is known."""
    with pytest.raises((InvalidAccount, InvalidPrincipal)):
        read_account(text, host=HOST, home=None)


# Asking and confirming


async def test_an_account_becomes_a_persons_when_they_say_so_in_slack(store: Store) -> None:
    """The code is made at the terminal and confirmed in Slack; both are on record."""
    await linked(store)
    found = await store.read(partial(file_of, account=ANA.identity))
    assert found is not None
    assert set(found.accounts) == {ANA.identity, OS_ANA.identity}
    assert await store.read(partial(people.person_of, identity=OS_ANA.identity)) == found.id
    assert await store.read(events) == ["link_asked", "identity_linked"]


async def test_the_code_is_stored_nowhere(store: Store) -> None:
    """Neither in the request nor in the trail, nor in what is logged of it."""
    made = await store.write(partial(ask_link, account=OS_ANA.identity, target=AS_ANA, by=OS_ANA))
    assert isinstance(made, LinkCode)
    for table in ("link_request", "audit", "audit_content"):
        assert made.code not in str(await store.read(partial(rows, table=table)))
    assert made.code not in repr(made)


@pytest.mark.parametrize("who", [BOB, caller("U0ANA", realm="T9X", at_home=False)], ids=str)
async def test_nobody_else_can_use_a_code(store: Store, who: Caller) -> None:
    """It holds for the very account that was named, and stays good for it."""
    code = await asked(store)
    assert failed(await confirmed(store, code, who)) == {Rule.PEOPLE}
    assert isinstance(await confirmed(store, code), Linked)


async def test_a_code_holds_for_a_quarter_of_an_hour(store: Store, clock: FakeClock) -> None:
    """After that it links nothing."""
    code = await asked(store)
    clock.advance(timedelta(minutes=15))
    assert failed(await confirmed(store, code)) == {Rule.PEOPLE}


async def test_a_code_is_used_once(store: Store) -> None:
    """A second time it names nothing."""
    code = await asked(store)
    assert isinstance(await confirmed(store, code), Linked)
    assert failed(await confirmed(store, code)) == {Rule.PEOPLE}


async def test_guessing_ends_a_code(store: Store) -> None:
    """After five wrong ones the right one is none any more."""
    code = await asked(store)
    for _ in range(5):
        await confirmed(store, "WRONG")
    assert failed(await confirmed(store, code)) == {Rule.PEOPLE}


async def test_a_new_code_replaces_the_old(store: Store) -> None:
    """One account waits under one code."""
    old, new = await asked(store), await asked(store)
    assert isinstance(await confirmed(store, old), Refused)
    assert isinstance(await confirmed(store, new), Linked)


async def test_a_code_is_read_as_people_type_it(store: Store) -> None:
    """In any letter case."""
    assert isinstance(await confirmed(store, f" {(await asked(store)).lower()} "), Linked)


@pytest.mark.parametrize(
    ("by", "role", "passes"),
    [
        (OS_ANA, None, True),
        (cli_caller("root"), Role.ADMIN, True),
        (cli_caller("root"), Role.OPERATOR, False),
        (cli_caller("root"), None, False),
    ],
    ids=["themselves", "admin", "operator", "nobody"],
)
async def test_an_account_is_linked_by_its_user_or_an_admin(
    store: Store, by: Caller, role: Role | None, passes: bool
) -> None:
    """Nobody else may even make a code."""
    if role is not None:
        await store.write(partial(give_os_role, user="root", role=role))
    made = await store.write(partial(ask_link, account=OS_ANA.identity, target=AS_ANA, by=by))
    assert isinstance(made, LinkCode) is passes
    assert ("people_change_refused" in await store.read(events)) is not passes


async def test_an_account_belongs_to_one_person(store: Store) -> None:
    """Linked once, it cannot be taken over by another."""
    await linked(store)
    again = partial(ask_link, account=OS_ANA.identity, target=Principal.parse("U0BOB"), by=OS_ANA)
    assert failed(await store.write(again)) == {Rule.PEOPLE}


async def test_two_slack_users_are_two_persons(store: Store) -> None:
    """Slack says who is who there; nothing of it can be linked away."""
    await store.write(partial(resolve, caller=BOB, tenant=TENANT))
    made = partial(ask_link, account=BOB.identity, target=AS_ANA, by=BOB)
    assert failed(await store.write(made)) == {Rule.PEOPLE}


# What linking means


@pytest.mark.parametrize(
    "account", [OS_ANA.identity, Identity(IdentityKind.AIRFLOW, "prod", "ana")], ids=str
)
async def test_whoever_started_a_run_elsewhere_is_recognised_in_slack(
    store: Store, account: Identity
) -> None:
    """Also of a run that was started before the accounts were linked."""
    await store.write(partial(give_role, user="U0ANA", role=Role.ADMIN))
    starter = replace(OS_ANA, identity=account)
    opened = await store.write(partial(starts, who=starter))
    await linked(store, account, ANA)
    outcome = decided(await store.write(says(opened)))
    assert failed(outcome.ruling) == {Rule.SELF_APPROVAL}


async def test_votes_of_one_person_count_once_also_those_from_before(store: Store) -> None:
    """At a terminal as os:ana, then in Slack as Ana: one voice, and the later one counts."""
    await store.write(partial(give_role, user="U0ANA", role=Role.ADMIN))
    await store.write(partial(give_role, user="U0BOB"))
    await store.write(partial(give_os_role, user="ana"))
    opened = await store.write(partial(waiting, policy=Policy(quorum=2), requester="U0REQ"))
    by_terminal = partial(
        decide,
        checkpoint_id=opened.id,
        caller=OS_ANA,
        answer=answer(digest=opened.request_digest),
    )
    # A Slack user started it: at a terminal nobody can tell who is who before they are linked.
    assert failed(decided(await store.write(by_terminal)).ruling) == {Rule.KNOWN_PERSON}
    await linked(store)
    assert isinstance(decided(await store.write(by_terminal)).ruling, Accepted)
    in_slack = decided(await store.write(says(opened)))
    assert isinstance(in_slack.ruling, Accepted)
    assert in_slack.ruling.have == 1
    last = decided(await store.write(says(opened, "U0BOB", voters=["U0ANA"])))
    assert isinstance(last.ruling, Settled)
    assert len(last.ruling.counted) == 2


async def test_an_earlier_vote_is_read_as_the_persons(store: Store) -> None:
    """The decision stays as it was written; who made it is told by the alias."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await store.write(partial(give_os_role, user="ana"))
    opened = await store.write(partial(starts, policy=Policy(quorum=2), who=cli_caller("zoe")))
    vote = partial(
        decide,
        checkpoint_id=opened.id,
        caller=OS_ANA,
        answer=answer(digest=opened.request_digest),
    )
    assert isinstance(decided(await store.write(vote)).ruling, Accepted)
    (before,) = await store.read(partial(rows, table="decision"))
    await linked(store)
    assert await store.read(partial(rows, table="decision")) == [before]
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    (voice,) = view.voices
    assert voice.person.id != before["person_id"]
    assert voice.person.slack == ANA.identity
    again = decided(await store.write(says(opened, "U0ANA")))
    assert isinstance(again.ruling, Accepted)
    assert again.ruling.have == 1
    named = partial(person_named, text=before["person_id"], host=HOST)
    assert await store.read(named) == voice.person.id


async def test_linking_gives_nobody_a_role(store: Store) -> None:
    """Roles stay with the account they were granted to."""
    await store.write(partial(give_os_role, user="ana", role=Role.ADMIN))
    await linked(store)
    found = await store.write(partial(resolve, caller=ANA, tenant=TENANT))
    assert found.entitlement is None


async def test_whoever_started_a_run_may_end_it_from_their_other_account(store: Store) -> None:
    """One human is one person also for calling off what they started."""
    opened = await store.write(starts)
    await linked(store)
    ended = await store.write(partial(cancel, run_id=opened.run_id, caller=ANA))
    assert not isinstance(ended, Refused)


# Unlinking


async def test_an_unlinked_account_is_somebody_new(store: Store) -> None:
    """What was done with it while it was linked stays the person's."""
    await linked(store)
    owner = await store.write(partial(unlink, account=OS_ANA.identity, by=OS_ANA))
    assert not isinstance(owner, Refused)
    seen = await store.write(partial(resolve, caller=OS_ANA, tenant=TENANT))
    assert seen.person_id != owner
    assert (await store.read(partial(person_file, person_id=owner))).accounts == (ANA.identity,)


async def test_nobody_becomes_two_persons_in_the_middle_of_something(store: Store) -> None:
    """While a run of theirs goes on, only another Admin can unlink an account of somebody."""
    await linked(store)
    await store.write(starts)
    work = partial(unlink, account=OS_ANA.identity)
    assert failed(await store.write(partial(work, by=OS_ANA))) == {Rule.PEOPLE}
    await store.write(partial(give_os_role, user="root", role=Role.ADMIN))
    assert not isinstance(await store.write(partial(work, by=cli_caller("root"))), Refused)


@pytest.mark.parametrize("account", [OS_ANA.identity, ANA.identity], ids=str)
async def test_only_what_was_linked_can_be_unlinked(store: Store, account: Identity) -> None:
    """An account that is a person of its own stays one; Slack's account is the person's."""
    await store.write(partial(resolve, caller=OS_ANA, tenant=TENANT))
    await store.write(partial(give_os_role, user="root", role=Role.ADMIN))
    work = partial(unlink, account=account, by=cli_caller("root"))
    assert failed(await store.write(work)) == {Rule.PEOPLE}


async def test_a_rejection_by_one_account_is_taken_back_by_the_other(store: Store) -> None:
    """The latest answer of a person counts, from wherever it came."""
    await store.write(partial(give_role, user="U0ANA"))
    await store.write(partial(give_os_role, user="ana"))
    policy = Policy(quorum=2, reject_quorum=2)
    opened = await store.write(partial(starts, policy=policy, who=cli_caller("zoe")))
    await linked(store)
    said = answer(Choice.REJECT, digest=opened.request_digest)
    work = partial(decide, checkpoint_id=opened.id, caller=OS_ANA, answer=said)
    await store.write(work)
    await store.write(says(opened))
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert [voice.choice for voice in view.voices] == [Choice.APPROVE]
