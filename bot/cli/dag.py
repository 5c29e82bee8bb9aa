"""`signoff dag`: whether a DAG file holds, and what it looks like."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

app = typer.Typer(help="DAG files: check, show.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The DAG file.")]


class Format(StrEnum):
    """How a DAG is drawn."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


FormatOption = Annotated[
    Format,
    typer.Option(
        "--format", help="Lines, a Mermaid flowchart, a picture, or what is stored of it."
    ),
]


@app.command()
def check(file: FileArgument, *, as_json: JsonOption = False) -> None:
    """Say whether a DAG could run here, or every problem with its line."""
    import asyncio

    from bot.cli.output import emit, say
    from bot.config import load_settings
    from engine import InvalidDag, check_dag, dag_to_json, load_dag

    try:
        dag = load_dag(file, load_settings().defaults)
        asyncio.run(check_dag(dag, str(file)))
    except InvalidDag as invalid:
        if not as_json:
            raise
        problems = [{"line": found.line, "message": found.message} for found in invalid.problems]
        emit({"file": str(file), "ok": False, "problems": problems})
        raise typer.Exit(Exit.USAGE) from None
    tasks, checkpoints = len(dag.tasks), len(list(dag.gates))
    if as_json:
        counts = {"dag": dag.name, "tasks": tasks, "checkpoints": checkpoints}
        declared = {key: dag_to_json(dag)[key] for key in ("schedule", "timeout", "max_parallel")}
        emit({"file": str(file), "ok": True, "problems": [], **counts, **declared})
    else:
        say(f"{file}: {dag.name}, {_many(tasks, 'task')}, {_many(checkpoints, 'checkpoint')}: ok")


@app.command()
def show(file: FileArgument, *, form: FormatOption = Format.TEXT) -> None:
    """Draw the graph of a DAG file. Its callables are not looked for."""
    from bot.cli.drawing import draw
    from bot.config import load_settings
    from engine import load_dag

    draw(load_dag(file, load_settings().defaults), form.value)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
