"""Which DAG somebody means: a file, or a name in the folder."""

from pathlib import Path

import typer

from bot.cli.exits import Exit
from bot.cli.output import warn
from bot.config import Settings
from bot.dags import dag_folder
from engine import DagNotFound, Filed, load_dag, near_name

_ENDINGS = (".yml", ".yaml")


def dag_meant(target: str, settings: Settings) -> Filed:
    """The DAG of this file; of this name in the folder, where there is no such file.

    Raises `InvalidDag` and `DagNotFound`.
    """
    file, folder = Path(target), dag_folder(settings)
    names_file = file.exists() or file.suffix in _ENDINGS or file.name != target
    if names_file or folder is None:
        return Filed(file, load_dag(file, settings.defaults))
    shelf = folder.look()
    match shelf.named(target):
        case (one,):
            return one
        case ():
            raise DagNotFound(target, near_name(target, shelf.filed))
        case several:
            files = ", ".join(str(one.file) for one in several)
            warn(f"error: {target!r} is several DAGs; name the file of the one you mean: {files}")
            raise typer.Exit(Exit.USAGE)
