"""Drawings of DAGs: exact for small ones, true and safe for any."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.graph import as_mermaid, as_svg, as_text
from bot.graph.words import what
from bot.literal import cut, one_line
from engine.dag import Dag, Gate, Shell, Task
from engine.model import Policy, TaskId, TaskState
from tests.engine.build import gate, shell, when

SVG = "{http://www.w3.org/2000/svg}"
DIAMOND = (
    shell("build"),
    shell("test", "build"),
    shell("scan", "build"),
    gate("approve", "test", "scan", policy=Policy(quorum=2, expires_in=timedelta(hours=3))),
)
REJECT_PATH = (
    gate("approve"),
    shell("release", "approve"),
    shell("clean_up", "approve", when=when(approve="rejected")),
    shell("tell", "release", "clean_up", when=when(release="succeeded failed")),
)


def dag(*tasks: Task) -> Dag:
    return Dag(name="deploy", tasks=tasks)


def test_a_diamond_as_text() -> None:
    """What follows two tasks is drawn once, with both lines leading to it."""
    assert as_text(dag(*DIAMOND)).splitlines() == [
        "●   build    true",
        "├─╮",
        "● │ test     true",
        "│ ● scan     true",
        "├─╯",
        "⏸   approve  Operator, quorum 2, within 3 h: Ship it?",
    ]


def test_a_reject_path_as_text() -> None:
    """The task that waits for a no says so."""
    assert as_text(dag(*REJECT_PATH)).splitlines() == [
        "⏸   approve   Operator, within 3 d: Ship it?",
        "├─╮",
        "● │ release   true",
        "│ ● clean_up  when approve is rejected: true",
        "├─╯",
        "●   tell      when release is failed or succeeded: true",
    ]


def test_three_parallel_tasks_as_text() -> None:
    """Tasks that have nothing to do with each other are not linked, though they share a column."""
    assert as_text(dag(shell("a"), shell("b"), shell("c", "b"))).splitlines() == [
        "● a  true",
        "● b  true",
        "│",
        "● c  true",
    ]


def test_a_line_in_passing_is_crossed_and_not_joined() -> None:
    """A crossing leaves a gap in the level line; a joint does not."""
    crossed = dag(
        shell("a"),
        shell("b", "a"),
        shell("c", "a"),
        shell("d", "a"),
        shell("e", "b", "d"),
        shell("f", "c"),
    )
    assert as_text(crossed).splitlines() == [
        "●     a  true",
        "├─┬─╮",
        "● │ │ b  true",
        "│ ● │ c  true",
        "│ │ │",
        "│ ● │ f  true",
        "│   ● d  true",
        "├───╯",
        "●     e  true",
    ]


def test_states_mark_the_tasks() -> None:
    """A run is drawn with how far it came."""
    states = {
        TaskId("approve"): TaskState.REJECTED,
        TaskId("release"): TaskState.SKIPPED,
        TaskId("clean_up"): TaskState.RUNNING,
        TaskId("tell"): TaskState.PENDING,
    }
    marks = [line.split()[0] for line in as_text(dag(*REJECT_PATH), states).splitlines()]
    assert [mark for mark in marks if mark[0] in "●⏸✓✗▶·…"] == ["✗", "·", "·"]
    assert "│ ▶ clean_up" in as_text(dag(*REJECT_PATH), states)
    assert ":::bad" in as_mermaid(dag(*REJECT_PATH), states)
    assert "rejected</text>" in as_svg(dag(*REJECT_PATH), states)


def test_a_graph_too_wide_to_draw_is_a_list() -> None:
    """Every task says what it follows instead."""
    wide = dag(shell("a"), *(shell(f"b{n}", "a") for n in range(40)), shell("z", "b0", "b39"))
    lines = as_text(wide).splitlines()
    assert len(lines) == 42
    assert "● z (after b0, b39)  true" in lines


def test_a_diamond_as_mermaid() -> None:
    """Numbered nodes, so that no task's name means anything to Mermaid."""
    assert as_mermaid(dag(*DIAMOND)).splitlines() == [
        "flowchart TD",
        '    t1["build<br/>true"]',
        '    t2["test<br/>true"]',
        '    t3["scan<br/>true"]',
        '    t4{{"⏸ approve<br/>Ship it?<br/>Operator, quorum 2, within 3 h"}}:::checkpoint',
        "    t1 --> t2",
        "    t1 --> t3",
        "    t2 --> t4",
        "    t3 --> t4",
        "    classDef checkpoint fill:#fff4cf,stroke:#b7791f,color:#1f2328",
    ]


