"""Earlier votes that no longer count: found when somebody answers, and on the record."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import pytest

from engine.decisions import decide
from engine.identity import Caller, PersonId, Principal, Role, Standing
from engine.model import Choice, Policy
from engine.policy import Accepted, Rule, Settled
from engine.queries import checkpoint_view
from engine.rulings import Finding
from engine.store import checkpoints
from engine.store.writer import Store
from engine.views import CheckpointView
from tests.engine.build import answer, caller, decided, give_role, give_roles, rows, says, waiting
from tests.engine.build import take_role as take


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here."""
    return sqlite_store


async def _opened(store: Store, policy: Policy) -> str:
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB", "U0CID", "S0RELEASE"))
    return (await store.write(partial(waiting, policy=policy))).id


async def _view(store: Store, checkpoint_id: str) -> CheckpointView:
    view = await store.read(partial(checkpoint_view, checkpoint_id=checkpoint_id))
    assert view is not None
    return view


async def _says(
    store: Store,
    checkpoint_id: str,
    who: Caller,
    voters: Iterable[Caller] = (),
    choice: Choice = Choice.APPROVE,
) -> Accepted | Settled:
    view = await _view(store, checkpoint_id)
    said = answer(choice, digest=view.checkpoint.request_digest)
    work = partial(
        decide, checkpoint_id=checkpoint_id, caller=who, answer=said, voters=tuple(voters)
    )
    ruling = decided(await store.write(work)).ruling
    assert isinstance(ruling, Accepted | Settled)
    return ruling


async def _lapses(store: Store, checkpoint_id: str) -> dict[str, list[Rule]]:
    view = await _view(store, checkpoint_id)
    return {v.person.name: [f.rule for f in v.lapsed] for v in view.voices if v.lapsed}


ANA, BOB = caller("U0ANA"), caller("U0BOB")


async def test_a_vote_whose_voter_lost_the_role_is_named_with_its_rule(store: Store) -> None:
    """The ruling, the decision and the view say whose vote lapsed; nobody else's did."""
    opened = await _opened(store, Policy(quorum=3))
    await _says(store, opened, ANA)
    await _says(store, opened, BOB, [ANA])
    assert await _lapses(store, opened) == {}
    await store.write(partial(take, user="U0ANA"))
    ruling = await _says(store, opened, caller("U0CID"), [ANA, BOB])
    assert isinstance(ruling, Accepted)
    assert (ruling.have, ruling.needed) == (2, 3)
    assert await _lapses(store, opened) == {"Ana": [Rule.ROLE]}
    (*_, last) = await store.read(partial(rows, table="decision"))
    assert [f["person"] for f in last["trace"] if not f["passed"]] != []


@pytest.mark.parametrize(
    ("voter", "rule"),
    [
        (replace(ANA, standing=Standing.DEACTIVATED), Rule.STANDING),
        (None, Rule.LOOK_UP),
    ],
    ids=["deactivated", "not-found"],
)
async def test_a_vote_whose_voter_is_gone_lapses(
    store: Store, voter: Caller | None, rule: Rule
) -> None:
    """Deactivated, or not to be looked up: it does not count, and is said to."""
    opened = await _opened(store, Policy(quorum=2))
    await _says(store, opened, ANA)
    ruling = await _says(store, opened, BOB, [] if voter is None else [voter])
    assert isinstance(ruling, Accepted)
    assert await _lapses(store, opened) == {"Ana": [rule]}


async def test_a_vote_of_somebody_who_left_the_group_lapses(store: Store) -> None:
    """A member of an approver group is one only as long as they are in it."""
    policy = Policy(quorum=2, approvers=(Principal.parse("S0RELEASE"), Principal.parse("U0BOB")))
    opened = await _opened(store, policy)
    inside = caller("U0ANA", groups=["S0RELEASE"])
    await _says(store, opened, inside)
    assert isinstance(await _says(store, opened, BOB, [ANA]), Accepted)
    assert await _lapses(store, opened) == {"Ana": [Rule.APPROVERS]}
    again = await _says(store, opened, BOB, [inside])
    assert isinstance(again, Settled)


