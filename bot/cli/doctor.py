"""`signoff doctor`: what is configured, what is missing, what to do."""

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(*, as_json: JsonOption = False) -> None:
    """Say what is missing and what to do; exit 1 when it is needed."""
    from bot.cli.checks import Status, examine
    from bot.cli.output import details, emit, say, table

    found = examine()
    is_well = all(check.status is not Status.FAIL for check in found)
    if as_json:
        checks = [
            {"name": c.name, "status": c.status, "found": c.found, "advice": c.advice}
            for c in found
        ]
        emit({"ok": is_well, "checks": checks})
    else:
        rows = [(check.status.value, check.name, check.found) for check in found]
        table(("", "check", "found"), rows, empty="")
        advice = [(check.name, check.advice) for check in found if check.advice]
        if advice:
            say("\nWhat to do:")
            details(advice)
    if not is_well:
        raise typer.Exit(Exit.REFUSED)
