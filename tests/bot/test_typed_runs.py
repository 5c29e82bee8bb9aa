"""`/signoff` as people type it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.page_states import PastKind
from bot.typed import Doctor, Help, Looking, NotUnderstood, WhoAmI
from bot.typed_filters import Filters
from bot.typed_runs import StartRun, understood_run

DEPLOY = StartRun("deploy", {"version": "1.4", "note": "the second try"})


@pytest.mark.parametrize("text", ["", "help", "HELP", "?", "--help", "—help"])
def test_help(text: str) -> None:
    """Without a word, help is meant."""
    assert understood_run(text) == Help()


@pytest.mark.parametrize(
    "text",
    [
        'run deploy version=1.4 note="the second try"',
        "run version=1.4 deploy note='the second try'",
        "RUN version=1.4 note=“the second try” deploy",
        "start deploy version=1.4 “note=the second try”",
        "run deploy --version=1.4 —note=‘the second try’",
        "run deploy --param version=1.4 —param note='the second try'",
        "run deploy version = 1.4 note = 'the second try'",
        "run\u00a0deploy version=1.4 version=1.4 note='the second try'",
    ],
)
def test_a_run_is_understood_in_any_form_and_order(text: str) -> None:
    """Quotes, dashes and spaces as phones and habits make them."""
    assert understood_run(text) == DEPLOY


@pytest.mark.parametrize("text", ["whoami", "WhoAmI", "who"])
def test_whoami(text: str) -> None:
    """As under the other command."""
    assert understood_run(text) == WhoAmI()
    assert understood_run("doctor") == Doctor()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs", {}),
        ("list", {}),
        ("runs mine failed", {"by": "me", "state": "failed"}),
        ("failed runs", {"state": "failed"}),
        ("runs from:<@U0BOB|bob> dag:deploy", {"by": "U0BOB", "dag": "deploy"}),
        ("tenant:acme runs since:7d", {"tenant": "acme", "since": "7d"}),
        ("runs state:waiting", {"state": "paused"}),
    ],
)
def test_runs_take_filters_in_any_order(text: str, expected: dict[str, str]) -> None:
    """Who asked for them, in which state, of which DAG."""
    assert understood_run(text) == Looking(PastKind.RUNS, Filters(**expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run", StartRun("")),
        ("run nightly report", StartRun("nightly report")),
        ('run "nightly report" a=b', StartRun("nightly report", {"a": "b"})),
        ("run d tenant:acme", StartRun("d", {}, "acme")),
        ("run d tenant: acme", StartRun("d", {}, "acme")),
        ("run --tenant acme d", StartRun("d", {}, "acme")),
        ("run —tenant=acme d", StartRun("d", {}, "acme")),
        ("run d tenant=acme", StartRun("d", {"tenant": "acme"})),
        ("run d a=", StartRun("d", {"a": ""})),
        ("run d a=b=c", StartRun("d", {"a": "b=c"})),
        ("run d a=it’s", StartRun("d", {"a": "it's"})),
        ('run d a="1 – 2"', StartRun("d", {"a": "1 – 2"})),
        ("run d a=#releases", StartRun("d", {"a": "#releases"})),
        ("run d a=1 &lt; 2", StartRun("d < 2", {"a": "1"})),
        ("run d a=R&amp;D", StartRun("d", {"a": "R&D"})),
    ],
)
def test_what_is_a_name_a_value_or_a_tenant(text: str, expected: StartRun) -> None:
    """Values stay as they were typed, dashes in them too; `tenant=` is a parameter."""
    assert understood_run(text) == expected


@pytest.mark.parametrize(
    ("text", "said", "nearest"),
    [
        ("rnu deploy", "rnu", "run"),
        ("deploy", "deploy", "run deploy"),
        ("<!here>", "<!here>", None),
        ("run d a=1 a=2", "a=2", "run DAG key=value, each key once"),
        ("run d =1", "=1", "run DAG key=value, each key once"),
        ("run d tenant:", "tenant:", "run DAG tenant:NAME"),
        ("run d tenant:a tenant:b", "tenant:", "run DAG tenant:NAME"),
    ],
)
def test_what_is_not_understood_is_met_with_what_was_meant(
    text: str, said: str, nearest: str | None
) -> None:
    """A DAG without `run` is most likely to be run."""
    assert understood_run(text) == NotUnderstood(said, nearest)


@given(st.text() | st.text(alphabet='run d=t:"-— tenant').map(lambda text: f"run {text}"))
@example("run “")
@example("run = = =")
@example("run " + "x" * 9_000)
def test_nothing_that_is_typed_raises(text: str) -> None:
    """Whatever is typed is understood or not; a name and what comes back are short."""
    match understood_run(text):
        case StartRun(name):
            assert len(name) <= 80
        case NotUnderstood(said):
            assert len(said) <= 64
        case Help():
            pass
