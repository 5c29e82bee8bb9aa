"""Who could decide a checkpoint by the grants of its tenant, told before anybody is asked."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.entitlement import Grant
from engine.identity import Principal, Role
from engine.model import Policy
from engine.reaching import Members, Reach, reach

OFFLINE = Members({})


def whom(*names: str) -> tuple[Principal, ...]:
    return tuple(map(Principal.parse, names))


def granted(**roles: tuple[str, ...]) -> list[Grant]:
    return [
        Grant(Principal.parse(name), "acme", Role[role.upper()], "signoff.toml")
        for role, names in roles.items()
        for name in names
    ]


def slack(groups: Mapping[str, str], **accounts: str) -> Members:
    """What Slack said: the members of groups, and whose an address is."""
    known = {Principal.parse(group): frozenset(ids.split()) for group, ids in groups.items()}
    known |= {Principal.parse(name): frozenset({name}) for name in ("U0ANA", "U0BOB", "U0EVE")}
    known |= {
        Principal.parse(f"{name}@acme.test"): frozenset({user_id})
        for name, user_id in accounts.items()
    }
    return Members(known, asked=True)


TWO = granted(operator=("U0ANA", "U0BOB"))
GROUP = granted(operator=("S0REL",))
MIXED = granted(admin=("U0ANA",), operator=("S0REL", "os:ops"), viewer=("U0EVE",))


@pytest.mark.parametrize(
    ("policy", "grants", "members", "needed", "expected"),
    [
        pytest.param(Policy(), TWO, OFFLINE, 2, True, id="two hold the role"),
        pytest.param(Policy(), TWO, OFFLINE, 3, False, id="two are not three"),
        pytest.param(Policy(), [], OFFLINE, 1, False, id="no grants, nobody"),
        pytest.param(Policy(required_role=Role.ADMIN), TWO, OFFLINE, 1, False, id="too low a role"),
        pytest.param(
            Policy(required_role=Role.VIEWER),
            granted(viewer=("U0EVE",)),
            OFFLINE,
            1,
            False,
            id="Viewers decide nothing",
        ),
        pytest.param(Policy(), GROUP, OFFLINE, 1, None, id="a group may be empty"),
        pytest.param(Policy(), GROUP, slack({"S0REL": "U0ANA U0BOB"}), 2, True, id="or may not"),
        pytest.param(Policy(), GROUP, slack({"S0REL": ""}), 1, False, id="it is empty"),
        pytest.param(Policy(), MIXED, OFFLINE, 2, True, id="kinds count together"),
        pytest.param(Policy(approvers=whom("U0BOB")), TWO, OFFLINE, 1, True, id="named, with role"),
        pytest.param(
            Policy(approvers=whom("U0EVE")), TWO, OFFLINE, 1, False, id="named, without role"
        ),
        pytest.param(
            Policy(approvers=whom("U0EVE")), GROUP, OFFLINE, 1, None, id="perhaps in the group"
        ),
        pytest.param(
            Policy(approvers=whom("U0EVE")),
            GROUP,
            slack({"S0REL": "U0ANA"}),
            1,
            False,
            id="not in the group",
        ),
        pytest.param(
            Policy(approvers=whom("ana@acme.test")), TWO, OFFLINE, 1, None, id="whose address?"
        ),
        pytest.param(
            Policy(approvers=whom("ana@acme.test")),
            TWO,
            slack({}, ana="U0ANA"),
            1,
            True,
            id="Ana's address",
        ),
        pytest.param(
            Policy(approvers=whom("S0REL")),
            granted(operator=("U0ANA",)),
            OFFLINE,
            2,
            False,
            id="one holder, whoever is in the group",
        ),
        pytest.param(
            Policy(approvers=whom("os:ops")), MIXED, OFFLINE, 1, True, id="a user of the machine"
        ),
        pytest.param(
            Policy(approvers=whom("os:eve")), MIXED, OFFLINE, 1, False, id="another of the machine"
        ),
    ],
)
def test_whether_enough_can_decide(
    policy: Policy, grants: list[Grant], members: Members, needed: int, expected: bool | None
) -> None:
    """Yes, no, or that only the surface could tell."""
    assert reach(policy, grants, members).suffices(needed) is expected


def test_one_person_by_two_grants_is_one() -> None:
    """Once Slack is asked, an address and an account of one human count once."""
    grants = granted(operator=("U0ANA", "ana@acme.test"))
    assert reach(Policy(), grants, OFFLINE).persons == {"U0ANA", "ana@acme.test"}
    assert reach(Policy(), grants, slack({}, ana="U0ANA")).persons == {"U0ANA"}


NAMES = st.sampled_from(["U0ANA", "U0BOB", "S0REL", "S0OPS", "ana@acme.test", "os:ops"])
ROLES = st.sampled_from(Role)
USERS = st.frozensets(st.sampled_from(["U0ANA", "U0BOB", "U0EVE"]))


@given(
    st.lists(st.tuples(NAMES, ROLES), max_size=4),
    st.lists(NAMES, max_size=3),
    USERS,
    USERS,
    st.sampled_from(["U0ANA", "U0BOB", "U0EVE"]),
    st.integers(1, 3),
)
def test_what_is_certain_offline_stays_so_when_slack_is_asked(
    pairs: list[tuple[str, Role]],
    named: list[str],
    rel: frozenset[str],
    ops: frozenset[str],
    ana: str,
    needed: int,
) -> None:
    """A "no" without Slack never turns out to be a yes."""
    grants = [Grant(Principal.parse(name), "acme", role, "x") for name, role in pairs]
    policy = Policy(approvers=whom(*named))
    asked = Members(
        {
            Principal.parse("S0REL"): rel,
            Principal.parse("S0OPS"): ops,
            Principal.parse("ana@acme.test"): frozenset({ana}),
        },
        asked=True,
    )
    if reach(policy, grants, OFFLINE).suffices(needed) is False:
        assert reach(policy, grants, asked).suffices(needed) is False


def test_nobody_is_unsure_of_what_slack_answered() -> None:
    """Where Slack was asked there is a yes or a no."""
    found = reach(Policy(approvers=whom("S0REL")), GROUP, slack({"S0REL": "U0ANA"}))
    assert found == Reach(tuple(GROUP), frozenset({"U0ANA"}), (), most=1)
