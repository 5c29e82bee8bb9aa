"""`signoff dags`: what can be started by name, and what starts by itself."""

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

app = typer.Typer(help="The DAGs of the folder: list.", no_args_is_help=True)


@app.callback()
def dags() -> None:
    """Look at the DAGs of the folder."""


@app.command("list")
def list_dags(*, as_json: JsonOption = False) -> None:
    """List the DAGs of the folder: schedule, next tick, last run. Exit 1 when a file is broken."""
    from bot.cli.dags_text import shelf_json, show_shelf
    from bot.cli.output import emit
    from bot.cli.session import session
    from bot.dags import dag_folder
    from engine import InvalidSettings, latest_run

    with session() as now:
        folder = dag_folder(now.settings)
        if folder is None:
            raise InvalidSettings(
                'there is no folder of DAGs: say [dags] folder = "dags" in '
                f"{now.settings.config_path}"
            )
        shelf = folder.look()
        last = now.read(lambda tx: {one.key: latest_run(tx, *one.key) for one in shelf.filed})
        if as_json:
            emit(shelf_json(shelf, last, now.moments))
        else:
            show_shelf(shelf, last, now.moments, now.settings.config_path.parent)
    if shelf.broken:
        raise typer.Exit(Exit.REFUSED)
