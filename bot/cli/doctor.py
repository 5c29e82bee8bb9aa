"""`signoff doctor`: what is configured, what is missing, what to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

if TYPE_CHECKING:
    from bot.cli.findings import Check
    from bot.config import Settings
    from engine import Store

LONGEST_WAIT_S = 600


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    live: Annotated[
        bool,
        typer.Option("--live", help="Post a button in Slack, and wait for somebody to press it."),
    ] = False,
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Where --live posts, instead of the default channel."),
    ] = None,
    wait: Annotated[
        int,
        typer.Option("--wait", min=1, max=LONGEST_WAIT_S, help="Seconds that --live waits."),
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Say what is missing and what to do; exit 1 when it is needed."""
    from bot.cli.checks import examine
    from bot.cli.findings import checks_json, is_well, show_checks
    from bot.cli.output import emit

    found = examine()
    if not as_json:
        show_checks(found)
    if live and is_well(found):
        found += _try_live(channel, wait, quiet=as_json)
    elif live and not as_json:
        typer.echo("\nNothing was posted: correct this first.", err=True)
    if as_json:
        emit(checks_json(found))
    if not is_well(found):
        raise typer.Exit(Exit.REFUSED)


def _try_live(channel: str | None, wait: int, *, quiet: bool) -> "list[Check]":
    """The steps of the click test, each told as it is done unless `quiet`."""
    import asyncio

    from bot.cli.click_test import click_test
    from bot.cli.findings import show_step
    from bot.cli.session import session

    async def steps(settings: "Settings", store: "Store") -> "list[Check]":
        done = []
        async for step in click_test(settings, store, channel, wait):
            done.append(step)
            if not quiet:
                show_step(step)
        return done

    with session(with_roles=True) as now:
        return asyncio.run(steps(now.settings, now.store))
