"""`signoff run`, `signoff resume` and `signoff runs`."""

from typing import Annotated

import typer

from bot.cli.dag import Format, FormatOption
from bot.cli.exits import Exit
from bot.cli.options import JsonOption, LimitOption, ReasonOption, TenantOption, read_pairs
from engine import RunState

app = typer.Typer(help="Runs: list, show, watch, logs, graph, cancel, retry.", no_args_is_help=True)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run: run_…")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Watch on while it waits for people, until its end.")
]


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.command()(run)
    root.command()(resume)
    root.add_typer(app, name="runs")


def run(
    target: Annotated[
        str, typer.Argument(metavar="FILE", help="The DAG file, or a DAG's name in the folder.")
    ],
    *,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="KEY=VALUE", help="A parameter; may be repeated."),
    ] = None,
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
    params = read_pairs("--param", param)
    start(target, params, detach=detach, wait=wait, dry_run=dry_run, as_json=as_json)


def resume(
    run_id: RunArgument,
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
    state: Annotated[RunState | None, typer.Option("--state", help="Where they stand.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    from bot.cli.json_views import run_json
    from bot.cli.output import emit
    from bot.cli.run_text import runs_table
    from bot.cli.session import session
    from bot.cli.stopping import note_standstill
    from engine import listed_runs

    with session() as now:
        found = now.read(lambda tx: listed_runs(tx, limit=limit, tenant=tenant, state=state))
        if as_json:
            emit([run_json(one) for one in found])
        else:
            runs_table(found, now.moments)
        note_standstill(now)


@app.command()
def show(
    run_id: RunArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show a run: its tasks, their outputs, its checkpoints, and what happened when."""
    from functools import partial

    from bot.cli.json_views import run_view_json
    from bot.cli.output import emit
    from bot.cli.run_text import show_run
    from bot.cli.session import session
    from bot.cli.sight import sight
    from bot.cli.timeline import show_timeline, timeline_json

    with session() as now:
        seen = now.read(partial(sight, run_id=run_id, whole=True))
        if as_json:
            emit(run_view_json(seen.view) | {"timeline": timeline_json(seen)})
        else:
            show_run(seen.view, now.moments)
            show_timeline(seen)


@app.command()
def watch(run_id: RunArgument, *, as_json: JsonOption = False) -> None:
    """Watch a run until it ends; change nothing. Ctrl-C leaves it going."""
    from bot.cli.running import watch_run

    watch_run(run_id, as_json=as_json)


@app.command()
def logs(
    run_id: RunArgument,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="One task; every one that started.")
    ] = None,
    *,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="Which attempt; the latest.")
    ] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", min=0, help="Only the last so many lines.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as more is printed, until the end.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what the tasks of a run printed."""
    from bot.cli.log_commands import follow_logs, show_logs

    if follow and as_json:
        typer.echo("error: --follow and --json contradict each other", err=True)
        raise typer.Exit(Exit.USAGE)
    if follow:
        follow_logs(run_id, task, attempt=attempt, tail=tail)
    else:
        show_logs(run_id, task, attempt=attempt, tail=tail, as_json=as_json)


@app.command()
def graph(run_id: RunArgument, *, form: FormatOption = Format.TEXT) -> None:
    """Draw a run as it stands: the graph it was started with, and the state of its tasks."""
    from functools import partial

    from bot.cli.drawing import draw
    from bot.cli.session import session
    from bot.cli.sight import sight

    with session() as now:
        view = now.read(partial(sight, run_id=run_id)).view
        states = {task.id: task.state for task in view.tasks.values()}
        draw(view.dag, form.value, states)


@app.command()
def cancel(run_id: RunArgument, *, reason: ReasonOption = "", as_json: JsonOption = False) -> None:
    """Call a run off: its questions are withdrawn, what runs is ended, nothing else starts."""
    from bot.cli.steering import cancel as call_off

    call_off(run_id, reason, as_json=as_json)


@app.command()
def retry(run_id: RunArgument, *, wait: WaitOption = False, as_json: JsonOption = False) -> None:
    """Try what failed in a run again, and what was skipped behind it."""
    from bot.cli.steering import retry as try_again

    try_again(run_id, wait=wait, as_json=as_json)
