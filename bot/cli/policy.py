"""`signoff policy`: what a DAG file's policies come to."""

import typer

from bot.cli import policy_auto

app = typer.Typer(help="Policies: auto.", no_args_is_help=True)
policy_auto.register(app)


@app.callback()
def policy() -> None:
    """Policies: auto."""
