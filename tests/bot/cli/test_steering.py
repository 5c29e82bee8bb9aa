"""Calling runs off, trying them again, and stopping everything, from a terminal."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from bot.cli.session import this_host
from engine.liveness import this_process
from engine.model import RunId, TaskState
from engine.store import leases, processes, tasks
from engine.store.writer import Store, Tx
from tests.bot.cli.terminal import OTHER, Terminal, me

PLAIN = "name: plain\ntasks:\n  - {id: one, run: 'true'}\n"
MENDABLE = """\
name: mendable
tasks:
  - {id: first, run: "echo x >> first.txt"}
  - {id: second, depends_on: [first], run: "test -e mended"}
  - {id: third, depends_on: [second], run: "echo x >> third.txt"}
"""


def state_of(terminal: Terminal, run: str) -> str:
    return str(terminal.json("runs", "show", run)["state"])


def queued(terminal: Terminal) -> str:
    """A run that nobody drives."""
    file = terminal.write("plain.yml", PLAIN)
    return terminal.run("run", str(file), "--detach").stdout.strip()


def failed(terminal: Terminal) -> str:
    """A run whose second task failed."""
    file = terminal.write("mendable.yml", MENDABLE)
    result = terminal.json("run", str(file))
    assert result["state"] == "failed"
    return str(result["id"])


def lines(terminal: Terminal, name: str) -> int:
    """How often a task left its mark."""
    return len((terminal.folder / name).read_text().splitlines())


# Calling off


def test_a_paused_run_is_called_off_without_any_driver(terminal: Terminal) -> None:
    """It has ended when the command has; who and why are shown, its checkpoint is cancelled."""
    run, checkpoint = terminal.paused()
    said = terminal.ok("runs", "cancel", run, "--reason", "wrong branch")
    who = terminal.json("runs", "show", run)["called_off"]["by"]["name"]
    assert said == f"🚫 Run of deploy was cancelled\nCalled off by {who}: wrong branch\n"
    shown = terminal.json("checkpoints", "show", checkpoint)
    assert (shown["status"], shown["cause"]) == ("cancelled", "run_ended")
    assert "wrong branch" in terminal.ok("checkpoints", "show", checkpoint)
    assert terminal.run("checkpoints", "approve", checkpoint).exit_code == 1


def test_a_queued_run_is_called_off(terminal: Terminal) -> None:
    """Nothing of it ever runs."""
    run = queued(terminal)
    document = terminal.json("runs", "cancel", run, "--reason", "no")
    assert (document["state"], document["called_off"]["reason"]) == ("cancelled", "no")
    assert document["called_off_at"] == document["ended_at"]
    assert terminal.run("resume", run).exit_code == 1
    assert [task["state"] for task in document["tasks"]] == ["cancelled"]


def test_a_run_whose_worker_died_is_driven_to_its_end_by_the_command(terminal: Terminal) -> None:
    """What was running is settled here, where no worker lives, and the run is cancelled."""
    file = terminal.write("mendable.yml", MENDABLE)
    run = terminal.run("run", str(file), "--detach").stdout.strip()
    _interrupt(terminal, run)
    said = terminal.ok("runs", "cancel", run)
    assert said.startswith(f"{run} is called off; what runs of it is being ended.\n")
    assert "🚫 Run of mendable was cancelled" in said
    assert state_of(terminal, run) == "cancelled"


def test_with_a_worker_the_command_waits_and_says_how_far_it_came(terminal: Terminal) -> None:
    """A worker that takes long is not waited for without end: code 1, and what to watch."""
    file = terminal.write("mendable.yml", MENDABLE)
    run = terminal.run("run", str(file), "--detach").stdout.strip()
    _interrupt(terminal, run, worker_lives=True)
    terminal.patch.setattr("bot.cli.steering._PATIENCE_S", 0.3)
    result = terminal.run("runs", "cancel", run)
    assert result.exit_code == 1
    assert f"{run} is called off, and has not ended within" in result.stderr
    assert f"`signoff runs watch {run}`" in result.stderr
    assert terminal.json("runs", "show", run)["state"] == "running"
    again = terminal.run("runs", "cancel", run)
    assert "it was called off already" in again.stderr


def _interrupt(terminal: Terminal, run: str, *, worker_lives: bool = False) -> None:
    """Leave the run as a worker does that dies, or takes long, while its first task runs."""

    def leave(tx: Tx) -> None:
        leases.acquire(tx, RunId(run), "worker", timedelta(hours=worker_lives))
        tasks.set_state(tx, run, "first", TaskState.PENDING, TaskState.RUNNING, attempt=1)
        if worker_lives:
            me_too = this_process()
            processes.register(tx, "worker", processes.WORKER, this_host(), *me_too)

    store = Store.open(f"sqlite:///{terminal.folder / 'signoff.db'}")
    asyncio.run(store.write(leave))
    store.close()


def test_a_second_call_off_is_a_clear_no(terminal: Terminal) -> None:
    """It exits 1, says how the run stands, and changes nothing."""
    run, _ = terminal.paused()
    terminal.ok("runs", "cancel", run)
    before = terminal.json("runs", "show", run)
    result = terminal.run("runs", "cancel", run)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "It cannot be cancelled\n"
        "Needs to be queued, running or paused; it was cancelled.\n"
        "There is nothing left to cancel.\n"
    )
    assert terminal.json("runs", "show", run) == before


def test_calling_off_needs_a_role(terminal: Terminal) -> None:
    """Somebody else without Operator is refused, as a document too, and that is audited."""
    run, _ = terminal.paused()
    terminal.become(OTHER)
    result = terminal.run("runs", "cancel", run)
    assert result.exit_code == 1
    assert "Needs Operator in local-dev" in result.stderr
    refused = terminal.json("runs", "cancel", run)
    assert refused["ruling"] == "refused"
    assert [reason["rule"] for reason in refused["reasons"]] == ["role"]
    assert "steering_refused" in terminal.ok("audit", "export")
    assert state_of(terminal, run) == "paused"


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_an_unknown_run_is_one_sentence(terminal: Terminal, verb: str) -> None:
    """It exits 1 and says which."""
    result = terminal.run("runs", verb, "run_none")
    assert (result.exit_code, result.stderr) == (1, "error: there is no run 'run_none'\n")


def test_the_timeline_says_when_it_was_called_off(terminal: Terminal) -> None:
    """For readers and for programs, with the checkpoint's own end."""
    run, _ = terminal.paused()
    terminal.ok("runs", "cancel", run, "--reason", "wrong branch")
    assert "wrong branch" in terminal.ok("runs", "show", run)
    happened = {each["event"]: each for each in terminal.json("runs", "show", run)["timeline"]}
    assert happened["run_called_off"]["reason"] == "wrong branch"
    assert happened["checkpoint_ended"]["state"] == "cancelled"
    assert happened["run_ended"]["state"] == "cancelled"


