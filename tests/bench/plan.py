"""What is measured: every measurement, its sizes, and who takes part with which promise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bench.engines import DAGSTER, DBOS, LUIGI, PREFECT, SIGNOFF, Engine


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    rounds: int = 3
    within_s: float = 60.0  # a graph of ours is stopped then, and the table says how far it came
    fan_out: int = 1_000
    commands: int = 200
    chain: int = 100
    growth: tuple[int, ...] = (100, 1_000, 10_000)
    history: tuple[int, ...] = (1, 100_000)
    history_tasks: int = 100
    decisions: int = 10
    pauses: int = 5
    suspends: int = 2
    paused: int = 10_000
    waiting: int = 1_000
    starts: int = 5


FULL = Scale()
QUICK = Scale(
    rounds=1,
    fan_out=100,
    commands=30,
    chain=20,
    growth=(10, 100),
    history=(1, 5_000),
    history_tasks=20,
    decisions=5,
    pauses=2,
    suspends=1,
    paused=1_000,
    waiting=100,
    starts=1,
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of a measurement: an engine, and the script that measures it."""

    line: str
    engine: Engine
    script: tuple[str, str]  # the module below `tests.bench`, and the name in it
    keeps: str  # what is left of the work when the machine loses power
    sizes: Mapping[str, Any] = field(default_factory=dict)
    on_postgres: bool = False


@dataclass(frozen=True, slots=True)
class Measurement:
    """Contestants that take turns, so many rounds."""

    key: str
    about: str
    contestants: tuple[Contestant, ...]
    rounds: int


_EVERY_TASK = "every task, on disk before it counts"
_EVERY_STEP = "every step, on disk before it counts"
_EVERY_STEP_PG = "every step, in PostgreSQL before it counts"
_NOTHING = "nothing"
_EVENTUALLY = "the server's record, which follows the tasks"
_EVENTS = "every event, in SQLite"
_ASKED = "the question and the answer"

KEYS = {
    "fan-out": "many tasks that depend on nothing",
    "commands": "the same with commands",
    "chain": "tasks one after the other",
    "growth": "the cost of a task in larger and larger DAGs",
    "history": "the cost of a task in a file that holds many finished runs",
    "decision": "from an answer to the start of the next task",
    "paused": "many paused runs: memory, threads, decisions",
    "start": "starting up",
}


def measurements(scale: Scale) -> tuple[Measurement, ...]:
    """Everything, in the order of the table."""
    lines = {
        "fan-out": _fan_out(scale),
        "commands": _commands(scale),
        "chain": _chain(scale),
        "growth": _growth(scale),
        "history": _history(scale),
        "decision": _decision(scale),
        "paused": _paused(scale),
        "start": _start(),
    }
    rounds = {"start": scale.starts}
    return tuple(
        Measurement(key, about, tuple(lines[key]), rounds.get(key, scale.rounds))
        for key, about in KEYS.items()
    )


def _fan_out(scale: Scale) -> Iterator[Contestant]:
    row = {"row": f"fan-out of {scale.fan_out:,} tasks", "tasks": scale.fan_out}
    ours = {**row, "within_s": scale.within_s}
    ours_too = ("ours.driving", "fan-out")
    steps = ("peers.dbos", "steps")
    queue = ("peers.dbos", "queue")
    yield Contestant("Signoff", SIGNOFF, ours_too, _EVERY_TASK, ours)
    yield Contestant("Signoff, PostgreSQL", SIGNOFF, ours_too, _EVERY_TASK, ours, on_postgres=True)
    yield Contestant("DBOS, steps", DBOS, steps, _EVERY_STEP, row)
    yield Contestant("DBOS, queue", DBOS, queue, "every workflow, on disk before it counts", row)
    yield Contestant("DBOS, steps, PostgreSQL", DBOS, steps, _EVERY_STEP_PG, row, on_postgres=True)
    yield Contestant("Prefect", PREFECT, ("peers.prefect", "fan-out"), _EVENTUALLY, row)
    yield Contestant("Dagster, in process", DAGSTER, ("peers.dagster", "fan-out"), _NOTHING, row)
    yield Contestant("Dagster, SQLite", DAGSTER, ("peers.dagster", "fan-out-kept"), _EVENTS, row)
    yield Contestant("Luigi", LUIGI, ("peers.luigi", "fan-out"), _NOTHING, row)