def test_a_condition_labels_its_line() -> None:
    """Mermaid and the picture both say on which outcome a line is taken."""
    assert '    t1 -->|"rejected"| t3' in as_mermaid(dag(*REJECT_PATH)).splitlines()
    assert ">rejected</text>" in as_svg(dag(*REJECT_PATH))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("set -e\n# pack\nwork=/tmp/x\ntar -c .\nls", "tar -c . …"),
        ("true", "true"),
        ("a=1", "a=1"),
        ("", ""),
        (("echo", "a b"), "echo a b"),
    ],
)
def test_a_command_is_told_by_what_it_does(command: str | tuple[str, ...], told: str) -> None:
    """Options of the shell, comments and assignments do not stand for a task."""
    assert what(Task(id=TaskId("x"), work=Shell(command=command))) == told


@st.composite
def dags(draw: st.DrawFn, names: st.SearchStrategy[str], texts: st.SearchStrategy[str]) -> Dag:
    """Any DAG of up to twelve tasks, written in any order."""
    ids = draw(st.lists(names, min_size=1, max_size=12, unique=True))
    tasks = []
    for at, name in enumerate(ids):
        parents = draw(st.lists(st.sampled_from(ids[:at]), unique=True)) if at else []
        conditional = draw(st.lists(st.sampled_from(parents), unique=True)) if parents else []
        work: Shell | Gate = Shell(command=draw(texts))
        if draw(st.booleans()):
            work = Gate(prompt=draw(texts))
        tasks.append(
            Task(
                id=TaskId(name),
                work=work,
                depends_on=tuple(TaskId(parent) for parent in parents),
                when={TaskId(p): frozenset({TaskState.REJECTED}) for p in conditional},
            )
        )
    written = draw(st.permutations(tasks))
    return Dag(name=draw(texts), tasks=tuple(written))


plain_names = st.from_regex(r"\A[a-z_0-9]{1,8}\Z")
hostile_names = st.text(min_size=1, max_size=12)


def followed(drawing: str) -> set[tuple[str, str]]:
    """Who follows whom, found as a reader finds it: by following the lines down."""
    lanes: dict[int, set[str]] = {}
    links: set[tuple[str, str]] = set()
    here, current = -1, ""
    for line in drawing.splitlines():
        found = re.fullmatch(r"([ │]*)[●⏸]([ │]*)(\w+).*", line)
        if found is None:
            down = {at for at, sign in enumerate(line) if sign in "├┤┼╮╭┬"}
            down |= {here} if line[here] == "│" else set()
            lanes.pop(here, None)
            for at in down:
                lanes.setdefault(at, set()).add(current)
            here = -1
            continue
        if here == len(found[1]):  # a mark right below a mark: no line leads there
            lanes.pop(here)
        here, current = len(found[1]), found[3]
        links |= {(parent, current) for parent in lanes.pop(here, set())}
        lanes = {at: held for at, held in lanes.items() if line[at] == "│"}
        lanes[here] = {current}
    return links


