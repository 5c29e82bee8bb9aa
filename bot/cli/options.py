"""Options that mean the same on every command."""

import re
from typing import Annotated

import typer

from bot.cli.exits import Exit

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="How many to show at most.")
]
CheckpointArgument = Annotated[str, typer.Argument(metavar="ID", help="The checkpoint: cp_…")]
CheckpointsArgument = Annotated[
    list[str], typer.Argument(metavar="ID...", help="The checkpoint: cp_…; or several.")
]
DigestOption = Annotated[
    list[str] | None,
    typer.Option(
        "--digest",
        metavar="PREFIX",
        help="Only if its digest begins so (8 characters or more); one for each ID.",
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; recorded and shown.")]


_DIGEST = re.compile("[0-9a-f]{8,64}")


def read_digests(given: list[str] | None, ids: list[str]) -> list[str | None]:
    """What the digest of each must begin with, None for any; wrong usage ends the command."""
    if not given:
        return [None] * len(ids)
    if len(given) != len(ids):
        typer.echo("error: --digest is given once for each ID, in their order", err=True)
        raise typer.Exit(Exit.USAGE)
    for text in given:
        if not _DIGEST.fullmatch(text.lower()):
            typer.echo(f"error: --digest {text!r} is not 8 to 64 of 0-9 and a-f", err=True)
            raise typer.Exit(Exit.USAGE)
    return [text.lower() for text in given]


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
