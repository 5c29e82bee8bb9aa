"""Checking and exporting the trail from a terminal."""

import csv
import io
import json
import sqlite3

from tests.bot.cli.terminal import Terminal, me


def tamper(terminal: Terminal, *statements: str) -> None:
    """Change the file behind Signoff's back, triggers or not."""
    connection = sqlite3.connect(terminal.folder / "signoff.db")
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_sound_trail_is_counted_with_its_head(terminal: Terminal) -> None:
    """An auditor notes both numbers."""
    terminal.paused()
    verified = terminal.json("audit", "verify")
    lines = terminal.ok("audit", "export").splitlines()
    assert verified == {
        "holds": True,
        "rows": len(lines),
        "head": json.loads(lines[-1])["hash"],
        "signed_to": 0,
    }
    assert f"{len(lines)} rows checked" in terminal.ok("audit", "verify")


def test_an_edited_trail_names_the_row_and_exits_1(terminal: Terminal) -> None:
    """The first bad row is enough to start looking."""
    terminal.paused()
    tamper(terminal, "UPDATE audit SET event = 'run_ended' WHERE seq = 2")
    result = terminal.run("audit", "verify")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: the trail is broken: row 2 was edited\n",
    )
    assert terminal.json("audit", "verify")["seq"] == 2


def test_every_line_has_an_event_and_a_timestamp(terminal: Terminal) -> None:
    """The lines can be read by anything that reads JSON lines."""
    terminal.paused()
    lines = [json.loads(line) for line in terminal.ok("audit", "export").splitlines()]
    assert all(line["event"] and line["timestamp"] for line in lines)
    assert "checkpoint_opened" in [line["event"] for line in lines]


def test_the_export_can_be_narrowed(terminal: Terminal) -> None:
    """To a checkpoint, a run or a time."""
    run, checkpoint = terminal.paused()
    terminal.paused()
    of_checkpoint = terminal.ok("audit", "export", "--checkpoint", checkpoint).splitlines()
    assert {json.loads(line)["checkpoint_id"] for line in of_checkpoint} == {checkpoint}
    of_run = terminal.ok("audit", "export", "--run", run, "--format", "jsonl").splitlines()
    assert {json.loads(line)["run_id"] for line in of_run} == {run}
    assert terminal.ok("audit", "export", "--since", "2999-01-01") == ""
    assert len(terminal.ok("audit", "export", "--since", "1h").splitlines()) > len(of_run)


def test_a_moment_that_is_none_is_wrong_usage(terminal: Terminal) -> None:
    """It exits 2 and says what was expected."""
    assert terminal.run("audit", "export", "--since", "yesterday").exit_code == 2


def test_a_surface_can_be_exported(terminal: Terminal) -> None:
    """One view of the trail, under the older system's names, of one run if so wanted."""
    run, checkpoint = terminal.paused()
    terminal.paused()
    terminal.ok("checkpoints", "approve", checkpoint)
    told = terminal.ok("audit", "export", "--surface", "checkpoints", "--run", run)
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["event"] for line in lines] == ["checkpoint_created", "checkpoint_approved"]
    assert {line["checkpoint_id"] for line in lines} == {checkpoint}
    assert terminal.run("audit", "export", "--surface", "nothing").exit_code == 2


def test_a_table_names_who_approved_and_who_rejected(terminal: Terminal) -> None:
    """The columns an auditor sorts by; one row for each row of the trail."""
    run, checkpoint = terminal.paused("self_approval: true")
    terminal.ok("checkpoints", "reject", checkpoint, "--reason", "not, today")
    told = terminal.ok("audit", "export", "--format", "csv", "--run", run)
    rows = list(csv.DictReader(io.StringIO(told)))
    (answer,) = [row for row in rows if row["event"] == "decision_recorded"]
    assert (answer["rejecter"], answer["approver"], answer["reason"]) == (me(), "", "not, today")
    assert (answer["checkpoint"], answer["run"], answer["tenant"]) == (checkpoint, run, "local-dev")
    assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), key=int)


def test_no_reason_is_taken_for_a_formula(terminal: Terminal) -> None:
    """A spreadsheet would run what somebody typed."""
    _, checkpoint = terminal.paused()
    terminal.ok("checkpoints", "approve", checkpoint, "--reason", "=cmd|' /C calc'!A0")
    told = list(csv.DictReader(io.StringIO(terminal.ok("audit", "export", "--format", "csv"))))
    assert [row["reason"] for row in told if row["reason"]] == ["'=cmd|' /C calc'!A0"]


def test_the_export_can_be_narrowed_to_a_person_a_tenant_an_event_and_a_time(
    terminal: Terminal,
) -> None:
    """Each alone and all together; what fits nothing is empty, and no error."""
    _, checkpoint = terminal.paused()
    terminal.ok("checkpoints", "approve", checkpoint)
    events = ("audit", "export", "--event", "decision_recorded")
    for more in (("--person", me().upper()), ("--tenant", "local-dev"), ("--until", "2999-01-01")):
        assert len(terminal.ok(*events, *more).splitlines()) == 1, more
    for more in (("--person", "nobody"), ("--tenant", "acme"), ("--until", "1h")):
        assert terminal.ok(*events, *more) == "", more
    refused = terminal.run("audit", "export", "--surface", "events", "--tenant", "acme")
    assert refused.exit_code == 2


def test_a_timeline_tells_what_happened_to_a_checkpoint(terminal: Terminal) -> None:
    """In the order it happened, with who and why; an id without a row says so."""
    run, checkpoint = terminal.paused()
    terminal.ok("checkpoints", "approve", checkpoint, "--reason", "looks good")
    told = terminal.ok("audit", "timeline", checkpoint)
    assert told.index("checkpoint opened") < told.index("decision recorded")
    assert "looks good" in told
    assert "run started" in terminal.ok("audit", "run", run)
    rows = terminal.json("audit", "run", run)
    assert {row["run_id"] for row in rows} == {run}
    missing = terminal.run("audit", "timeline", "cp_000000000000")
    assert (missing.exit_code, "no row of the trail" in missing.stderr) == (1, True)
