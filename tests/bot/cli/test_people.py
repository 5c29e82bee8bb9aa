"""People at a terminal: who is known by what, who is stopped, who acts for whom."""

import socket

import pytest

from tests.bot.cli.terminal import OTHER, Terminal, me

HOST = socket.gethostname()


def code_of(said: str) -> str:
    """The code that `people link` printed."""
    return said.split("/signoff link ")[1].split(maxsplit=1)[0]


def test_a_stopped_person_decides_nothing_until_enabled(terminal: Terminal) -> None:
    """At once, on what waits already; the refusal says who can help."""
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    _, checkpoint = terminal.paused()
    terminal.ok("people", "disable", f"os:{OTHER}", "--reason", "lost laptop")
    assert terminal.json("people", "show", f"os:{OTHER}")["disabled_at"] is not None
    terminal.become(OTHER)
    refused = terminal.run("checkpoints", "approve", checkpoint)
    assert refused.exit_code == 1
    assert "An Admin had you disabled on" in refused.stderr
    assert terminal.run("people", "enable", f"os:{OTHER}").exit_code == 1
    terminal.become(me())
    terminal.ok("people", "enable", f"os:{OTHER}")
    terminal.become(OTHER)
    terminal.ok("checkpoints", "approve", checkpoint)


def test_stopping_needs_an_admin(terminal: Terminal) -> None:
    """Somebody without the role is told what it needs."""
    terminal.become(OTHER)
    result = terminal.run("people", "disable", f"os:{me()}")
    assert result.exit_code == 1
    assert "Needs Admin in any tenant; you hold no role" in result.stderr


def test_linking_prints_a_code_for_slack(terminal: Terminal) -> None:
    """Nothing is linked before it is typed there."""
    said = terminal.ok("people", "link", f"os:{me()}", "U012AB")
    assert "In Slack, as U012AB, type:" in said
    assert len(code_of(said)) == 8
    (mine,) = terminal.json("people", "show")
    assert mine["accounts"] == [f"os:{me()}@{HOST}"]


def test_a_place_is_lent_and_used_at_the_terminal(terminal: Terminal) -> None:
    """The vote is shown as made for somebody else; ended, it lends nothing any more."""
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    gate = f"self_approval: true\napprovers: ['os:{me()}']"
    said = terminal.ok(
        *("people", "delegate", f"os:{me()}", f"os:{OTHER}", "--until", "3 days"),
        *("--reason", "on leave"),
    )
    delegation = said.split(":")[0]
    _, first = terminal.paused(gate)
    _, second = terminal.paused(gate)
    (listed,) = terminal.json("people", "show", f"os:{OTHER}")["delegations"]
    assert (listed["id"], listed["reason"]) == (delegation, "on leave")
    shown = terminal.ok("people", "show", f"os:{OTHER}")
    assert f"{delegation}: " in shown
    assert "You get one message when what you asked for has ended." in " ".join(shown.split())
    terminal.become(OTHER)
    terminal.ok("checkpoints", "approve", first)
    shown = terminal.json("checkpoints", "show", first)
    (vote,) = shown["decisions"]
    assert vote["for_person"] is not None
    assert " for " in terminal.ok("checkpoints", "show", first)
    terminal.ok("people", "end-delegation", delegation)
    refused = terminal.run("checkpoints", "approve", second)
    assert refused.exit_code == 1
    assert "delegation ended on" in refused.stderr


@pytest.mark.parametrize(
    ("args", "code", "part"),
    [
        (["disable", "bob"], 2, "names nobody"),
        (["disable", "U012AB"], 2, "write T0123ABCD/U012AB"),
        (["disable", "S012AB"], 2, "is a group"),
        (["disable", "ana@example.com"], 1, "there is nobody"),
        (["disable", "pn_nobody"], 1, "there is nobody"),
        (["show", "os:nobody"], 1, "there is nobody"),
        (["link", "os:ana", "S012AB"], 1, "a Slack user to link it to"),
        (["unlink", "os:ana"], 1, "an account that was linked"),
        (["delegate", "os:a", "os:b", "--until", "soon"], 2, "'soon' is no time"),
        (["delegate", "os:a", "os:a", "--until", "friday"], 1, "two different persons"),
        (["end-delegation", "dl_x"], 1, "dl_x is none"),
    ],
)
def test_what_cannot_be_is_told_with_an_exit_code(
    terminal: Terminal, args: list[str], code: int, part: str
) -> None:
    """Wrong usage exits 2, a refusal or nobody 1."""
    result = terminal.run("people", *args)
    assert result.exit_code == code
    assert part in result.stderr
