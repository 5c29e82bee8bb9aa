"""`signoff demo` and `signoff sandbox`: Signoff without a Slack workspace."""

import runpy
import sys
from enum import StrEnum
from typing import Annotated

import typer


class Auto(StrEnum):
    """What the demo answers by itself."""

    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )(sandbox)


def demo(
    *,
    auto: Annotated[Auto | None, typer.Option("--auto", help="Answer by itself and end.")] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of the local Slack; 0 takes any.")
    ] = 0,
) -> None:
    """Try it: a local Slack, the bot, a DAG."""
    from bot.demo import run_demo

    raise typer.Exit(run_demo(None if auto is None else auto.value, port))


def sandbox(context: typer.Context) -> None:
    """Run the local Slack alone."""
    sys.argv = ["signoff sandbox", *context.args]
    runpy.run_module("bot.sandbox", run_name="__main__")