async def test_a_vote_that_lapsed_counts_again_when_its_reason_is_gone(store: Store) -> None:
    """Each answer looks at every vote anew; nothing is held against anybody."""
    opened = await _opened(store, Policy(quorum=3))
    await _says(store, opened, ANA)
    await store.write(partial(take, user="U0ANA"))
    await _says(store, opened, BOB, [ANA])
    await store.write(partial(give_role, user="U0ANA"))
    assert isinstance(await _says(store, opened, caller("U0CID"), [ANA, BOB]), Settled)


async def test_the_same_click_again_is_written_when_it_finds_another_vote_lapsed(
    store: Store,
) -> None:
    """Otherwise the card would go on counting a vote that does not count."""
    opened = await _opened(store, Policy(quorum=3))
    await _says(store, opened, ANA)
    await _says(store, opened, BOB, [ANA])
    await _says(store, opened, BOB, [ANA])
    assert len(await store.read(partial(checkpoints.decisions, checkpoint_id=opened))) == 2
    await store.write(partial(take, user="U0ANA"))
    await _says(store, opened, BOB, [ANA])
    assert await _lapses(store, opened) == {"Ana": [Rule.ROLE]}


async def test_a_finding_is_read_back_as_it_was_recorded() -> None:
    """About the answer, or about somebody's earlier vote."""
    for finding in (
        Finding(Rule.ROLE, True, "Operator in acme", "Operator (signoff.toml: U0ANA)"),
        Finding(Rule.STANDING, False, "a full member", "deactivated", PersonId("pn_ana")),
    ):
        assert Finding.from_json(finding.as_json()) == finding


async def test_a_group_is_recorded_with_the_age_of_what_is_known_of_it(store: Store) -> None:
    """An auditor reads how fresh the word was that a role rests on."""
    await store.write(partial(give_role, user="S0RELEASE", role=Role.OPERATOR))
    named = Policy(approvers=(Principal.parse("S0RELEASE"),))
    opened = await store.write(partial(waiting, policy=named))
    who = replace(caller("U0OLA", groups=["S0RELEASE"]), group_ages={"S0RELEASE": 12.4})
    ruling = await _says(store, opened.id, who)
    found = {finding.rule: finding.found for finding in ruling.trace}
    assert found[Rule.ROLE] == "Operator (signoff.toml: S0RELEASE, as of 12 s ago)"
    assert found[Rule.APPROVERS] == "slack:T0HOME:U0OLA through S0RELEASE, as of 12 s ago"


async def test_who_is_still_asked_leaves_out_who_decided_and_who_asked(store: Store) -> None:
    """Named people by name, groups as they are named; the requester only if they may."""
    named = tuple(map(Principal.parse, ("U0ANA", "U0BOB", "U0NEW", "U0REQ", "S0RELEASE")))
    opened = await _opened(store, Policy(quorum=2, approvers=named))
    await store.write(says((await _view(store, opened)).checkpoint, "U0BOB"))
    asked = (await _view(store, opened)).still_asked
    assert asked is not None
    assert asked.named == ("U0ANA", "U0NEW", "S0RELEASE")


async def test_without_a_list_whoever_holds_the_role_is_asked(store: Store) -> None:
    """At least Operators; whoever started the run only where the policy allows it."""
    opened = await _opened(store, Policy(required_role=Role.VIEWER))
    asked = (await _view(store, opened)).still_asked
    assert asked is not None
    assert (asked.role, asked.named, asked.but_requester) == (Role.OPERATOR, None, True)
    own = await store.write(partial(waiting, policy=Policy(self_approval=True)))
    free = (await _view(store, own.id)).still_asked
    assert free is not None
    assert not free.but_requester
