"""`signoff db`: the schema of the database."""

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

app = typer.Typer(help="The database: upgrade, current.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database to the schema this Signoff needs. Back it up before."""
    from bot.cli.output import say
    from bot.config import load_settings
    from engine import shown_url, upgrade_database

    settings = load_settings()
    before = upgrade_database(settings.database_url)
    where = shown_url(settings.database_url)
    if before.found == before.needed:
        say(f"{where} already has schema {before.needed}.")
    else:
        say(f"{where}: schema {before.found or '(none)'} -> {before.needed}")


@app.command()
def current(*, as_json: JsonOption = False) -> None:
    """Say which schema the database has; exit 1 when it is not the one needed."""
    from bot.cli.output import emit, say, warn
    from bot.config import load_settings
    from engine import schema_version, shown_url

    settings = load_settings()
    version = schema_version(settings.database_url)
    where = shown_url(settings.database_url)
    if as_json:
        emit({"database": where, "schema": version.found, "needed": version.needed})
    else:
        say(f"{where}: schema {version.found or '(none)'}")
    if version.found != version.needed:
        warn(f"This Signoff needs schema {version.needed}.")
        raise typer.Exit(Exit.REFUSED)
