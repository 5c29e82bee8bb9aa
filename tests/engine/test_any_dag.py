"""Any DAG, driven for real, ends as a model says that is simple enough to be right."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dag import Task
from engine.ending import expire_due
from engine.model import Choice, OnExpire, RunId, RunState, TaskId, TaskState
from tests.engine.running import Bench, gate, task

SUCCEEDED, FAILED, SKIPPED = TaskState.SUCCEEDED, TaskState.FAILED, TaskState.SKIPPED
APPROVED, REJECTED, EXPIRED = TaskState.APPROVED, TaskState.REJECTED, TaskState.EXPIRED
GOOD, BAD = {SUCCEEDED, APPROVED}, {FAILED, REJECTED, EXPIRED}


@dataclass(frozen=True)
class Node:
    """A task of the model: a command that fails so many times, or a checkpoint that ends so."""

    name: str
    parents: tuple[str, ...]
    when: Mapping[str, frozenset[TaskState]]
    fails: int = 0
    retries: int = 0
    answer: TaskState | None = None  # of a checkpoint
    on_expire: OnExpire = OnExpire.FAIL

    @property
    def attempts(self) -> int:
        """How often the command is run, once it is reached."""
        return min(self.fails, self.retries) + 1

    def end(self) -> TaskState:
        """How it ends once it is reached."""
        if self.answer is not None:
            return self.answer
        return SUCCEEDED if self.fails <= self.retries else FAILED

    def words(self, state: TaskState) -> set[TaskState]:
        """What a `when` may call this end."""
        is_rejection = state is EXPIRED and self.on_expire is OnExpire.REJECT
        return {EXPIRED, REJECTED} if is_rejection else {state}


def ends_of(nodes: Mapping[str, Node]) -> dict[str, TaskState]:
    """The model: how every task ends. Parents stand before their children."""
    ends: dict[str, TaskState] = {}
    for node in nodes.values():
        is_let_through = all(
            nodes[parent].words(ends[parent]) & node.when.get(parent, GOOD)
            for parent in node.parents
        )
        ends[node.name] = node.end() if is_let_through else SKIPPED
    return ends


def end_of_run(nodes: Mapping[str, Node], ends: Mapping[str, TaskState]) -> RunState:
    """The model: a run fails by every bad end that no task that waited for it made good."""
    for node in nodes.values():
        made_good = any(
            ends[child.name] in GOOD and node.words(ends[node.name]) & child.when[node.name]
            for child in nodes.values()
            if node.name in child.when
        )
        is_final = ends[node.name] is EXPIRED and node.on_expire is not OnExpire.REJECT
        if ends[node.name] in BAD and (is_final or not made_good):
            return RunState.FAILED
    return RunState.SUCCEEDED


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Node]:
    """Draw up to six tasks, each after some before it; bad ends are mostly waited for."""
    nodes: dict[str, Node] = {}
    for number in range(draw(st.sampled_from([6, 5, 4, 3, 2, 1]))):
        parents = (
            draw(st.lists(st.sampled_from([*nodes]), unique=True, max_size=3)) if nodes else []
        )
        ends = ends_of(nodes)
        when = {
            name: draw(outcomes(nodes[name])) | draw(st.sampled_from([{ends[name]}, set()]))
            for name in parents
            if ends[name] in BAD or draw(st.booleans())
        }
        is_gate = draw(st.booleans())
        nodes[f"t{number}"] = Node(
            name=f"t{number}",
            parents=tuple(parents),
            when=when,
            fails=0 if is_gate else draw(st.sampled_from([0, 0, 0, 1, 3])),
            retries=0 if is_gate else draw(st.integers(0, 2)),
            answer=draw(st.sampled_from([APPROVED, APPROVED, REJECTED, EXPIRED]))
            if is_gate
            else None,
            on_expire=draw(st.sampled_from(OnExpire)),
        )
    return nodes


def outcomes(parent: Node) -> st.SearchStrategy[frozenset[TaskState]]:
    """Some of the ends that a parent may come to."""
    own = [SUCCEEDED, FAILED] if parent.answer is None else [APPROVED, REJECTED, EXPIRED]
    return st.frozensets(st.sampled_from([*own, SKIPPED]), min_size=1, max_size=3)


def declared(node: Node) -> Task:
    """The task as a DAG declares it. A command writes down when it begins and ends."""
    when = {TaskId(parent): states for parent, states in node.when.items()}
    if node.answer is not None:
        # A deadline that is over as soon as it is set passes when the test says so.
        span = timedelta(microseconds=1) if node.answer is EXPIRED else timedelta(hours=1)
        asked = gate(node.name, *node.parents, expires_in=span, on_expire=node.on_expire)
        return Task(id=asked.id, work=asked.work, depends_on=asked.depends_on, when=when)
    command = (
        f'echo begin {node.name} >> said; test "$SIGNOFF_ATTEMPT" -gt {node.fails}; ended=$?; '
        f"echo end {node.name} >> said; exit $ended"
    )
    return task(
        node.name, command, *node.parents, when=when, retries=node.retries, retry_delay=timedelta()
    )


class Drive:
    """One run of the graph, with people who answer as the model says."""

    def __init__(self, bench: Bench, nodes: Mapping[str, Node]) -> None:
        self._bench = bench
        self._nodes = nodes
        self._said = bench.folder / "said"

    async def run(self, written: list[str], hasty: bool) -> tuple[RunId, RunState]:
        """Drive it to its end. `hasty` people answer one question and leave the rest for later."""
        self._said.touch()
        dag = self._bench.dag(*(declared(self._nodes[name]) for name in written))
        run_id = await self._bench.submit(dag)
        state = await self._bench.drive(run_id)
        while state is RunState.PAUSED:
            asked = [self._nodes[found.task_id] for found in await self._bench.pending(run_id)]
            assert asked
            for node in asked[:1] if hasty else asked:
                await self._answer(run_id, node)
            state = await self._bench.drive(run_id)
        return run_id, state

    async def _answer(self, run_id: RunId, node: Node) -> None:
        if node.name in self.said("begin"):
            return  # it expired along with another
        self._say(node.name)
        if node.answer is EXPIRED:
            expired = await self._bench.store.write(expire_due)
            for checkpoint in expired:
                if checkpoint.task_id != node.name:
                    self._say(checkpoint.task_id)
            return
        choice = Choice.APPROVE if node.answer is APPROVED else Choice.REJECT
        await self._bench.decide(run_id, choice, node.name)

    def _say(self, name: str) -> None:
        with self._said.open("a", encoding="utf-8") as file:
            file.write(f"begin {name}\nend {name}\n")

    def said(self, word: str) -> list[str]:
        """The names after this word, in order."""
        return [line.split()[1] for line in self._lines() if line.startswith(f"{word} ")]

    def _lines(self) -> list[str]:
        return self._said.read_text(encoding="utf-8").splitlines()

    def check_order(self) -> None:
        """No task began before all its parents had ended, for the last time."""
        lines = self._lines()
        for node in self._nodes.values():
            if f"begin {node.name}" not in lines:
                continue
            began = lines.index(f"begin {node.name}")
            for parent in node.parents:
                assert f"end {parent}" not in lines[began:], (node.name, parent, lines)


@settings(max_examples=30)
@given(st.data(), graphs(), st.booleans())
def test_any_dag_ends_as_the_model_says(
    sqlite_template: Path, data: st.DataObject, nodes: dict[str, Node], hasty: bool
) -> None:
    """Each task's end, the run's, how often each was tried, and in what order they ran."""
    written = data.draw(st.permutations([*nodes]), label="written")
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(sqlite_template, Path(name) / "signoff.sqlite")
        bench = Bench(Path(name))
        try:
            drive = Drive(bench, nodes)
            run_id, state = asyncio.run(drive.run(written, hasty))
            ends = ends_of(nodes)
            assert asyncio.run(bench.states(run_id)) == ends
            assert state is end_of_run(nodes, ends)
            drive.check_order()
            reached = [n for n in nodes.values() if ends[n.name] is not SKIPPED]
            assert sorted(drive.said("begin")) == sorted(
                n.name for n in reached for _ in range(n.attempts)
            )
        finally:
            bench.store.close()
