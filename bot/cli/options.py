"""Options that mean the same on every command."""

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="How many to show at most.")
]
CheckpointArgument = Annotated[str, typer.Argument(metavar="ID", help="The checkpoint: cp_…")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; recorded and shown.")]