def _commands(scale: Scale) -> Iterator[Contestant]:
    row = {"row": f"fan-out of {scale.commands:,} commands (`true`)", "tasks": scale.commands}
    sizes = {**row, "within_s": scale.within_s}
    yield Contestant("Signoff", SIGNOFF, ("ours.driving", "fan-out-commands"), _EVERY_TASK, sizes)


def _chain(scale: Scale) -> Iterator[Contestant]:
    row = {"row": f"chain of {scale.chain:,} tasks", "tasks": scale.chain}
    ours = {**row, "within_s": scale.within_s}
    chain = ("ours.driving", "chain")
    steps = ("peers.dbos", "chain")
    yield Contestant("Signoff", SIGNOFF, chain, _EVERY_TASK, ours)
    yield Contestant("Signoff, PostgreSQL", SIGNOFF, chain, _EVERY_TASK, ours, on_postgres=True)
    yield Contestant("DBOS", DBOS, steps, _EVERY_STEP, row)
    yield Contestant("DBOS, PostgreSQL", DBOS, steps, _EVERY_STEP_PG, row, on_postgres=True)
    yield Contestant("Prefect", PREFECT, ("peers.prefect", "chain"), _EVENTUALLY, row)
    yield Contestant("Dagster, in process", DAGSTER, ("peers.dagster", "chain"), _NOTHING, row)
    yield Contestant("Dagster, SQLite", DAGSTER, ("peers.dagster", "chain-kept"), _EVENTS, row)
    yield Contestant("Luigi", LUIGI, ("peers.luigi", "chain"), _NOTHING, row)


def _growth(scale: Scale) -> Iterator[Contestant]:
    for tasks in scale.growth:
        sizes = {"row": "cost of a task", "tasks": tasks, "within_s": scale.within_s}
        line = f"DAG of {tasks:,} tasks"
        yield Contestant(line, SIGNOFF, ("ours.driving", "fan-out"), _EVERY_TASK, sizes)


def _history(scale: Scale) -> Iterator[Contestant]:
    for runs in scale.history:
        sizes = {
            "row": f"cost of a task, {scale.history_tasks:,} in the DAG",
            "tasks": scale.history_tasks,
            "runs": runs,
            "within_s": scale.within_s,
        }
        line = f"{runs:,} finished run{'s' if runs > 1 else ''} in the file"
        yield Contestant(line, SIGNOFF, ("ours.driving", "history"), _EVERY_TASK, sizes)


def _decision(scale: Scale) -> Iterator[Contestant]:
    row = {"row": "decision committed to next task's start"}
    ours = {**row, "times": scale.decisions}
    function = ("ours.resuming", "function")
    resume = ("peers.dbos_answers", "resume")
    pause = {**row, "times": scale.pauses}
    suspend = {**row, "times": scale.suspends}
    yield Contestant("Signoff, function", SIGNOFF, function, _ASKED, ours)
    yield Contestant(
        "Signoff, function, PostgreSQL", SIGNOFF, function, _ASKED, ours, on_postgres=True
    )
    yield Contestant("Signoff, command", SIGNOFF, ("ours.resuming", "command"), _ASKED, ours)
    yield Contestant("DBOS, recv", DBOS, resume, _ASKED, ours)
    yield Contestant("DBOS, recv, PostgreSQL", DBOS, resume, _ASKED, ours, on_postgres=True)
    yield Contestant(
        "Prefect, pause", PREFECT, ("peers.prefect", "pause"), "not the waiting process", pause
    )
    yield Contestant("Prefect, suspend", PREFECT, ("peers.prefect", "suspend"), _ASKED, suspend)


def _paused(scale: Scale) -> Iterator[Contestant]:
    ours = {"runs": scale.paused, "times": scale.decisions, "settle_s": 3.0}
    theirs = {"runs": scale.waiting, "row": "memory of DBOS", "threads_row": "threads of DBOS"}
    yield Contestant("Signoff", SIGNOFF, ("ours.waiting", "paused"), "", ours)
    yield Contestant("DBOS", DBOS, ("peers.dbos", "waiting"), "", theirs)


def _start() -> Iterator[Contestant]:
    yield Contestant("Signoff", SIGNOFF, ("ours.starting", "start"), "")