def test_the_older_files_tell_it_too(terminal: Terminal) -> None:
    """The events of a run that was called off, in order, as the older system's reader sees them."""
    run, _ = terminal.paused()
    terminal.ok("runs", "cancel", run, "--reason", "wrong branch")
    told = _surface(terminal, "events")
    assert [line["event"] for line in told] == [
        "dag_start",
        "task_start",
        "task_ok",
        "checkpoint_pending",
        "dag_called_off",
        "checkpoint_cancelled",
        "dag_done",
    ]
    assert told[4]["reason"] == "wrong branch"
    assert told[6]["status"] == "cancelled"


def _surface(terminal: Terminal, surface: str) -> list[dict[str, Any]]:
    written = terminal.ok("audit", "export", "--surface", surface)
    return [json.loads(line) for line in written.splitlines()]


# Trying again


def test_a_failed_run_is_tried_again_where_it_failed(terminal: Terminal) -> None:
    """What succeeded does not run again; what was skipped behind the failure does now."""
    run = failed(terminal)
    terminal.write("mended", "")
    assert terminal.ok("runs", "retry", run).endswith("✅ Run of mendable succeeded\n")
    assert (lines(terminal, "first.txt"), lines(terminal, "third.txt")) == (1, 1)
    (told,) = [line for line in _surface(terminal, "events") if line["event"] == "dag_retried"]
    assert told["tasks"] == ["second", "third"]


def test_a_retry_that_fails_again_can_be_tried_again(terminal: Terminal) -> None:
    """As often as it takes."""
    run = failed(terminal)
    for _ in range(2):
        assert terminal.run("runs", "retry", run).exit_code == 1
    assert terminal.json("runs", "show", run)["tasks"][1]["attempt"] == 3
    terminal.write("mended", "")
    terminal.ok("runs", "retry", run)
    assert lines(terminal, "first.txt") == 1


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("paused", "It waits for people: signoff runs show {run}"),
        ("queued", "Watch it: signoff runs watch {run}"),
        ("cancelled", "Start it anew: signoff run FILE"),
        ("succeeded", "Start it anew: signoff run FILE"),
        ("rejected", "Ask again: signoff checkpoints ask-again {checkpoint}"),
    ],
)
def test_what_to_do_instead_of_trying_again(terminal: Terminal, made: str, said: str) -> None:
    """A refusal says how the run stands and what leads on; the code is 1."""
    run, checkpoint = terminal.paused()
    if made == "queued":
        run = queued(terminal)
    if made == "cancelled":
        terminal.ok("runs", "cancel", run)
    if made == "succeeded":
        terminal.ok("checkpoints", "approve", checkpoint)
        terminal.ok("resume", run)
    if made == "rejected":
        terminal.ok("checkpoints", "reject", checkpoint, "--reason", "no")
        assert terminal.run("resume", run).exit_code == 5
    result = terminal.run("runs", "retry", run)
    assert result.exit_code == 1
    assert "It cannot be tried again" in result.stderr
    assert said.format(run=run, checkpoint=checkpoint) in result.stderr


