"""Watching runs: on a terminal, drawn in place; in a pipe, line by line; afterwards, in order."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.text import Text

from bot.cli.live import frame
from bot.cli.sight import Sight
from bot.cli.timeline import timeline_json
from engine.model import Policy, RunState, TaskId, TaskState
from engine.queries import run_view
from engine.store.tasks import TaskRecord
from engine.store.writer import Store
from tests.bot.cli.terminal import OTHER, Terminal, me
from tests.bot.views import stopped
from tests.engine.build import deploy_dag, new_run, now

SHORT = """\
name: short
tasks:
  - {id: slow, run: "echo working on it; sleep 2.5"}
  - {id: after, depends_on: [slow], run: echo done}
"""
_PATIENCE_S = 50
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Screen:
    """A command on a terminal of its own."""

    process: "subprocess.Popen[bytes]"
    controller: int
    seen: str = ""

    def until(self, words: str) -> None:
        """Wait until these words were shown."""
        deadline = time.monotonic() + _PATIENCE_S
        while words not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self._read()

    def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        deadline = time.monotonic() + _PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen
            self._read()
        self._read()
        return self.process.returncode

    def _read(self) -> None:
        readable, _, _ = select.select([self.controller], [], [], 0.1)
        if readable:
            try:
                chunk = os.read(self.controller, 65536)
            except OSError:  # nobody holds the other side any more
                return
            self.seen += _ESCAPES.sub("", chunk.decode("utf-8", "replace"))


@contextmanager
def screen(terminal: Terminal, *args: str) -> Iterator[Screen]:
    """A command at a real terminal of 24 rows."""
    terminal.patch.setenv("TERM", "xterm-256color")
    terminal.patch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    controller, terminal_side = pty.openpty()
    fcntl.ioctl(terminal_side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 110, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", *args],
        stdin=terminal_side,
        stdout=terminal_side,
        stderr=terminal_side,
        start_new_session=True,
    )
    os.close(terminal_side)
    try:
        yield Screen(process, controller)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(controller)


def test_a_run_is_drawn_as_it_goes(terminal: Terminal) -> None:
    """What runs is shown with its last words, what waits with what it waits for, then the end."""
    with screen(terminal, "run", str(terminal.write("short.yml", SHORT))) as shown:
        shown.until("running: working on it")
        shown.until("after slow")
        assert shown.ended() == 0
    assert "✓ slow" in shown.seen
    assert shown.seen.rstrip().endswith("✅ Run of short succeeded")


def test_a_watched_run_is_shown_through_its_pause_to_its_end(terminal: Terminal) -> None:
    """It says whom it waits for and how to approve, wakes by the decision, and exits 0."""
    run, checkpoint = terminal.paused("quorum: 2\nself_approval: true\nexpires_in: 3h")
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    with screen(terminal, "runs", "watch", run) as shown:
        shown.until("waits for Operator, 0 of 2, expires in 2 h 59 min")
        shown.until(f"signoff checkpoints approve {checkpoint}")
        terminal.ok("checkpoints", "approve", checkpoint)
        shown.until("1 of 2")
        terminal.become(OTHER)
        terminal.ok("checkpoints", "approve", checkpoint)
        terminal.ok("resume", run)
        assert shown.ended() == 0
    assert "✅ Run of deploy succeeded" in shown.seen


def test_ctrl_c_ends_the_watching_and_not_the_run(terminal: Terminal) -> None:
    """The code is 130, the cursor is back, and the run waits as before."""
    run, _ = terminal.paused()
    with screen(terminal, "runs", "watch", run) as shown:
        shown.until("waits for Operator")
        shown.process.send_signal(signal.SIGINT)
        assert shown.ended() == 130
    assert f"{run} goes on without you" in shown.seen
    assert terminal.json("runs", "show", run)["state"] == "paused"


def test_in_a_pipe_changes_are_plain_lines(terminal: Terminal) -> None:
    """Watching a run that has ended tells it once and exits as `run` did."""
    run, checkpoint = terminal.paused("self_approval: true")
    terminal.ok("checkpoints", "reject", checkpoint, "--reason", "not today")
    assert terminal.run("resume", run).exit_code == 5
    result = terminal.run("runs", "watch", run)
    assert result.exit_code == 5
    assert result.stdout.splitlines() == [
        "✓ build succeeded",
        "✗ release rejected",
        "· ship skipped",
        "❌ Run of deploy failed: release was rejected",
    ]
    assert terminal.json("runs", "watch", run)["state"] == "failed"


def test_watching_a_run_that_nobody_drives_says_so(terminal: Terminal) -> None:
    """A queued run on a machine without a worker would be watched for ever."""
    file = terminal.write("short.yml", SHORT)
    run = terminal.run("run", str(file), "--detach").stdout.strip()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    terminal.patch.setattr("bot.cli.running.watch", interrupt)
    result = terminal.run("runs", "watch", run)
    assert result.exit_code == 130
    assert "no worker runs on this machine" in result.stderr
    assert terminal.run("runs", "watch", "run_none").exit_code == 1


def test_the_timeline_tells_who_decided_and_why(terminal: Terminal) -> None:
    """Tasks by when they started, votes by when they were made, each with its place in time."""
    run, checkpoint = terminal.paused("self_approval: true")
    terminal.ok("checkpoints", "approve", checkpoint, "--reason", "all\ngreen \u202e")
    terminal.ok("resume", run)
    told = terminal.ok("runs", "show", run)
    lines = told[told.index("timeline of ") :].splitlines()
    assert lines[1].split() == ["FROM", "TO", "TASK", "WHEN", "TOOK", "WHAT"]
    tasks = [re.findall("build|release|ship", line)[0] for line in lines[2:]]
    assert tasks == ["build", "release", "release", "ship"]
    bars = [re.findall("[█▒◆·]{32}", line)[0] for line in lines[2:]]
    assert ["".join(sorted(set(bar) - {"·"})) for bar in bars] == ["█", "▒", "◆", "█"]
    assert "approved: “all green ⟨U+202E⟩”" in lines[4]
    events = terminal.json("runs", "show", run)["timeline"]
    assert [event["event"] for event in events if event["event"] == "decided"] == ["decided"]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert (events[0]["event"], events[-1]["event"]) == ("run_asked", "run_ended")


def test_the_timeline_tells_an_end_that_nobody_decided(terminal: Terminal) -> None:
    """A checkpoint that was ended early says so, and what was skipped is there."""
    run, checkpoint = terminal.paused()
    terminal.ok("checkpoints", "expire", checkpoint)
    assert terminal.run("resume", run).exit_code == 5
    told = terminal.ok("runs", "show", run)
    assert "nobody decided" in told[told.index("timeline of ") :]
    assert re.search(r"ship +skipped$", told, re.MULTILINE)


def _seen(sqlite_url: str, **states: TaskState) -> Sight:
    """A run of `deploy_dag` whose tasks stand like this, as nothing but a value."""
    store = Store.open(sqlite_url)
    try:
        run_id = now(store, lambda tx: new_run(tx, deploy_dag(Policy(quorum=2))))
        at = store.clock.now()
        view = now(store, lambda tx: run_view(tx, run_id))
    finally:
        store.close()
    assert view is not None
    for task_id, record in list(view.tasks.items()):
        object.__setattr__(record, "state", states.get(task_id, record.state))
    return Sight(view, {}, at)


def _words(_: TaskRecord) -> str:
    return "last\x1b[2J words\u202e"


def test_a_frame_shows_no_control_characters(sqlite_url: str) -> None:
    """Whatever a task printed last cannot move the cursor."""
    rows = frame(_seen(sqlite_url, build=TaskState.RUNNING), _words, 24)
    assert [row.plain.split()[:2] for row in rows[1:]] == [
        ["▶", "build"],
        ["·", "release"],
        ["·", "ship"],
    ]
    assert not re.search("[\x00-\x1f\u202e]", "".join(row.plain for row in rows))


def test_a_low_terminal_shows_what_matters(sqlite_url: str) -> None:
    """What failed or runs stays; what is done or to come is only counted."""
    seen = _seen(sqlite_url, build=TaskState.SUCCEEDED, release=TaskState.FAILED)
    rows: list[Text] = frame(seen, _words, 4)
    assert [row.plain.split()[1] for row in rows[1:]] == ["release", "and"]
    assert rows[-1].plain == "… and 2 more tasks"


def test_a_frame_says_that_everything_stands_still(sqlite_url: str) -> None:
    """Under the heading, so that nobody waits for what cannot come; a low terminal keeps it."""
    seen = replace(_seen(sqlite_url), standstill=stopped(reason="site\x1b[2J down"))
    rows: list[Text] = frame(seen, _words, 6)
    assert "stands still since 2026-01-02 14:02 UTC by Ana: site" in rows[1].plain
    assert "\x1b" not in rows[1].plain
    assert len(rows) <= 6


def test_a_run_that_has_not_started_has_a_short_timeline(sqlite_url: str) -> None:
    """Only that it was asked for."""
    seen = _seen(sqlite_url)
    assert seen.view.run.state is RunState.QUEUED
    assert [event["event"] for event in timeline_json(seen)] == ["run_asked"]
    assert TaskId("build") in seen.view.tasks


def test_the_timeline_has_every_attempt(terminal: Terminal) -> None:
    """An attempt that was followed by another has a line of its own, with what went wrong."""
    file = terminal.write(
        "flaky.yml",
        "name: flaky\ntasks:\n"
        "  - {id: try, run: 'test $SIGNOFF_ATTEMPT = 3', retries: 2, retry_delay: 0}\n",
    )
    run = terminal.json("run", str(file))["id"]
    told = terminal.ok("runs", "show", run)
    lines = [line for line in told[told.index("timeline of ") :].splitlines() if " try " in line]
    assert [line.split("s  ")[-1].strip() for line in lines] == [
        "attempt 1 failed: ended with exit status 1",
        "attempt 2 failed: ended with exit status 1",
        "succeeded (attempt 3)",
    ]
    ends = [e for e in terminal.json("runs", "show", run)["timeline"] if e["event"] == "task_ended"]
    assert [(e["attempt"], e["state"]) for e in ends] == [
        (1, "retried"),
        (2, "retried"),
        (3, "succeeded"),
    ]
