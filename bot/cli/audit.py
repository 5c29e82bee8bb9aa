"""`signoff audit`: whether the trail holds, and what it says."""

from enum import StrEnum
from typing import Annotated

import typer

from bot.cli import audit_heads
from bot.cli.exits import Exit

app = typer.Typer(help="The audit trail: verify, export.", no_args_is_help=True)


class Format(StrEnum):
    """How the trail is written out."""

    JSONL = "jsonl"


class View(StrEnum):
    """What of the trail is written out. `AuditSurface`, which stays out of `--help`."""

    CHECKPOINTS = "checkpoints"
    STATE = "state"
    EVENTS = "events"


audit_heads.register(app)


@app.command()
def export(
    *,
    form: Annotated[Format, typer.Option("--format", help="One JSON object a line.")] = (
        Format.JSONL
    ),
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", help="Only of this checkpoint.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only of this run.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only since then: 2026-01-31, 2026-01-31T14:00Z, 7d, 12h."),
    ] = None,
    surface: Annotated[
        View | None,
        typer.Option("--surface", help="One view of it, with names as the older system wrote."),
    ] = None,
) -> None:
    """Write the trail to stdout, oldest first."""
    from bot.cli.output import emit_line, warn
    from bot.cli.session import session
    from bot.cli.since import moment_of
    from engine import AuditSurface, Tx, export_trail, surface_lines

    del form  # there is one so far
    with session() as now:
        start = None if since is None else moment_of(since, now.moments.now)
        if since is not None and start is None:
            warn(f"error: --since {since!r} is neither a date, a time nor a span such as 7d")
            raise typer.Exit(Exit.USAGE)

        def write_out(tx: Tx) -> None:
            wanted = {"checkpoint_id": checkpoint, "run_id": run}
            if surface is None:
                lines = export_trail(tx, **wanted, since=start)
            else:
                lines = surface_lines(tx, AuditSurface(surface), **wanted, since=start)
            for line in lines:
                emit_line(line)

        now.read(write_out)
