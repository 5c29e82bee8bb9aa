"""`signoff pause` and `signoff unpause`: the emergency stop of everything."""

import typer

from bot.cli.options import ReasonOption


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(pause)
    app.command()(unpause)


def pause(*, reason: ReasonOption = "") -> None:
    """Stop everything: no run starts or goes on until `signoff unpause`."""
    from bot.cli.stopping import stop

    stop(reason)


def unpause() -> None:
    """Let runs start and go on again."""
    from bot.cli.stopping import go_on

    go_on()
