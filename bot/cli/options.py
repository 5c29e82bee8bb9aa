"""Options that mean the same on every command."""

from typing import Annotated

import typer

from bot.cli.exits import Exit

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="How many to show at most.")
]
CheckpointArgument = Annotated[str, typer.Argument(metavar="ID", help="The checkpoint: cp_…")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; recorded and shown.")]


def read_pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """Read what was given as `OPTION key=value`, however often; wrong usage ends the command."""
    pairs: dict[str, str] = {}
    for text in given or []:
        key, separator, value = text.partition("=")
        if not separator or not key or key in pairs:
            why = "is given twice" if key in pairs else "is not KEY=VALUE"
            typer.echo(f"error: {option} {text!r} {why}", err=True)
            raise typer.Exit(Exit.USAGE)
        pairs[key] = value
    return pairs
