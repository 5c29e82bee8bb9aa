"""`/signoff link` and `/signoff delegate` as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.typed import NotUnderstood
from bot.typed_people import (
    DELEGATE_USAGE,
    Delegate,
    EndDelegation,
    LinkAccount,
    ListDelegations,
)
from bot.typed_runs import RunRequest, StartRun, understood_run

BOB = Delegate(to="U034CD", until=("friday",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delegate <@U034CD|bob> until friday", BOB),
        ("delegate <@U034CD> till friday", BOB),
        ("DELEGATE U034CD, until friday", BOB),
        ("delegate <@U034CD|bob> for 3 days", Delegate(to="U034CD", until=("3", "days"))),
        (
            "delegate <@U034CD|bob> from monday until friday 18:00 because I’m on leave until then",
            Delegate(
                to="U034CD",
                until=("friday", "18:00"),
                since=("monday",),
                reason="I'm on leave until then",
            ),
        ),
        (
            "delegate <@U034CD|bob> until 2026–12–01 from tomorrow",
            Delegate(to="U034CD", until=("2026-12-01",), since=("tomorrow",)),
        ),
        ("delegate", ListDelegations()),
        ("delegate list", ListDelegations()),
        ("delegate end dl_0123456789ab", EndDelegation("dl_0123456789ab")),
        ("delegate stop `DL_0123456789AB`", EndDelegation("dl_0123456789ab")),
        ("link 7K2MX0QD", LinkAccount("7K2MX0QD")),
        ("link `7K2MX0QD`", LinkAccount("7K2MX0QD")),
    ],
)
def test_what_is_typed_is_understood(text: str, expected: RunRequest) -> None:
    """Parts in any order, a reason to the end of the line, typography as phones make it."""
    assert understood_run(text) == expected


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("delegate @bob until friday", DELEGATE_USAGE),
        ("delegate <!here> until friday", DELEGATE_USAGE),
        ("delegate <!subteam^S012|@ops> until friday", DELEGATE_USAGE),
        ("delegate <@U034CD|bob>", DELEGATE_USAGE),
        ("delegate <@U034CD|bob> friday", DELEGATE_USAGE),
        ("delegate <@U034CD|bob> until", DELEGATE_USAGE),
        ("delegate <@U034CD|bob> until friday from", DELEGATE_USAGE),
        ("delegate <@U034CD|bob> because until friday", DELEGATE_USAGE),
        ("delegate lsit", "delegate list"),
        ("delegate end", "delegate end ID"),
        ("link", "link CODE"),
        ("link a b", "link CODE"),
        ("delegat <@U034CD|bob> until friday", "delegate"),
    ],
)
def test_what_is_not_understood_says_how_it_is_typed(text: str, nearest: str) -> None:
    """A name that Slack did not resolve is nobody: names can change hands."""
    found = understood_run(text)
    assert isinstance(found, NotUnderstood)
    assert found.nearest == nearest


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("<#C012|releases>", "#releases"),
        ("<@U012|ana>", "@ana"),
        ("<!subteam^S012|@ops>", "@ops"),
        ("<https://x.org/a|x.org/a>", "x.org/a"),
        ("<https://x.org/a>", "https://x.org/a"),
        ("<#C012>", "#C012"),
        ("&lt;b&gt;", "<b>"),
    ],
)
def test_parameters_of_a_run_are_as_they_were_typed(sent: str, value: str) -> None:
    """Slack escapes names and links; a parameter wants none of that."""
    assert understood_run(f"run d note={sent}") == StartRun("d", {"note": value})


@given(st.lists(st.sampled_from(["<@U034CD|b>", "until", "from", "because", "x", "'", "end"])))
def test_whatever_follows_is_understood_or_not(words: list[str]) -> None:
    """Nothing that somebody types breaks it."""
    understood_run(" ".join(["delegate", *words]))