@settings(deadline=None, max_examples=60)
@given(dags(plain_names, st.just("true")))
def test_the_lines_of_a_text_lead_to_what_follows(drawn: Dag) -> None:
    """Reading the drawing gives back exactly the links of the DAG, and each task once."""
    declared = {(parent, task.id) for task in drawn.tasks for parent in task.depends_on}
    text = as_text(drawn)
    assert sum(bool(set(line) & set("●⏸")) for line in text.splitlines()) == len(drawn.tasks)
    assert followed(text) == declared


@settings(deadline=None, max_examples=60)
@given(dags(hostile_names, st.text(max_size=20)))
def test_any_dag_is_a_picture(drawn: Dag) -> None:
    """Well-formed XML of plain shapes, a box for every task, and nothing fetched or run."""
    root = ET.fromstring(as_svg(drawn))  # noqa: S314 (ours)
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "title", "path", "g", "rect", "text"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in names if "href" in name or name in {"style", "id"}]
    titles = sorted(found.findall(f"{SVG}text")[0].text or "" for found in root.findall(f"{SVG}g"))
    assert titles == sorted(cut(_kept(one_line(task.id)), 40) for task in drawn.tasks)
    assert _overlapping(root) == []


def _kept(text: str) -> str:
    return text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def _overlapping(root: ET.Element) -> list[tuple[Mapping[str, str], Mapping[str, str]]]:
    boxes = [g.findall(f"{SVG}rect")[0].attrib for g in root.findall(f"{SVG}g")]
    return [(a, b) for at, a in enumerate(boxes) for b in boxes[:at] if _meet(a, b)]


def _meet(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    def apart(low: str, size: str) -> bool:
        ends = [(float(box[low]), float(box[low]) + float(box[size])) for box in (a, b)]
        return ends[0][1] <= ends[1][0] or ends[1][1] <= ends[0][0]

    return not apart("x", "width") and not apart("y", "height")


_NODE = re.compile(r'    t(\d+)(?:\["([^"]*)"\]|\{\{"([^"]*)"\}\}:::checkpoint)')
_LINK = re.compile(r'    t(\d+) -->(?:\|"[a-z ]+"\|)? t(\d+)')


@settings(deadline=None, max_examples=60)
@given(dags(hostile_names, st.text(max_size=20)))
def test_any_dag_is_a_flowchart(drawn: Dag) -> None:
    """Each line is a node, a link or a look; each task is one node, each link one line."""
    first, *lines = as_mermaid(drawn).splitlines()
    assert first == "flowchart TD"
    nodes = [found for line in lines if (found := _NODE.fullmatch(line))]
    links = [found for line in lines if (found := _LINK.fullmatch(line))]
    looks = [line for line in lines if line.startswith("    classDef ")]
    assert len(nodes) + len(links) + len(looks) == len(lines)
    assert [int(node[1]) for node in nodes] == list(range(1, len(drawn.tasks) + 1))
    for node in nodes:
        label = node[3] if node[2] is None else node[2]
        assert not re.search(r"[<>&`]", label.replace("<br/>", ""))
        assert set(re.findall(r"#[^;]*;?", label)) == set(re.findall(r"#[0-9]+;", label))
    ids = [task.id for task in drawn.tasks]
    told = {(ids[int(link[1]) - 1], ids[int(link[2]) - 1]) for link in links}
    assert told == {(parent, task.id) for task in drawn.tasks for parent in task.depends_on}


def test_a_hostile_name_is_seen_and_does_nothing() -> None:
    """Markup, direction marks and quotes stay text in every drawing."""
    bad = dag(
        Task(
            id=TaskId("x\u202e</text><script>alert(1)</script>"),
            work=Gate(prompt='"];click t1 "javascript:alert(1)"\n%%{init: {}}%%\x1b[2J'),
        )
    )
    assert "<script" not in as_svg(bad)
    assert "%%" not in as_mermaid(bad)
    assert as_mermaid(bad).count('"') == 2
    for drawing in (as_text(bad), as_mermaid(bad), as_svg(bad)):
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", drawing)
