"""Slash commands as people type them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.tokens import ListKind, ListState
from bot.typed import Help, Listing, NotUnderstood, Request, Show, WhoAmI, understood

ACME_DEPLOY = Listing(ListState(tenant="acme", dag="deploy"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Listing(ListState())),
        ("   ", Listing(ListState())),
        ("list", Listing(ListState())),
        ("LIST", Listing(ListState())),
        ("mine", Listing(ListState(kind=ListKind.MINE))),
        ("whoami", WhoAmI()),
        ("WhoAmI", WhoAmI()),
        ("help", Help()),
        ("--help", Help()),
        ("—help", Help()),
        ("?", Help()),
        ("show cp_0123456789ab", Show("cp_0123456789ab")),
        ("show `CP_0123456789AB`", Show("cp_0123456789ab")),
        ("cp_0123456789ab", Show("cp_0123456789ab")),
        ("show something", Show("something")),
    ],
)
def test_a_command_in_any_case_is_understood(text: str, expected: Request) -> None:
    """Upper case, spaces and code marks do not matter; no command lists."""
    assert understood(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "list tenant:acme dag:deploy",
        "list dag:deploy tenant:acme",
        "tenant:acme dag:deploy",
        "list tenant: acme dag: deploy",
        "list --tenant acme --dag deploy",
        "list --tenant=acme --dag=deploy",
        "list —tenant acme —dag=deploy",
        "list –tenant acme -dag deploy",
        "list --tenant “acme” --dag ‘deploy’",
        'list tenant:"acme" dag:deploy',
        "List Tenant:acme DAG:deploy",
        "list tenant=acme dag=deploy",
        "list tenant:acme dag:deploy tenant:acme",
        "list\u00a0tenant:acme dag:deploy",
    ],
)
def test_filters_are_understood_in_any_form_and_order(text: str) -> None:
    """Colons, flags, and the quotes and dashes that phones put in."""
    assert understood(text) == ACME_DEPLOY


def test_entities_of_slack_are_read_as_characters() -> None:
    """A tenant with an ampersand is found under its name."""
    assert understood("list tenant:a&amp;b") == Listing(ListState(tenant="a&b"))


@pytest.mark.parametrize(
    ("text", "said", "nearest"),
    [
        ("lsit", "lsit", "list"),
        ("whoam", "whoam", "whoami"),
        ("xyzzy", "xyzzy", None),
        ("show", "show", "show ID"),
        ("show cp_0123456789ab now", "now", None),
        ("list tenan:acme", "tenan:acme", "tenant:NAME"),
        ("list acme", "acme", "list tenant:NAME dag:NAME"),
        ("list tenant:", "tenant:", "list tenant:NAME"),
        ("list tenant:a tenant:b", "tenant:b", "list tenant:NAME"),
        ("list --colour red", "--colour", None),
    ],
)
def test_what_is_not_understood_is_met_with_what_was_meant(
    text: str, said: str, nearest: str | None
) -> None:
    """The word that was not understood comes back, with the nearest that would be."""
    assert understood(text) == NotUnderstood(said, nearest)


@given(st.text())
@example("“")
@example("list tenant:" + "x" * 9_000)
@example("show " + "\u202e" * 9_000)
@example("\\")
def test_nothing_that_is_typed_raises(text: str) -> None:
    """Whatever is typed is understood or not; what comes back is short."""
    match understood(text):
        case NotUnderstood(said):
            assert len(said) <= 64
        case Show(checkpoint_id):
            assert len(checkpoint_id) <= 64
        case Listing(state):
            assert len(state.tenant or "") <= 100
        case WhoAmI() | Help():
            pass
