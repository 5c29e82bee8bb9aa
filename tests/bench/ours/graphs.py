"""The graphs that are measured, as DAGs. The peers' scripts make the same ones."""

from pathlib import Path

from engine import Dag, Declared, checkpoint, declare, python, shell

FUNCTIONS = Path(__file__).parents[1] / "functions"


def fan_out(tasks: int) -> Dag:
    """So many functions that depend on nothing."""
    return _dag("fan_out", *(python(f"t{i}", "noop:no_op") for i in range(tasks)))


def fan_out_commands(tasks: int) -> Dag:
    """So many commands that depend on nothing."""
    return _dag("fan_out_commands", *(shell(f"t{i}", ["true"]) for i in range(tasks)))


def chain(tasks: int) -> Dag:
    """So many functions, each after the one before."""
    after = [[], *([f"t{i}"] for i in range(tasks - 1))]
    links = [python(f"t{i}", "noop:no_op", depends_on=after[i]) for i in range(tasks)]
    return _dag("chain", *links)


def gated_function(started: Path) -> Dag:
    """A checkpoint, then a function that notes when it starts."""
    note = python("go", "noop:starts", depends_on="ask", params={"file": str(started)})
    return _dag("gated_function", checkpoint("ask", prompt="Go on?"), note)


def gated_command(started: Path) -> Dag:
    """A checkpoint, then a command that notes when it starts, in seconds since the epoch."""
    note = f"date +%s.%N > {started}.draft && mv {started}.draft {started}"
    return _dag(
        "gated_command",
        checkpoint("ask", prompt="Go on?"),
        shell("go", note, depends_on="ask"),
    )


def _dag(name: str, *tasks: Declared) -> Dag:
    return declare(name, *tasks, directory=FUNCTIONS)
