"""`signoff doctor`: what is configured, what is missing, what to do."""

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(*, as_json: JsonOption = False) -> None:
    """Say what is missing and what to do; exit 1 when it is needed."""
    from bot.cli.checks import examine
    from bot.cli.findings import checks_json, is_well, show_checks
    from bot.cli.output import emit

    found = examine()
    if as_json:
        emit(checks_json(found))
    else:
        show_checks(found)
    if not is_well(found):
        raise typer.Exit(Exit.REFUSED)
