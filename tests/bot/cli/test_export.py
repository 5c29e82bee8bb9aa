"""Taking a DAG file to another engine."""

import ast

from tests.bot.cli.terminal import Terminal

GATED = """\
name: gated
tasks:
  - id: approve
    type: checkpoint
    channel: releases
  - id: ship
    depends_on: [approve]
    run: echo shipped
"""


def test_the_file_goes_to_stdout_and_its_notes_beside_it(terminal: Terminal) -> None:
    """What is piped on is the file alone."""
    file = terminal.write("gated.yml", GATED)
    result = terminal.run("export", "airflow", str(file))
    assert result.exit_code == 0
    ast.parse(result.stdout)
    assert result.stderr.startswith(f"note: {file}:5: 'channel' of task 'approve' is left out")


def test_the_file_goes_where_it_is_wanted(terminal: Terminal) -> None:
    """With `--output` nothing is printed, and the file is the same each time."""
    file = terminal.write("gated.yml", GATED)
    assert terminal.ok("export", "airflow", str(file), "--output", "dag.py") == ""
    written = (terminal.folder / "dag.py").read_text(encoding="utf-8")
    assert written == terminal.ok("export", "airflow", str(file))
    assert f'FOLDER = "{terminal.folder}"' in written


def test_what_cannot_be_carried_over_is_told_and_nothing_is_written(terminal: Terminal) -> None:
    """Each reason has its line, and the code is 1."""
    file = terminal.write("gated.yml", GATED.replace("channel: releases", "quorum: 2"))
    result = terminal.run("export", "airflow", str(file), "--output", "dag.py")
    assert (result.exit_code, result.stdout) == (1, "")
    told = "Airflow takes the first answer, not that of 2 persons"
    assert result.stderr == f"error: {file}:5: 'quorum' in task 'approve': {told}\n"
    assert not (terminal.folder / "dag.py").exists()


def test_a_broken_file_is_told_as_everywhere(terminal: Terminal) -> None:
    """It is loaded first, with the problems and the code of `dag check`."""
    file = terminal.write("bad.yml", "name: bad\ntasks: []\n")
    result = terminal.run("export", "airflow", str(file))
    assert result.exit_code == 2
    assert f"{file}:2: " in result.stderr


def test_a_place_that_cannot_be_written_is_an_error(terminal: Terminal) -> None:
    """It says which, and why."""
    file = terminal.write("gated.yml", GATED)
    result = terminal.run("export", "airflow", str(file), "--output", "nowhere/dag.py")
    assert result.exit_code == 1
    assert "nowhere/dag.py cannot be written: No such file or directory" in result.stderr
