"""The words of the domain: ids, roles, principals and identities."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidPrincipal
from engine.identity import Identity, IdentityKind, Principal, PrincipalKind, Role
from engine.model import (
    ENDED_RUN_STATES,
    OPEN_TASK_STATES,
    CheckpointState,
    Choice,
    Policy,
    ReasonRule,
    RunState,
    TaskState,
    new_checkpoint_id,
    new_person_id,
    new_run_id,
)

K = PrincipalKind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("U012AB", Principal(K.SLACK_USER, "U012AB")),
        ("W012AB", Principal(K.SLACK_USER, "W012AB")),
        ("T012/U012AB", Principal(K.SLACK_USER, "U012AB", "T012")),
        ("E012/W012AB", Principal(K.SLACK_USER, "W012AB", "E012")),
        ("S012AB", Principal(K.SLACK_GROUP, "S012AB")),
        ("T012/S012AB", Principal(K.SLACK_GROUP, "S012AB", "T012")),
        ("Ana@Example.COM", Principal(K.EMAIL, "ana@example.com")),
        ("os:ana", Principal(K.OS_USER, "ana")),
        ("os:ana@host-1", Principal(K.OS_USER, "ana", "host-1")),
        ("  U012AB ", Principal(K.SLACK_USER, "U012AB")),
    ],
    ids=str,
)
def test_a_principal_is_read_from_text(text: str, expected: Principal) -> None:
    """A Slack user or group, here or elsewhere, an e-mail, or an OS user."""
    assert Principal.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "ana", "@ana", "u012ab", "C012AB", "U", "T012/", "T012/C012", "X012/U012AB"),
        *("ana@", "@example.com", "ana@example", "a b@example.com", "os:", "os:a b", "os:a@"),
        *("U012AB U034CD", "<@U012AB>", "U012AB\n"[:-1] + "/x"),
    ],
    ids=repr,
)
def test_a_text_that_names_nobody_is_refused(text: str) -> None:
    """The error repeats it and says what was expected."""
    with pytest.raises(InvalidPrincipal) as caught:
        Principal.parse(text)
    assert repr(text.strip()) in str(caught.value)
    assert "U012AB" in str(caught.value)


@given(
    st.one_of(
        st.from_regex(r"([TE][A-Z0-9]{2,8}/)?[UWS][A-Z0-9]{2,8}", fullmatch=True),
        st.from_regex(r"os:[a-z]{1,8}(@[a-z0-9]{1,8})?", fullmatch=True),
        st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.[a-z]{2,3}", fullmatch=True),
    )
)
def test_a_principal_is_written_as_it_is_read(text: str) -> None:
    """The stored text reads back to the same principal."""
    assert str(Principal.parse(text)) == text
    assert Principal.parse(str(Principal.parse(text))) == Principal.parse(text)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        *(("Viewer", Role.VIEWER), ("operator", Role.OPERATOR), (" ADMIN ", Role.ADMIN)),
        *(("", None), ("root", None), ("2", None)),
    ],
)
def test_a_role_is_read_in_any_letter_case(text: str, role: Role | None) -> None:
    """A text that is no role is None, not a guess."""
    assert Role.parse(text) is role


def test_roles_are_ordered_and_labelled() -> None:
    """Viewer < Operator < Admin, written as people write them."""
    assert Role.VIEWER < Role.OPERATOR < Role.ADMIN
    assert [role.label for role in Role] == ["Viewer", "Operator", "Admin"]
    assert all(Role.parse(role.label) is role for role in Role)


@pytest.mark.parametrize(
    ("make", "prefix"),
    [(new_run_id, "run_"), (new_checkpoint_id, "cp_"), (new_person_id, "pn_")],
    ids=["run", "checkpoint", "person"],
)
def test_an_id_says_what_it_names_and_is_never_the_same(make: object, prefix: str) -> None:
    """Sixty random bits in letters nobody mistakes when read aloud."""
    assert callable(make)
    ids = {make() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(prefix + "[0-9a-hjkmnp-tv-z]{12}", made) for made in ids)


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (Identity(IdentityKind.SLACK, "T012", "U012AB"), "slack:T012:U012AB"),
        (Identity(IdentityKind.OS, "host", "ana"), "os:host:ana"),
        (Identity(IdentityKind.EMAIL, "", "ana@example.com"), "email:ana@example.com"),
    ],
    ids=str,
)
def test_an_identity_is_written_with_its_kind(identity: Identity, text: str) -> None:
    """An empty realm leaves no gap."""
    assert str(identity) == text


def test_a_policy_by_default_asks_one_operator_and_a_reason_for_no() -> None:
    """The defaults of the documentation."""
    policy = Policy()
    assert policy.required_role is Role.OPERATOR
    assert (policy.needed(Choice.APPROVE), policy.needed(Choice.REJECT)) == (1, 1)
    assert policy.self_approval is False
    assert policy.reason_rule(Choice.APPROVE) is ReasonRule.OPTIONAL
    assert policy.reason_rule(Choice.REJECT) is ReasonRule.REQUIRED
    assert policy.expires_in.total_seconds() == 72 * 3600


def test_open_and_ended_states_are_told_apart() -> None:
    """A task is open or has ended; a checkpoint has one open state."""
    assert {s.value for s in OPEN_TASK_STATES} == {"pending", "running", "waiting"}
    assert set(RunState) - ENDED_RUN_STATES == {"queued", "running", "paused"}
    ends = {s.value for s in CheckpointState} - {"pending"}
    assert ends < {s.value for s in set(TaskState) - OPEN_TASK_STATES}
