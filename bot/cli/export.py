"""`signoff export`: a DAG file as a file of another engine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit

if TYPE_CHECKING:
    from engine import Exported, NotExported

app = typer.Typer(help="DAG files for other engines: airflow, prefect.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The DAG file.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Where to write it; stdout by default.")
]


@app.callback()
def export() -> None:
    """Write a DAG file out for another engine."""


@app.command()
def airflow(file: FileArgument, *, output: OutputOption = None) -> None:
    """Write the DAG as a file for Airflow 3.3, or say what Airflow cannot do of it."""
    from bot.config import load_settings
    from engine import read_source, to_airflow

    _hand_over(file, to_airflow(read_source(file, load_settings().defaults)), output)


@app.command()
def prefect(file: FileArgument, *, output: OutputOption = None) -> None:
    """Write a flow of Prefect 3 that does what the DAG does, or say what it could not."""
    from bot.config import load_settings
    from engine import read_source, to_prefect

    _hand_over(file, to_prefect(read_source(file, load_settings().defaults)), output)


def _hand_over(file: Path, result: "Exported | NotExported", output: Path | None) -> None:
    from bot.cli.output import warn
    from engine import NotExported

    if isinstance(result, NotExported):
        for problem in result.problems:
            warn(f"error: {problem.located(str(file))}")
        raise typer.Exit(Exit.REFUSED)
    for note in result.notes:
        warn(f"note: {note.located(str(file))}")
    if output is None:
        typer.echo(result.text, nl=False)
        return
    try:
        output.write_text(result.text, encoding="utf-8")
    except OSError as error:
        warn(f"error: {output} cannot be written: {error.strerror}")
        raise typer.Exit(Exit.REFUSED) from None
