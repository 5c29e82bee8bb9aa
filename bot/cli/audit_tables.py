"""`signoff audit timeline` and `run`: what happened, a line each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

if TYPE_CHECKING:
    from engine import Filter, LedgerRow


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(timeline)
    app.command()(run)


def timeline(
    checkpoint: Annotated[str, typer.Argument(metavar="ID", help="The checkpoint: cp_…")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Everything on record about a checkpoint, in the order it happened."""
    from engine import Filter

    _show(Filter(checkpoint_id=checkpoint), f"no row of the trail is about {checkpoint}", as_json)


def run(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run: run_…")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Everything on record about a run: who asked, who decided what and why, how it ended."""
    from engine import Filter

    _show(Filter(run_id=run_id), f"no row of the trail is about {run_id}", as_json)


def _show(wanted: "Filter", nothing: str, as_json: bool) -> None:
    from bot.cli.output import emit, warn
    from bot.cli.session import session
    from engine import export_trail, trail_rows

    with session() as now:
        rows = now.read(lambda tx: list(trail_rows(tx, wanted)))
        if not rows:
            warn(f"error: {nothing}")
            raise typer.Exit(Exit.REFUSED)
        if as_json:
            emit(now.read(lambda tx: list(export_trail(tx, wanted))))
        else:
            _print(rows)


def _print(rows: "Iterable[LedgerRow]") -> None:
    from datetime import datetime

    from bot.cli.output import table
    from bot.times import utc

    shown = [
        (
            str(row.seq),
            utc(datetime.fromisoformat(row.timestamp)),
            row.checkpoint,
            row.event.replace("_", " "),
            row.person,
            row.reason,
        )
        for row in rows
    ]
    table(("row", "when", "checkpoint", "what", "who", "why"), shown, empty="")
