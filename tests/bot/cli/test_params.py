"""Parameters from a terminal: given, refused, printed."""

from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal

DAG = """\
name: deploy
params:
  version: {required: true, max: 20}
  replicas: {type: number, default: 2}
tasks:
  - id: release
    type: checkpoint
    prompt: "Release {{ params__version }}?"
    self_approval: true
  - {id: ship, depends_on: release, run: 'printf %s "$params__version" > shipped'}
"""
GIVEN = {"version": "1=2 é", "replicas": 3}


@pytest.fixture
def file(terminal: Terminal) -> Path:
    """A DAG file with parameters."""
    return terminal.write("deploy.yml", DAG)


def test_parameters_are_given_shown_and_used(terminal: Terminal, file: Path) -> None:
    """The run, its checkpoint and its tasks have them; a value may hold `=`."""
    run = terminal.json("run", str(file), "--param", "version=1=2 é", "--param", "replicas=3")
    (checkpoint,) = run["checkpoints"]
    assert run["params"] == checkpoint["params"] == GIVEN
    assert checkpoint["prompt"] == "Release 1=2 é?"
    shown = terminal.ok("runs", "show", run["id"])
    assert "  parameter   version: 1=2 é\n  parameter   replicas: 3\n" in shown
    assert "  parameter  version: 1=2 é\n" in terminal.ok("checkpoints", "show", checkpoint["id"])
    (listed,) = terminal.json("runs", "list")
    assert listed["params"] == GIVEN
    terminal.ok("checkpoints", "approve", checkpoint["id"])
    terminal.ok("resume", run["id"])
    assert (terminal.folder / "shipped").read_text() == "1=2 é"


def test_a_dry_run_prints_the_parameters(terminal: Terminal, file: Path) -> None:
    """What was given and what is the default, as the run would have them."""
    plan = terminal.ok("run", str(file), "--dry-run", "--param", "version=1.2")
    assert "  parameter  version: 1.2\n  parameter  replicas: 2\n" in plan
    plan = terminal.json("run", str(file), "--dry-run", "--param", "version=1.2")
    assert plan["params"] == {"version": "1.2", "replicas": 2}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "parameter 'version' is required"),
        (["version=1", "replicas=many"], "parameter 'replicas' must be a number"),
        (
            ["version=1", "size=3"],
            "parameter 'size' is not one of this DAG (it has: version, replicas)",
        ),
        (["version"], "--param 'version' is not KEY=VALUE"),
        (["version=1", "version=2"], "--param 'version=2' is given twice"),
    ],
    ids=["missing", "unfit", "unknown", "no-value", "twice"],
)
@pytest.mark.parametrize("how", [[], ["--dry-run"], ["--detach"]], ids=["run", "dry", "detached"])
def test_parameters_that_do_not_fit_are_wrong_usage(
    terminal: Terminal, file: Path, given: list[str], expected: str, how: list[str]
) -> None:
    """The command exits 2 with a sentence, and writes nothing, not even a database."""
    missing = terminal.folder / "never.db"
    terminal.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{missing}")
    options = [word for pair in given for word in ("--param", pair)]
    result = terminal.run("run", str(file), *options, *how)
    assert (result.exit_code, result.stderr) == (2, f"error: {expected}\n")
    assert not missing.exists()
