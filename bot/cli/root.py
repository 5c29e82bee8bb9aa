"""The whole command line, put together."""

import sys
from typing import Annotated

import typer

from bot.cli import (
    audit,
    backends,
    checkpoints,
    dag,
    dags,
    db,
    demo,
    doctor,
    export,
    init,
    manifest,
    people,
    policy,
    reviews,
    roles,
    runs,
    serve,
    standstill,
)
from bot.cli.exits import EPILOG
from bot.cli.shell import SignoffGroup

app = typer.Typer(
    name="signoff",
    cls=SignoffGroup,
    help="Slack approvals for paused DAGs.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"signoff {version('signoff')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """Slack approvals for paused DAGs."""
    del version


init.register(app)
manifest.register(app)
doctor.register(app)
runs.register(app)
standstill.register(app)
app.add_typer(dag.app, name="dag")
app.add_typer(dags.app, name="dags")
app.add_typer(export.app, name="export")
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(reviews.app, name="reviews")
app.add_typer(policy.app, name="policy")
app.add_typer(roles.app, name="roles")
app.add_typer(people.app, name="people")
app.add_typer(backends.app, name="backends")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")
serve.register(app)
demo.register(app)


def main() -> None:
    """Run the command line: the entry point of `signoff`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an old terminal must not end a command
    app()
