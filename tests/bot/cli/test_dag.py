"""Checking and drawing DAG files."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bot.graph import as_svg, as_text
from engine.dag import dag_from_json, dag_to_json
from engine.dagfile import Defaults, load, parse
from tests.bot.cli.terminal import Terminal

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs/examples/publish-docs.yml"
BAD = "name: bad\ntasks:\n  - {id: one, typ: checkpoint}\n  - {id: one, run: 'true'}\n"


def test_a_dag_that_holds_is_one_line(terminal: Terminal) -> None:
    """The file, the name and how much there is of it."""
    told = terminal.ok("dag", "check", str(EXAMPLE))
    assert told == f"{EXAMPLE}: publish-docs, 5 tasks, 1 checkpoint: ok\n"
    said = terminal.json("dag", "check", str(EXAMPLE))
    assert (said["ok"], said["tasks"], said["checkpoints"]) == (True, 5, 1)


def test_every_problem_of_a_file_is_located(terminal: Terminal) -> None:
    """Each problem is a line with its place, and the code is 2; as JSON too."""
    file = terminal.write("bad.yml", BAD)
    result = terminal.run("dag", "check", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [
        f"{file}:3",
        f"{file}:3",
        f"{file}:4",
    ]
    as_json = terminal.run("dag", "check", str(file), "--json")
    said = json.loads(as_json.stdout)
    assert (as_json.exit_code, said["ok"]) == (2, False)
    assert [problem["line"] for problem in said["problems"]] == [3, 3, 4]


def test_a_callable_that_is_not_there_is_a_problem(terminal: Terminal) -> None:
    """What would only fail at run time is found, and named with its task."""
    dag = "name: calls\ntasks:\n  - {id: one, workflow_ref: 'no_such_module:f'}\n"
    result = terminal.run("dag", "check", str(terminal.write("calls.yml", dag)))
    assert result.exit_code == 2
    assert "'one'" in result.stderr


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("name: d\ntasks: [", 2, "this is not YAML"),
        ("name: d\ntasks:\n\t- id: x\n", 3, "a tab stands where YAML"),
        ("a: &a [x]\nb: [*a, *a]\n", 1, "an anchor (&a)"),
        ("name: d\nname: e\ntasks: [{id: t, run: x}]", 2, "key 'name' is written twice"),
        ("name: d\ntasks: {id: t}", 2, "'tasks' in the DAG: expected a list"),
        ("name: d\ntasks: [{id: t, run: x, retry: 1}]", 2, "unknown key 'retry'"),
        ("name: d\ntasks: [{id: t, run: x, depends_on: t}]", 2, "task 't' depends on itself"),
        ("# " + "x" * 10_000_000, None, "the file is too big"),
        ("name: d\ntasks: [{id: t, workflow_ref: 'nowhere:f'}]", None, "cannot be imported"),
        ("name: d\ntasks: [{id: t, workflow_ref: 'jobs:f'}]", None, "jobs:f needs 'size'"),
        (
            "name: d\ntasks: [{id: t, workflow_ref: 'jobs:f', params: {size: 1, x: 2}}]",
            None,
            "jobs:f takes no 'x'",
        ),
    ],
    ids=[
        *("malformed", "tab", "alias", "key twice", "wrong type", "unknown key", "itself"),
        *("10 MB", "no module", "too few arguments", "too many arguments"),
    ],
)
def test_a_bad_file_is_told_with_its_place_and_starts_nothing(
    terminal: Terminal, content: str, line: int | None, said: str
) -> None:
    """`dag check` and `run` say the same, end with 2, and leave no run behind."""
    terminal.write("jobs.py", "def f(size): ...")
    file = terminal.write("bad.yml", content)
    place = str(file) if line is None else f"{file}:{line}"
    for command in (("dag", "check"), ("run",)):
        result = terminal.run(*command, str(file))
        assert result.exit_code == 2
        first = result.stderr.splitlines()[0].removeprefix("error: ")
        assert first.startswith(f"{place}: ")
        assert said in first
    assert terminal.ok("runs", "list") == "No runs.\n"


@pytest.mark.parametrize("marker", ["__init__.py", "no_marker.py"])
@pytest.mark.parametrize("package", ["bot", "engine"])
def test_a_package_called_like_one_of_ours_is_the_users_own(
    terminal: Terminal, package: str, marker: str
) -> None:
    """Both when a DAG is checked and when it runs; also a folder without `__init__.py`."""
    (terminal.folder / package).mkdir()
    terminal.write(f"{package}/{marker}", "")
    terminal.write(f"{package}/jobs.py", "def f(size): open('ran', 'w').write(__file__)")
    call = f"{{id: t, workflow_ref: '{package}.jobs:f', params: {{size: 1}}}}"
    file = terminal.write("mine.yml", f"name: mine\ntasks: [{call}]")
    terminal.ok("dag", "check", str(file))
    terminal.ok("run", str(file))
    assert (terminal.folder / "ran").read_text() == str(terminal.folder / package / "jobs.py")


def test_a_check_writes_nothing(bare: Terminal) -> None:
    """No database is needed, and none is made."""
    missing = bare.folder / "never.db"
    bare.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{missing}")
    bare.ok("dag", "check", str(EXAMPLE))
    bare.ok("dag", "show", str(EXAMPLE))
    assert not missing.exists()


def test_a_dag_is_drawn_in_the_terminal(terminal: Terminal) -> None:
    """The example, exactly."""
    drawn = terminal.ok("dag", "show", str(EXAMPLE)).splitlines()
    assert [line[:23].rstrip() for line in drawn] == [
        "publish-docs (tenant lo",
        "●     build",
        "├─┬─╮",
        "● │ │ checksum",
        "├─┤ │",
        "│ ⏸ │ approve_release",
        "│ ╰─┤",
        "│   ● publish",
        "├───╯",
        "●     verify",
    ]


def test_a_dag_is_a_picture_a_flowchart_and_a_document(terminal: Terminal) -> None:
    """Each format is what it says it is; the document reads back as the same DAG."""
    show = ("dag", "show", str(EXAMPLE), "--format")
    assert ET.fromstring(terminal.ok(*show, "svg")).tag.endswith("svg")  # noqa: S314 (ours)
    assert terminal.ok(*show, "mermaid").startswith("flowchart TD\n")
    stored = json.loads(terminal.ok(*show, "json"))
    assert re.fullmatch("[0-9a-f]{64}", stored.pop("dag_digest"))
    dag = load(EXAMPLE, Defaults())
    assert stored == json.loads(json.dumps(dag_to_json(dag)))
    assert dag_from_json(stored) == dag


def test_the_drawings_of_the_docs_are_those_of_the_commands() -> None:
    """What the how-to shows is what its DAG looks like."""
    page = (ROOT / "docs/how-to/write-a-dag.md").read_text(encoding="utf-8")
    section = page.partition("\n## See it\n")[2].partition("\n## ")[0]
    source, drawing = re.findall(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    dag = parse(source, source="the page", directory=".", defaults=Defaults())
    assert drawing == f"{dag.name} (tenant {dag.tenant})\n{as_text(dag)}\n"
    picture = ROOT / "docs/images/dag.svg"
    assert picture.read_text(encoding="utf-8") == as_svg(dag) + "\n"
    assert "(../images/dag.svg)" in section


def test_a_run_is_drawn_with_where_it_stands(terminal: Terminal) -> None:
    """The graph it was started with, marked with the states of its tasks."""
    run, _ = terminal.paused()
    drawn = terminal.ok("runs", "graph", run).splitlines()
    assert [line[:9] for line in drawn[1:]] == ["✓ build  ", "│", "… release", "│", "· ship   "]
    states = json.loads(terminal.ok("runs", "graph", run, "--format", "json"))["states"]
    assert states == {"build": "succeeded", "release": "waiting", "ship": "pending"}
