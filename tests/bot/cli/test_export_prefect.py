"""`signoff export prefect`: a flow on stdout or in a file, or the reasons why there is none."""

from tests.bot.cli.terminal import Terminal

GATE = """\
name: d
tasks:
  - id: a
    type: checkpoint
"""


def test_the_command_writes_the_flow_and_tells_the_notes(terminal: Terminal) -> None:
    """The flow on stdout or in a file, notes on stderr."""
    file = terminal.write("d.yml", GATE)
    printed = terminal.run("export", "prefect", str(file))
    assert (printed.exit_code, printed.stderr.startswith(f"note: {file}:3: ")) == (0, True)
    target = terminal.folder / "flow.py"
    assert terminal.ok("export", "prefect", str(file), "--output", str(target)) == ""
    assert target.read_text(encoding="utf-8") == printed.stdout
    assert '# ---- The DAG "d"' in printed.stdout


def test_the_command_refuses_with_lines(terminal: Terminal) -> None:
    """Every reason on stderr, nothing written, and the exit code of a refusal."""
    file = terminal.write(
        "d.yml", GATE + "    quorum: 2\n" + "  - {id: b, run: x, when: {a: expired}}"
    )
    target = terminal.folder / "flow.py"
    refused = terminal.run("export", "prefect", str(file), "--output", str(target))
    lines = [line.split(" in task")[0] for line in refused.stderr.splitlines()]
    assert lines == [f"error: {file}:5: 'quorum'", f"error: {file}:6: 'when'"]
    assert (refused.exit_code, refused.stdout, target.exists()) == (1, "", False)


def test_the_command_says_what_is_wrong_with_a_file(terminal: Terminal) -> None:
    """A file that does not load is told as everywhere; one that cannot be written, too."""
    assert terminal.run("export", "prefect", "nowhere.yml").exit_code == 2
    file = terminal.write("d.yml", GATE)
    refused = terminal.run("export", "prefect", str(file), "--output", "no/such/folder.py")
    assert refused.exit_code == 1
    assert "cannot be written" in refused.stderr
