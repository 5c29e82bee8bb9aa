"""Whether enough persons could decide, as far as grants tell: a table that reads like the page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.entitlement import Grant
from engine.headcount import Headcount, Owner, headcount
from engine.identity import PersonId, Principal, Role
from engine.model import Elsewhere, Policy
from engine.policy import entitled
from tests.engine.build import SLACK_KINDS as KINDS
from tests.engine.build import TENANT, caller, candidate, checkpoint

REQUESTER = PersonId("pn_requester")


def names(*texts: str) -> tuple[Principal, ...]:
    """Principals as they are written."""
    return tuple(Principal.parse(text) for text in texts)


def judged(
    policy: Policy,
    *granted: str,
    owners: dict[str, Owner] | None = None,
    role: Role = Role.OPERATOR,
    **changes: Any,
) -> Headcount:
    """How many could decide where these hold a role."""
    grants = [Grant(principal, TENANT, role, "test") for principal in names(*granted)]
    known = {Principal.parse(text): owner for text, owner in (owners or {}).items()}
    return headcount(checkpoint(policy, requester=REQUESTER, **changes), grants, known, REQUESTER)


@pytest.mark.parametrize(
    ("policy", "granted", "at_most"),
    [
        (Policy(), (), 0),
        (Policy(), ("U0ANA",), 1),
        (Policy(), ("U0ANA", "U0BOB"), 2),
        (Policy(), ("S0TEAM",), None),  # only Slack knows who is in a group
        (Policy(), ("U0ANA", "ana@example.com"), None),
        (Policy(), ("os:root",), None),  # root of how many hosts?
        (Policy(), ("os:root@build-1",), 1),
        (Policy(approvers=names("U0ANA")), ("U0BOB",), 0),
        (Policy(approvers=names("U0ANA")), ("U0ANA", "U0BOB"), 1),
        (Policy(approvers=names("U0ANA")), ("T0HOME/U0ANA",), 1),
        (Policy(approvers=names("U0ANA", "U0BOB")), ("S0TEAM",), 2),  # both may be in it
        (Policy(approvers=names("S0TEAM")), ("U0ANA", "U0BOB"), 2),
        (Policy(approvers=names("S0TEAM")), ("S0OTHER",), None),
        (Policy(required_role=Role.ADMIN), ("U0ANA",), 0),
        (Policy(required_role=Role.VIEWER), ("U0ANA",), 1),
    ],
)
def test_how_many_could_decide_at_most(
    policy: Policy, granted: tuple[str, ...], at_most: int | None
) -> None:
    """Whoever holds the role and is named; None where that may be anybody."""
    assert judged(policy, *granted).at_most == at_most


def test_whoever_asked_is_not_counted_unless_they_may() -> None:
    """`self_approval: false` takes them out, by whichever account."""
    owners = {"U0REQ": Owner(REQUESTER, is_disabled=False)}
    assert judged(Policy(), "U0REQ", owners=owners).is_short
    assert not judged(Policy(self_approval=True), "U0REQ", owners=owners).is_short


def test_two_accounts_of_one_person_are_one() -> None:
    """A quorum counts persons."""
    ana = Owner(PersonId("pn_ana"), is_disabled=False)
    owners = {"U0ANA": ana, "U0ANB": ana}
    assert judged(Policy(quorum=2), "U0ANA", "U0ANB", owners=owners).is_short
    assert not judged(Policy(quorum=2), "U0ANA", "U0BOB", owners=owners).is_short


def test_a_disabled_person_is_not_counted() -> None:
    """They decide nothing."""
    owners = {"U0ANA": Owner(PersonId("pn_ana"), is_disabled=True)}
    assert judged(Policy(), "U0ANA", owners=owners).is_short


def test_on_another_engine_whoever_it_is_for_is_another_list() -> None:
    """Assigned to nobody we know: nobody can decide it here."""
    there = Elsewhere(
        backend="prod", engine="airflow", key="k", options=("Yes",), approving=("Yes",), assigned=()
    )
    assert judged(Policy(), "U0ANA", elsewhere=there).is_short


@pytest.mark.parametrize(
    ("policy", "granted", "wants_look"),
    [
        (Policy(), ("U0ANA",), False),
        (Policy(), ("S0TEAM",), True),
        (Policy(), ("S0TEAM", "os:root"), False),  # root can, at a terminal
        (Policy(approvers=names("U0ANA")), ("U0ANA",), True),  # gone, perhaps
        (Policy(approvers=names("U0ANA")), ("U0ANA", "os:root"), True),
        (Policy(), (), False),  # certain without a look
    ],
)
def test_only_where_it_may_tell_more_is_the_directory_asked(
    policy: Policy, granted: tuple[str, ...], *, wants_look: bool
) -> None:
    """No look-up for every card."""
    assert judged(policy, *granted).wants_look is wants_look


users = st.sampled_from(["U0ANA", "U0BOB", "U0CAT", "U0DEN"])
principals = users | st.sampled_from(["S0ONE", "S0TWO"])


@given(
    st.lists(principals, unique=True),
    st.lists(principals, unique=True),
    st.dictionaries(users, st.frozensets(st.sampled_from(["S0ONE", "S0TWO"]))),
)
def test_it_never_counts_fewer_than_may_decide(
    granted: list[str], approvers: list[str], members: dict[str, frozenset[str]]
) -> None:
    """Whoever is in which group: the policy lets at most as many decide as were counted."""
    policy = Policy(approvers=names(*approvers))
    found = judged(policy, *granted)
    could = 0
    for user in ["U0ANA", "U0BOB", "U0CAT", "U0DEN"]:
        groups = members.get(user, frozenset())
        holds = user in granted or bool(groups & set(granted))
        who = candidate(caller(user, groups=groups), role=Role.OPERATOR if holds else None)
        could += entitled(checkpoint(policy), who, KINDS)
    assert found.at_most is None or could <= found.at_most
