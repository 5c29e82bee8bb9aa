"""Slash commands as people type them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.page_states import PastKind
from bot.tokens import ListKind, ListState
from bot.typed import (
    Doctor,
    Help,
    Listing,
    Looking,
    NotUnderstood,
    Request,
    Review,
    Show,
    WhoAmI,
    understood,
)
from bot.typed_filters import Filters

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
        ("review cp_0123456789ab", Review("cp_0123456789ab")),
        ("review", Review()),
        ("next", Review()),
        ("doctor", Doctor()),
        ("stats", Looking(PastKind.STATS, Filters())),
        ("History", Looking(PastKind.HISTORY, Filters())),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "history by:&lt;@U0BOB|bob smith&gt; state:rejected",
            {"by": "U0BOB", "state": "rejected"},
        ),
        ("history state:reject by:<@U0BOB>", {"by": "U0BOB", "state": "rejected"}),
        ("rejected history by U0BOB", {"by": "U0BOB", "state": "rejected"}),
        ("by:@bob history", {"by": "@bob"}),
        ("history by:bob", {"by": "@bob"}),
        ("history mine", {"by": "me"}),
        ("history by:me", {"by": "me"}),
        ("history since:7d", {"since": "7d"}),
        ("history since monday", {"since": "monday"}),
        ("history “since:3 days”", {"since": "3 days"}),
        ("history —since 2026-11-01", {"since": "2026-11-01"}),
        ('history dag:"nightly load', {"dag": "nightly load"}),
        ("history dag:“nightly load", {"dag": "nightly load"}),
        (
            "tenant:acme dag:deploy canceled history",
            {"tenant": "acme", "dag": "deploy", "state": "cancelled"},
        ),
    ],
)
def test_history_takes_filters_in_any_order(text: str, expected: dict[str, str]) -> None:
    """Mentions as Slack escapes them or as typed, states by any name, forgotten quotes."""
    assert understood(text) == Looking(PastKind.HISTORY, Filters(**expected))


@pytest.mark.parametrize(
    ("text", "by", "asked_by"),
    [
        ("by:@bob", "@bob", None),
        ("list from:<@U0ANA|ana>", None, "U0ANA"),
        ("from @ana list by me", "me", "@ana"),
    ],
)
def test_lists_are_narrowed_to_people(text: str, by: str | None, asked_by: str | None) -> None:
    """By who has answered, and from whom the run is."""
    assert understood(text) == Listing(ListState(by=by, asked_by=asked_by))


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
        ("histroy", "histroy", "history"),
        ("history state:aproved", "state:aproved", "history state:approved"),
        ("history state:pending", "state:pending", "history state:approved"),
        ("history from:@ana", "from:@ana", "history tenant:NAME dag:NAME"),
        ("history dag:nightly load", "load", 'history dag:"nightly load"'),
        ("history by:<!subteam^S1|@ops>", "by:<!subteam^S1|@ops>", "history by:@NAME"),
        ("stats state:approved", "state:approved", "stats tenant:NAME dag:NAME"),
        ("whoami tenant:acme", "tenant:acme", "whoami"),
        ("review cp_0123456789ab now", "now", None),
        ("sinse:7d", "sinse:7d", "since:NAME"),
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
        case Review(checkpoint_id):
            assert len(checkpoint_id or "") <= 64
        case Listing(state):
            assert len(state.tenant or "") <= 100
        case Looking(_, filters):
            assert len(filters.since or "") <= 100
        case WhoAmI() | Doctor() | Help():
            pass


_PIECES = st.sampled_from(
    (
        *("history", "stats", "list", "by:", "from", "since", "state:", "tenant:", "dag:", "me"),
        *("<@U0BOB|bob>", "<!channel>", "@here", "<!subteam^S1|x>", "7d", "=", ":"),
        *('"', "“", "'", "\\", "—"),
    )
)


@given(st.lists(_PIECES | st.text(max_size=8), max_size=8).map(" ".join))
def test_a_person_that_a_filter_names_is_an_id_or_a_name(text: str) -> None:
    """Never a mention, a group or markup: nothing that Slack could act on."""
    match understood(text):
        case Listing(state):
            people = (state.by, state.asked_by)
        case Looking(_, filters):
            people = (filters.by, filters.asked_by)
        case _:
            people = (None, None)
    for one in people:
        assert one is None or not set("<>&| ") & set(one)
