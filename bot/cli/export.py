"""`signoff export`: a DAG file as a file of another engine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit

if TYPE_CHECKING:
    from engine import Exported, NotExported

app = typer.Typer(help="Take a DAG to another engine: airflow.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The DAG file.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Where to write it; stdout by default.")
]


@app.callback()
def export() -> None:
    """Take a DAG to another engine."""  # or the one command below would need no name


@app.command()
def airflow(file: FileArgument, *, output: OutputOption = None) -> None:
    """Write the DAG as a file for Airflow 3.3, or say what Airflow cannot do of it."""
    from bot.config import load_settings
    from engine import read_source, to_airflow

    _deliver(to_airflow(read_source(file, load_settings().defaults)), file, output)


def _deliver(outcome: "Exported | NotExported", file: Path, output: Path | None) -> None:
    """Write the file that came of it, and tell beside it what is not the same."""
    from bot.cli.output import warn
    from engine import NotExported

    if isinstance(outcome, NotExported):
        for problem in outcome.problems:
            warn(problem.located(str(file)))
        raise typer.Exit(Exit.REFUSED)
    for note in outcome.notes:
        warn(f"note: {note.located(str(file))}")
    if output is None:
        typer.echo(outcome.text, nl=False)
        return
    try:
        output.write_text(outcome.text, encoding="utf-8")
    except OSError as error:
        warn(f"error: {output} cannot be written: {error.strerror}")
        raise typer.Exit(Exit.REFUSED) from None
