"""Breaking the glass and signing reviews from a terminal."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from tests.bot.cli.terminal import OTHER, Terminal, me
from tests.bot.cli.test_setting_up import checks

WHY = "the site is down"
TWO = "quorum: 2"
FORM = """\
approvers: [U0BOB]
inputs:
  region: {type: choice, options: [eu, us], required: true}"""


def breaks(terminal: Terminal, checkpoint: str, answer: str = "approve", *more: str) -> str:
    """Break the glass; returns what was printed."""
    return terminal.ok("checkpoints", "break-glass", checkpoint, answer, "--reason", WHY, *more)


def test_an_admin_ends_it_over_the_rules(terminal: Terminal) -> None:
    """The request is shown, what gave way is said, and the run goes on."""
    run, checkpoint = terminal.paused(TWO)
    said = breaks(terminal, checkpoint)
    for expected in (
        *("Release 1.2?", "🔨 Approved by break-glass: deploy · release"),
        "You overrode that whoever started the run may not decide, how many people must agree.",
        f"signoff reviews sign {checkpoint} --note",
    ):
        assert expected in said
    terminal.ok("resume", run)
    shown = terminal.json("checkpoints", "show", checkpoint)
    assert (shown["status"], shown["cause"]) == ("approved", "break_glass")
    assert shown["decisions"][0]["broke_glass"] is True
    assert shown["review"]["overridden"] == ["self_approval", "quorum"]


def test_it_rejects_too(terminal: Terminal) -> None:
    """What depends on the approval does not run."""
    run, checkpoint = terminal.paused(TWO)
    assert "🔨 Rejected by break-glass" in breaks(terminal, checkpoint, "reject")
    terminal.run("resume", run)
    assert terminal.json("runs", "show", run)["state"] == "failed"


def test_the_form_is_filled_in_as_ever(terminal: Terminal) -> None:
    """An input that is missing refuses; with it the glass breaks."""
    _, checkpoint = terminal.paused(FORM)
    refused = terminal.run("checkpoints", "break-glass", checkpoint, "approve", "--reason", WHY)
    assert refused.exit_code == 1
    assert "region" in refused.stderr
    breaks(terminal, checkpoint, "approve", "--kv", "region=eu")


@pytest.mark.parametrize(
    ("gate", "reason", "said", "rule"),
    [
        ("self_approval: true", WHY, "Decide as usual", "break_glass"),
        (TWO, "because", "at least 10 characters", "reason"),
    ],
    ids=["not-needed", "short"],
)
def test_a_refusal_says_why_and_changes_nothing(
    terminal: Terminal, gate: str, reason: str, said: str, rule: str
) -> None:
    """In words and as JSON, with exit code 1."""
    _, checkpoint = terminal.paused(gate)
    command = ("checkpoints", "break-glass", checkpoint, "approve", "--reason", reason)
    refused = terminal.run(*command)
    assert refused.exit_code == 1
    assert said in refused.stderr
    document = terminal.json(*command)
    assert [finding["rule"] for finding in document["reasons"]] == [rule]
    assert document["checkpoint"]["status"] == "pending"


def test_others_are_refused(terminal: Terminal) -> None:
    """Operators, those without a role, and ids of nothing."""
    _, checkpoint = terminal.paused(TWO)
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    terminal.become(OTHER)
    command = ("checkpoints", "break-glass", checkpoint, "approve", "--reason", WHY)
    refused = terminal.run(*command)
    assert refused.exit_code == 1
    assert "Needs Admin in local-dev" in refused.stderr
    missing = terminal.run("checkpoints", "break-glass", "cp_none", "approve", "--reason", WHY)
    assert missing.exit_code == 1
    usage = terminal.run("checkpoints", "break-glass", checkpoint, "expire", "--reason", WHY)
    assert usage.exit_code == 2


@pytest.mark.parametrize(("role", "code"), [("Operator", 1), ("Admin", 0)])
def test_local_mode_counts_only_where_it_says_admin(
    bare: Terminal, monkeypatch: pytest.MonkeyPatch, role: str, code: int
) -> None:
    """Whoever uses the machine is an Admin only where it is said in so many words."""
    monkeypatch.setenv("SIGNOFF_LOCAL_MODE", "1")
    monkeypatch.setenv("USER_RBAC_ROLE", role)
    _, checkpoint = bare.paused(TWO)
    broken = bare.run("checkpoints", "break-glass", checkpoint, "approve", "--reason", WHY)
    assert broken.exit_code == code, broken.output


def test_a_ruling_is_printed_as_json(terminal: Terminal) -> None:
    """With the rules that gave way, and the checkpoint as it ended."""
    _, checkpoint = terminal.paused(TWO)
    said = json.loads(breaks(terminal, checkpoint, "approve", "--json"))
    assert (said["ruling"], said["overridden"]) == ("overruled", ["self_approval", "quorum"])
    assert said["checkpoint"]["cause"] == "break_glass"


# Reviews


def reviewed_by(terminal: Terminal, *, starter: str = OTHER) -> str:
    """A broken glass of a run that somebody else started; both are known here."""
    terminal.roles(**{me(): "admin", OTHER: "admin", "bin": "operator"})
    terminal.become(starter)
    _, checkpoint = terminal.paused(TWO)
    terminal.become(me())
    breaks(terminal, checkpoint)
    return checkpoint


def test_another_operator_signs(terminal: Terminal) -> None:
    """It is listed, shown and signed; then it is on record as signed."""
    checkpoint = reviewed_by(terminal)
    listed = terminal.ok("reviews", "list")
    assert checkpoint in listed
    assert "open" in listed
    shown = terminal.ok("reviews", "show", checkpoint)
    for expected in ("broke the glass and approved deploy", WHY, "how many people", "Release 1.2?"):
        assert expected in shown
    terminal.become("bin")
    assert "Signed." in terminal.ok("reviews", "sign", checkpoint, "--note", "agreed")
    assert terminal.ok("reviews", "list") == "No reviews wait for a signature.\n"
    (signed,) = terminal.json("reviews", "list", "--all")
    assert (signed["review"]["open"], signed["review"]["note"]) == (False, "agreed")
    assert signed["decision"]["reason"] == WHY
    assert terminal.json("reviews", "show", checkpoint) == signed


@pytest.mark.parametrize(
    ("signer", "said"),
    [
        (me(), "You are the one who broke the glass."),
        (OTHER, "You are the one who started the run."),
        ("nobody", "Needs Operator in local-dev"),
    ],
    ids=["breaker", "requester", "nobody"],
)
def test_who_had_a_part_in_it_does_not_sign(terminal: Terminal, signer: str, said: str) -> None:
    """Refused with the reason; the review stays open."""
    checkpoint = reviewed_by(terminal)
    terminal.become(signer)
    refused = terminal.run("reviews", "sign", checkpoint, "--note", "fine")
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert len(terminal.json("reviews", "list")) == 1


def test_a_note_is_needed(terminal: Terminal) -> None:
    """A blank one is none."""
    checkpoint = reviewed_by(terminal)
    terminal.become("bin")
    assert (
        "A reason is required" in terminal.run("reviews", "sign", checkpoint, "--note", " ").stderr
    )


def test_what_was_decided_as_usual_has_no_review(terminal: Terminal) -> None:
    """The command says so."""
    _, checkpoint = terminal.paused()
    for command in (("show", checkpoint), ("sign", checkpoint, "--note", "fine")):
        refused = terminal.run("reviews", *command)
        assert refused.exit_code == 1
        assert "nobody broke the glass" in refused.stderr


def test_the_timeline_shows_the_glass_and_its_review(terminal: Terminal) -> None:
    """Who broke it and why, and who looked at it afterwards."""
    checkpoint = reviewed_by(terminal)
    run = terminal.json("checkpoints", "show", checkpoint)["run_id"]
    terminal.become("bin")
    terminal.ok("reviews", "sign", checkpoint, "--note", "agreed")
    shown = terminal.ok("runs", "show", run)
    assert f"approved by break-glass: “{WHY}”" in shown
    assert "reviewed the break-glass: “agreed”" in shown
    events = {event["event"]: event for event in terminal.json("runs", "show", run)["timeline"]}
    assert events["decided"]["broke_glass"] is True
    assert events["checkpoint_ended"]["cause"] == "break_glass"
    assert events["review_signed"]["note"] == "agreed"


def test_the_doctor_warns_of_a_review_that_waits_for_a_day(terminal: Terminal) -> None:
    """A fresh one is no reason to worry."""
    assert checks(terminal)["reviews"] == ("ok", "no broken glass waits for a review")
    checkpoint = reviewed_by(terminal)
    assert checks(terminal)["reviews"][0] == "ok"
    past = (datetime.now(UTC) - timedelta(hours=25)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with sqlite3.connect(terminal.folder / "signoff.db") as connection:
        connection.execute(
            "UPDATE review SET opened_at = ? WHERE checkpoint_id = ?", (past, checkpoint)
        )
    connection.close()
    status, found = checks(terminal)["reviews"]
    assert status == "warn"
    assert "1 waits" in found
