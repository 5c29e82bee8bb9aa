"""`signoff run`, `signoff resume` and `signoff runs`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption, LimitOption, TenantOption

app = typer.Typer(help="Runs: list, show.", no_args_is_help=True)

WaitOption = Annotated[
    bool, typer.Option("--wait", help="Watch on while it waits for people, until its end.")
]


class State(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.command()(run)
    root.command()(resume)
    root.add_typer(app, name="runs")


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The DAG file.")],
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only submit it; a worker drives it.")
    ] = False,
    wait: WaitOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run; run and write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a DAG; watch until it ends or waits."""
    from bot.cli.running import start

    if detach and wait:
        typer.echo("error: --detach and --wait contradict each other", err=True)
        raise typer.Exit(Exit.USAGE)
    start(file, detach=detach, wait=wait, dry_run=dry_run, as_json=as_json)


def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run: run_…")],
    *,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run, once it was decided."""
    from bot.cli.running import go_on

    go_on(run_id, wait=wait, as_json=as_json)


@app.command("list")
def list_runs(
    *,
    tenant: TenantOption = None,
    state: Annotated[State | None, typer.Option("--state", help="Where they stand.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    from bot.cli.json_views import run_json
    from bot.cli.output import emit
    from bot.cli.run_text import runs_table
    from bot.cli.session import session
    from engine import RunState, listed_runs

    wanted = None if state is None else RunState(state)
    with session() as now:
        found = now.read(lambda tx: listed_runs(tx, limit=limit, tenant=tenant, state=wanted))
        if as_json:
            emit([run_json(one) for one in found])
        else:
            runs_table(found, now.moments)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run: run_…")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show a run: its tasks, their outputs, its checkpoints."""
    from bot.cli.json_views import run_view_json
    from bot.cli.output import emit
    from bot.cli.run_text import show_run
    from bot.cli.session import session
    from engine import RunNotFound, run_view

    with session() as now:
        view = now.read(lambda tx: run_view(tx, run_id))
        if view is None:
            raise RunNotFound(run_id)
        if as_json:
            emit(run_view_json(view))
        else:
            show_run(view, now.moments)
