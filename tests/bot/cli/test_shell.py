"""The command line as a program: it starts light, answers in processes of its own, and is even."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.output import Moments
from bot.cli.shell import spread_pairs
from bot.cli.since import moment_of
from tests.bot.cli.terminal import Terminal, spawn
from tests.engine.build import NOW

# Not pydantic itself: typer brings it for some commands.
HEAVY = ("sqlalchemy", "slack_bolt", "slack_sdk", "pydantic_settings", "rich", "alembic")


@pytest.mark.parametrize("args", [["--help"], ["checkpoints", "approve", "--help"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    """No database, no Slack client and no settings are imported to print help."""
    code = (
        "import sys\nfrom bot.cli import app\n"
        f"try: app({args!r})\nexcept SystemExit: pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert "Usage: " in done.stdout
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_names_the_exit_codes(bare: Terminal) -> None:
    """The epilogue is where a script's author looks."""
    said = " ".join(bare.ok("--help").split())
    assert "3 the run is paused: it waits for people" in said


def test_the_version_is_told(bare: Terminal) -> None:
    """`signoff --version` prints one line."""
    assert bare.ok("--version").startswith("signoff 0.")


def test_a_mistyped_command_is_wrong_usage(bare: Terminal) -> None:
    """It exits 2 and suggests the right one."""
    result = bare.run("checkpoint", "list")
    assert result.exit_code == 2
    assert "checkpoints" in result.stderr


def test_a_wrong_configuration_is_told_at_once_with_code_2(terminal: Terminal) -> None:
    """Every command reports it the same way."""
    terminal.patch.setenv("SCHED_TICK_MS", "soon")
    terminal.write("signoff.toml", "[slak]\n")
    result = terminal.run("runs", "list")
    assert result.exit_code == 2
    assert [line[:7] for line in result.stderr.splitlines()] == ["error: ", "error: "]


def test_a_run_in_processes_of_their_own(terminal: Terminal) -> None:
    """Start, approve and resume, each as a shell would call it."""
    terminal.paused()
    file = str(terminal.folder / "deploy.yml")
    paused = spawn("run", file, "--json")
    assert paused.returncode == 3, paused.stderr
    run = json.loads(paused.stdout)
    approved = spawn("checkpoints", "approve", run["checkpoints"][0]["id"])
    assert (approved.returncode, approved.stderr) == (0, "")
    resumed = spawn("resume", run["id"])
    assert (resumed.returncode, resumed.stderr) == (0, "")


def test_a_supervised_worker_drives_and_ends_with_its_parent(terminal: Terminal) -> None:
    """It takes detached runs, and ends in order when its stdin closes."""
    file = terminal.write("one.yml", "name: one\ntasks:\n  - {id: one, run: 'true'}\n")
    worker = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "worker", "--supervised"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert terminal.ok("run", str(file), "--wait").endswith("succeeded\n")
        _, said = worker.communicate(timeout=20)
    finally:
        worker.kill()
        worker.wait()
    assert (worker.returncode, said) == (0, "")


def test_text_of_others_cannot_steer_the_terminal(terminal: Terminal) -> None:
    """Escape sequences and bidi marks in a prompt are spelt out."""
    file = terminal.write(
        "evil.yml",
        'name: evil\ntasks:\n  - {id: ask, type: checkpoint, prompt: "a\\e[2Jb\\u202ec"}\n',
    )
    said = terminal.run("run", str(file)).stdout
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\x1b" not in terminal.ok("checkpoints", "list")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--kv", "a=1", "b=2", "cp_1"], ["--kv", "a=1", "--kv", "b=2", "cp_1"]),
        (["cp_1", "--kv", "a=1", "--reason", "x=y"], ["cp_1", "--kv", "a=1", "--reason", "x=y"]),
        (["--kv", "a=1", "cp_1", "b=2"], ["--kv", "a=1", "cp_1", "b=2"]),
        (["--kv=a=1", "b=2"], ["--kv=a=1", "--kv", "b=2"]),
        (["--kv", "a=1", "--", "b=2"], ["--kv", "a=1", "--", "b=2"]),
        (["b=2"], ["b=2"]),
    ],
)
def test_pairs_are_spread_only_where_they_follow_pairs(
    given: list[str], expected: list[str]
) -> None:
    """Other options keep their values, equals signs and all."""
    assert spread_pairs(given) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T14:00Z", "2026-01-31T14:00:00+00:00"),
        ("7d", "2026-02-23T09:30:00+00:00"),
        ("90m", "2026-03-02T08:00:00+00:00"),
        ("999999d", "0001-01-01T00:00:00+00:00"),
        ("yesterday", None),
    ],
)
def test_moments_are_read_as_people_type_them(text: str, expected: str | None) -> None:
    """A date, a time or a span before now; anything else is none."""
    found = moment_of(text, NOW)
    assert (None if found is None else found.isoformat()) == expected


def test_times_are_relative_and_absolute() -> None:
    """People read both."""
    assert Moments(NOW).both(NOW) == "0 s ago (2026-03-02 09:30 UTC)"
