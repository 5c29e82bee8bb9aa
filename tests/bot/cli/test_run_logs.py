"""Reading what tasks printed."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from engine.tasks.logs import CUT_MARK, LIMIT
from tests.bot.cli.terminal import Terminal

DAG = """\
name: talk
tasks:
  - {id: one, run: "printf 'a\\\\nb\\\\nc\\\\n'"}
  - id: two
    depends_on: [one]
    retries: 1
    retry_delay: 1s
    run: "echo try $SIGNOFF_ATTEMPT; test $SIGNOFF_ATTEMPT = 2"
  - {id: ask, type: checkpoint, depends_on: [two]}
  - {id: three, depends_on: [ask], run: "true"}
"""


def run(terminal: Terminal, dag: str = DAG) -> str:
    """Run a DAG as far as it goes; returns the run's id."""
    run_id: str = terminal.json("run", str(terminal.write("talk.yml", dag)))["id"]
    return run_id


def printing(command: str) -> str:
    return f"name: talk\ntasks:\n  - id: one\n    run: {command}\n"


def elsewhere(terminal: Terminal) -> None:
    """Say that every run was started on another machine."""
    with create_engine(f"sqlite:///{terminal.folder}/signoff.db").begin() as connection:
        connection.execute(text("UPDATE run SET host = 'build-9'"))


def test_the_logs_of_a_run_come_with_their_tasks(terminal: Terminal) -> None:
    """Every task that started, in order, with its latest attempt."""
    assert terminal.ok("runs", "logs", run(terminal)).splitlines() == [
        "== one, attempt 1",
        "a",
        "b",
        "c",
        "== two, attempt 2",
        "try 2",
    ]


def test_one_log_is_printed_alone(terminal: Terminal) -> None:
    """A task, an attempt or the last lines can be asked for."""
    run_id = run(terminal)
    assert terminal.ok("runs", "logs", run_id, "one") == "a\nb\nc\n"
    assert terminal.ok("runs", "logs", run_id, "one", "--tail", "2") == "b\nc\n"
    assert terminal.ok("runs", "logs", run_id, "two", "--attempt", "1") == "try 1\n"
    (log,) = terminal.json("runs", "logs", run_id, "two")
    assert (log["task"], log["attempt"], log["text"]) == ("two", 2, "try 2")
    assert Path(log["path"]).is_file()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("nope",), "has no task 'nope'; it has one, two, ask, three"),
        (("ask",), "ask is a checkpoint, which prints nothing"),
        (("three",), "three has not started (pending)"),
        (("one", "--attempt", "2"), "one has no attempt 2 yet: the latest is 1"),
    ],
)
def test_a_log_that_cannot_be_is_one_sentence(
    terminal: Terminal, asked: tuple[str, ...], told: str
) -> None:
    """An unknown task, a checkpoint, one that waits, an attempt to come: each is told, code 1."""
    result = terminal.run("runs", "logs", run(terminal), *asked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


def test_control_characters_are_spelt_out(terminal: Terminal) -> None:
    """Colours go, and whatever else could move a terminal is seen instead."""
    hostile = r"""printf '\033[31mred\033[0m \033]0;x\007 \342\200\256\n'"""
    run_id = run(terminal, printing(hostile))
    expected = "red ⟨U+001B⟩]0;x⟨U+0007⟩ ⟨U+202E⟩\n"
    assert terminal.ok("runs", "logs", run_id) == expected
    assert terminal.ok("runs", "logs", run_id, "--follow") == f"one | {expected}"


def test_a_cut_log_says_so_and_ends_with_its_last_words(terminal: Terminal) -> None:
    """The mark is there even when only the last lines are asked for."""
    command = f"head -c {LIMIT + 5000} /dev/zero | tr '\\0' x; printf '\\nlast\\nwords\\n'"
    run_id = run(terminal, f"name: talk\ntasks:\n  - id: one\n    run: |\n      {command}\n")
    whole = terminal.ok("runs", "logs", run_id)
    assert CUT_MARK in whole
    assert whole.endswith("\nlast\nwords\n")
    tail = terminal.ok("runs", "logs", run_id, "--tail", "2").splitlines()
    assert tail == [CUT_MARK.strip(), "last", "words"]


def test_logs_of_another_machine_are_told_with_their_end(terminal: Terminal) -> None:
    """The database keeps the last words; the note says where the rest is."""
    run_id = run(terminal)
    elsewhere(terminal)
    result = terminal.run("runs", "logs", run_id, "one")
    assert (result.exit_code, result.stdout) == (0, "a\nb\nc\n")
    assert "the log is on build-9, where the run was started; this is its end" in result.stderr
    gone = terminal.run("runs", "logs", run_id, "two", "--attempt", "1")
    assert (gone.exit_code, gone.stdout) == (1, "")
    followed = terminal.run("runs", "logs", run_id, "--follow")
    assert followed.exit_code == 1
    assert "build-9" in followed.stderr


def test_logs_that_are_gone_are_told(terminal: Terminal) -> None:
    """A folder that was cleaned up is no riddle."""
    run_id = run(terminal)
    shutil.rmtree(terminal.folder / "signoff.db.logs")
    result = terminal.run("runs", "logs", run_id, "one")
    assert (result.exit_code, result.stdout) == (0, "a\nb\nc\n")
    assert "is gone; this is its end" in result.stderr


def test_a_run_that_has_not_begun_has_no_logs(terminal: Terminal) -> None:
    """There is nothing to print, which is no mistake."""
    file = terminal.write("talk.yml", DAG)
    run_id = terminal.run("run", str(file), "--detach").stdout.strip()
    assert terminal.ok("runs", "logs", run_id) == f"No task of {run_id} has printed anything.\n"


def test_following_prints_as_it_grows_and_ends_with_the_run(terminal: Terminal) -> None:
    """Lines appear before the task has ended, and the command ends by itself."""
    dag = printing("echo first; sleep 1.5; echo second; printf third")
    file = terminal.write("talk.yml", dag)
    run_id = terminal.run("run", str(file), "--detach").stdout.strip()
    command = [sys.executable, "-m", "bot.cli", "runs", "logs", run_id, "one", "--follow"]
    env_path = {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUNBUFFERED": "1"}
    for name, value in env_path.items():
        terminal.patch.setenv(name, value)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following,
        subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "resume", run_id], stdout=subprocess.DEVNULL
        ) as driving,
    ):
        assert following.stdout is not None
        assert following.stdout.readline() == "first\n"
        assert driving.poll() is None
        assert following.stdout.read() == "second\nthird\n"
        assert following.wait(50) == 0
        assert driving.wait(50) == 0


def test_ctrl_c_ends_the_following(terminal: Terminal) -> None:
    """It says nothing and exits as interrupted commands do."""
    run_id = run(terminal)
    terminal.patch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    terminal.patch.setenv("PYTHONUNBUFFERED", "1")
    command = [sys.executable, "-m", "bot.cli", "runs", "logs", run_id, "--follow", "--tail", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "one | c\n"
        time.sleep(0.3)
        following.send_signal(signal.SIGINT)
        _, told = following.communicate(timeout=50)
        assert (following.returncode, told) == (130, "")


def test_following_and_json_contradict_each_other(terminal: Terminal) -> None:
    """Both at once is wrong usage."""
    assert terminal.run("runs", "logs", "run_x", "--follow", "--json").exit_code == 2
