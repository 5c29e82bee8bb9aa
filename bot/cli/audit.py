"""`signoff audit`: whether the trail holds, and what it says."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import audit_heads, audit_tables
from bot.cli.exits import Exit

if TYPE_CHECKING:
    from datetime import datetime

    from engine import Filter, LedgerRow, Tx

app = typer.Typer(help="The audit trail: verify, export, look up.", no_args_is_help=True)


class Format(StrEnum):
    """How the trail is written out."""

    JSONL = "jsonl"
    CSV = "csv"


class View(StrEnum):
    """What of the trail is written out. `AuditSurface`, which stays out of `--help`."""

    CHECKPOINTS = "checkpoints"
    STATE = "state"
    EVENTS = "events"


audit_heads.register(app)
audit_tables.register(app)


@app.command()
def export(
    *,
    form: Annotated[
        Format, typer.Option("--format", help="A JSON object a line, or a table for a spreadsheet.")
    ] = Format.JSONL,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", help="Only of this checkpoint.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only of this run.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", help="Only of this person: a name, an account, or pn_…"),
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", help="Only this event: decision_recorded, for example.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only since then: 2026-01-31, 2026-01-31T14:00Z, 7d, 12h."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only before then.")] = None,
    surface: Annotated[
        View | None,
        typer.Option("--surface", help="One view of it, with names as the older system wrote."),
    ] = None,
) -> None:
    """Write the trail to stdout, oldest first."""
    from bot.cli.session import session
    from engine import Filter

    if surface is not None and (form is Format.CSV or any((tenant, person, event, until))):
        typer.echo("error: --surface goes with --checkpoint, --run and --since only", err=True)
        raise typer.Exit(Exit.USAGE)
    with session() as now:
        at = now.moments.now
        wanted = Filter(
            checkpoint_id=checkpoint,
            run_id=run,
            tenant=tenant,
            person=person,
            event=event,
            since=_moment("--since", since, at),
            until=_moment("--until", until, at),
        )
        now.read(lambda tx: _write(tx, form, surface, wanted))


def _moment(option: str, said: "str | None", now: "datetime") -> "datetime | None":
    from bot.cli.output import warn
    from bot.cli.since import moment_of

    if said is None:
        return None
    found = moment_of(said, now)
    if found is None:
        warn(f"error: {option} {said!r} is neither a date, a time nor a span such as 7d")
        raise typer.Exit(Exit.USAGE)
    return found


def _write(tx: "Tx", form: Format, surface: View | None, wanted: "Filter") -> None:
    from bot.cli.output import emit_line
    from engine import AuditSurface, export_trail, surface_lines, trail_rows

    if form is Format.CSV:
        _write_csv(trail_rows(tx, wanted))
        return
    lines = (
        export_trail(tx, wanted)
        if surface is None
        else surface_lines(
            tx,
            AuditSurface(surface),
            checkpoint_id=wanted.checkpoint_id,
            run_id=wanted.run_id,
            since=wanted.since,
        )
    )
    for line in lines:
        emit_line(line)


def _write_csv(rows: "Iterable[LedgerRow]") -> None:
    import csv
    import sys
    from dataclasses import astuple, fields

    from engine import LedgerRow

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(field.name for field in fields(LedgerRow))
    for row in rows:
        table.writerow(_harmless(str(cell)) for cell in astuple(row))


def _harmless(cell: str) -> str:
    """Text that no spreadsheet takes for a formula: names and reasons are other people's words."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
