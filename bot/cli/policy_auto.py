"""`signoff policy auto`: which rules of a DAG file would hold, and what would follow."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption, read_pairs

ParamsOption = Annotated[
    list[str] | None,
    typer.Option("--params", metavar="KEY=VALUE", help="A parameter of the run; may be repeated."),
]
OutputsOption = Annotated[
    Path | None,
    typer.Option("--outputs", help='What tasks left, as JSON: {"plan": {"deletes": 0}}.'),
]


def register(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command("auto")(auto)


def auto(
    file: Annotated[Path, typer.Argument(metavar="DAGFILE", help="The DAG file.")],
    *,
    params: ParamsOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which rules would hold for such a run, and what follows; exit 1 when one fails.

    Nothing runs, and nothing is written.
    """
    import asyncio

    from bot.cli.output import emit
    from bot.cli.simulation import has_failed, outputs_in, show, simulated, simulated_json
    from bot.config import load_settings
    from engine import load_dag, read_params

    dag = load_dag(file, load_settings().defaults)
    given = read_params(dag, read_pairs("--params", params))
    found = asyncio.run(simulated(dag, given, outputs_in(dag, outputs)))
    if as_json:
        emit({"dag": dag.name, "checkpoints": [simulated_json(one) for one in found]})
    else:
        show(found)
    if has_failed(found):
        raise typer.Exit(Exit.REFUSED)