def test_trying_again_takes_an_operator(terminal: Terminal) -> None:
    """Also for whoever started it."""
    run = failed(terminal)
    terminal.roles(**{OTHER: "admin", me(): "viewer"})
    result = terminal.run("runs", "retry", run)
    assert result.exit_code == 1
    assert "you hold Viewer" in result.stderr
    assert state_of(terminal, run) == "failed"


# Standstill


def test_a_standstill_is_told_wherever_somebody_looks(terminal: Terminal) -> None:
    """On stderr, with who, since when and why, and how it ends."""
    run, checkpoint = terminal.paused()
    terminal.ok("pause", "--reason", "site down")
    file = str(terminal.write("plain.yml", PLAIN))
    for command in (
        ("runs", "list"),
        ("run", file),
        ("run", file, "--detach"),
        ("checkpoints", "approve", checkpoint),
        ("resume", run),
    ):
        said = terminal.run(*command).stderr
        assert said.startswith("Signoff stands still since 20"), (command, said)
        assert ": site down. Nothing starts before `signoff unpause`\n" in said
        assert said.count("stands still") == 1
    terminal.ok("unpause")
    assert terminal.run("runs", "list").stderr == ""


def test_a_run_is_submitted_and_waits_for_the_end_of_a_standstill(terminal: Terminal) -> None:
    """The command does not hang: code 3, and nothing has run; afterwards it goes on."""
    terminal.ok("pause")
    result = terminal.run("run", str(terminal.write("plain.yml", PLAIN)))
    assert result.exit_code == 3
    (run,) = terminal.json("runs", "list")
    assert run["state"] == "queued"
    assert f"signoff resume {run['id']}" in result.stdout
    assert terminal.run("resume", run["id"]).exit_code == 3
    terminal.ok("unpause")
    terminal.ok("resume", run["id"])
    assert state_of(terminal, run["id"]) == "succeeded"


def test_a_decision_counts_and_takes_effect_afterwards(terminal: Terminal) -> None:
    """Approved is approved; the run goes on when it may."""
    run, checkpoint = terminal.paused()
    terminal.ok("pause")
    assert "Approved" in terminal.ok("checkpoints", "approve", checkpoint)
    assert terminal.run("resume", run).exit_code == 3
    assert terminal.json("runs", "show", run)["tasks"][2]["state"] == "pending"
    terminal.ok("unpause")
    terminal.ok("resume", run)


def test_a_run_is_called_off_and_retried_during_a_standstill(terminal: Terminal) -> None:
    """To call off is what one does then; what is tried again waits, and code 3 says so."""
    paused, _ = terminal.paused()
    broken = failed(terminal)
    terminal.ok("pause")
    terminal.ok("runs", "cancel", paused)
    terminal.write("mended", "")
    assert terminal.run("runs", "retry", broken).exit_code == 3
    terminal.ok("unpause")
    terminal.ok("resume", broken)


def test_the_doctor_says_that_everything_stands_still(terminal: Terminal) -> None:
    """As a warning with who and why, and what ends it."""

    def check() -> dict[str, str]:
        found = terminal.json("doctor")["checks"]
        return next(each for each in found if each["name"] == "standstill")

    queued(terminal)
    assert check()["status"] == "ok"
    terminal.ok("pause", "--reason", "site down")
    assert check()["status"] == "warn"
    assert "site down" in check()["found"]
    assert "signoff unpause" in check()["advice"]


def test_a_second_pause_and_an_idle_unpause_are_refused(terminal: Terminal) -> None:
    """Code 1, and the first one's reason stands."""
    idle = terminal.run("unpause")
    assert (idle.exit_code, idle.stderr) == (1, "Nothing stands still.\n")
    terminal.ok("pause", "--reason", "first")
    second = terminal.run("pause", "--reason", "second")
    assert second.exit_code == 1
    assert "Signoff stands still already." in second.stderr
    assert ": first. Nothing starts" in second.stderr


def test_pausing_needs_a_role(terminal: Terminal) -> None:
    """Operator in at least one tenant."""
    terminal.become(OTHER)
    result = terminal.run("pause")
    assert result.exit_code == 1
    assert "Needs Operator in at least one tenant; you hold no role." in result.stderr
