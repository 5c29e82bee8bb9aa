"""Explaining who may decide: it says what deciding would, and writes nothing."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import pytest

from engine.decisions import decide
from engine.delegating import delegate
from engine.explaining import explain
from engine.identity import (
    Caller,
    Delegation,
    Identity,
    IdentityKind,
    Principal,
    Role,
    Standing,
    Surface,
)
from engine.model import Checkpoint, Choice, Policy
from engine.people import LocalMode
from engine.policy import Refused, Rule
from engine.store import people
from engine.store.writer import Store, Tx
from tests.engine.build import (
    HOST,
    FakeClock,
    answer,
    caller,
    cli_caller,
    decided,
    everything,
    give_role,
    says,
    waiting,
)

HOUR = timedelta(hours=1)
ANYBODY = [
    pytest.param(caller("U0ANA"), id="an Operator"),
    pytest.param(caller("U0ADA"), id="an Admin"),
    pytest.param(caller("U0VIC"), id="a Viewer"),
    pytest.param(caller("U0NEW"), id="a stranger"),
    pytest.param(caller("U0REQ"), id="whoever started the run"),
    pytest.param(caller("U0NEW", groups=["S0RELEASE"]), id="one of the group"),
    pytest.param(caller("U0ANA", standing=Standing.DEACTIVATED), id="a deactivated one"),
    pytest.param(caller("U0NEW", standing=Standing.GUEST, groups=["S0RELEASE"]), id="a guest"),
    pytest.param(cli_caller("ops"), id="a user of the machine"),
]
POLICIES = [
    pytest.param(Policy(), id="the default"),
    pytest.param(Policy(required_role=Role.ADMIN), id="Admins"),
    pytest.param(Policy(self_approval=True), id="one's own run"),
    pytest.param(Policy(approvers=(Principal.parse("U0ANA"),)), id="named"),
    pytest.param(Policy(approvers=(Principal.parse("S0RELEASE"),), quorum=2), id="a group"),
]


def asked(tx: Tx, policy: Policy) -> Checkpoint:
    for user in ("U0ANA", "U0REQ", "S0RELEASE", "os:ops"):
        give_role(tx, user)
    give_role(tx, "U0ADA", Role.ADMIN)
    give_role(tx, "U0VIC", Role.VIEWER)
    return waiting(tx, policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("who", ANYBODY)
async def test_it_says_what_deciding_would_and_writes_nothing(
    sqlite_store: Store, who: Caller, policy: Policy
) -> None:
    """The same rules pass and fail, in the same words, as when they really answer."""
    opened = await sqlite_store.write(partial(asked, policy=policy))
    before = await sqlite_store.read(everything)
    prospect = await sqlite_store.read(partial(explain, checkpoint_id=opened.id, caller=who))
    assert await sqlite_store.read(everything) == before
    assert prospect is not None
    given = answer(Choice.APPROVE, digest=opened.request_digest)
    outcome = await sqlite_store.write(
        partial(decide, checkpoint_id=opened.id, caller=who, answer=given)
    )
    ruling = decided(outcome).ruling
    assert prospect.may is not isinstance(ruling, Refused)
    judged = {finding.rule: finding for finding in ruling.trace}
    told = [Rule.REASON, Rule.INPUTS, Rule.QUORUM]
    for finding in prospect.findings:
        if finding.rule not in told:
            assert judged[finding.rule] == finding


async def test_what_has_ended_is_open_to_nobody(store: Store) -> None:
    """On both databases."""
    opened = await store.write(partial(asked, policy=Policy()))
    await store.write(says(opened, "U0ADA"))
    prospect = await store.read(partial(explain, checkpoint_id=opened.id, caller=caller("U0ANA")))
    assert prospect is not None
    assert [f.rule for f in prospect.findings if not f.passed] == [Rule.OPEN]


async def test_votes_so_far_are_told(store: Store) -> None:
    """Those of others; one's own can still be changed."""
    opened = await store.write(partial(asked, policy=Policy(quorum=2)))
    await store.write(says(opened, "U0ADA"))

    async def quorum(who: Caller) -> str:
        found = await store.read(partial(explain, checkpoint_id=opened.id, caller=who))
        assert found is not None
        return found.findings[-1].found

    assert (await quorum(caller("U0ANA"))).startswith("1 by others")
    assert (await quorum(caller("U0ADA"))).startswith("0 by others")


def unplaced(user: str) -> Caller:
    """A Slack account as a terminal names it: without its workspace."""
    return Caller(identity=Identity(IdentityKind.SLACK, "", user), surface=Surface.SLACK, name=user)


@pytest.mark.parametrize(("user", "failed"), [("U0REQ", [Rule.SELF_APPROVAL]), ("U0ANA", [])])
async def test_an_account_named_without_its_workspace_is_the_one_that_is_known(
    store: Store, user: str, failed: Iterable[Rule]
) -> None:
    """Whoever started the run is recognised by the id alone."""
    opened = await store.write(partial(asked, policy=Policy()))
    found = await store.read(partial(explain, checkpoint_id=opened.id, caller=unplaced(user)))
    assert found is not None
    assert [f.rule for f in found.findings if not f.passed] == failed


async def test_local_mode_counts_where_it_counts_for_deciding(store: Store) -> None:
    """An OS user without a grant has the role of the setting."""
    opened = await store.write(partial(asked, policy=Policy(self_approval=True)))
    explained = partial(explain, checkpoint_id=opened.id, caller=cli_caller("eve", host=HOST))
    plain, local = (
        await store.read(explained),
        await store.read(partial(explained, local=LocalMode(Role.OPERATOR))),
    )
    assert plain is not None
    assert local is not None
    assert (plain.may, local.may) == (False, True)


async def test_a_delegation_counts_as_it_does_for_deciding(store: Store, clock: FakeClock) -> None:
    """In the place of somebody named, as long as whoever lends it could be looked up."""
    ana, bob = caller("U0ANA"), caller("U0BOB")

    def lend(tx: Tx) -> Checkpoint:
        give_role(tx, "U0BOB")
        opened = asked(tx, Policy(approvers=(Principal.parse("U0ANA"),)))
        lender, to = (people.ensure_person(tx, who.identity, who.name) for who in (ana, bob))
        assert isinstance(delegate(tx, lender, to, ana, clock.now() + HOUR), Delegation)
        return opened

    opened = await store.write(lend)
    explained = partial(explain, checkpoint_id=opened.id, caller=bob)
    alone = await store.read(explained)
    lent = await store.read(partial(explained, lenders=[ana]))
    assert alone is not None
    assert lent is not None
    assert (alone.may, lent.may) == (False, True)


async def test_there_is_nothing_to_explain_of_what_does_not_exist(store: Store) -> None:
    """None, and nothing is noted."""
    assert await store.read(partial(explain, checkpoint_id="cp_none", caller=caller())) is None
