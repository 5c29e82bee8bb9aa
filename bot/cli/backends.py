"""`signoff backends`: the engines elsewhere whose gates are asked about here."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.backend_settings import BackendSettings
    from bot.config import Settings

app = typer.Typer(help="Other engines: list, check.", no_args_is_help=True)


@app.command("list")
def list_backends(*, as_json: JsonOption = False) -> None:
    """List the engines that signoff.toml names, and when each was last read."""
    from bot.cli.backends_text import backends_json, show_backends
    from bot.cli.output import emit
    from bot.cli.session import session
    from engine import backend_statuses

    with session() as now:
        statuses = now.read(backend_statuses)
        if as_json:
            emit(backends_json(now.settings.backends, statuses, now.moments))
        else:
            show_backends(now.settings.backends, statuses, now.moments)


@app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which one; by default all.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Connect to other engines and say whether they can be used; exit 1 when one cannot.

    Answers nothing there.
    """
    import os

    from bot.cli.backend_checks import ask_backends, lags
    from bot.cli.findings import checks_json, is_well, show_checks
    from bot.cli.output import emit
    from bot.cli.session import session
    from engine import backend_statuses

    with session() as now:
        named = _named(now.settings, name)
        checks = [
            *ask_backends(named, now.store.clock, os.environ),
            *lags(named, now.read(backend_statuses), now.store.clock.now()),
        ]
    checks.sort(key=lambda found: found.name)
    if as_json:
        emit(checks_json(checks))
    else:
        show_checks(checks)
    if not is_well(checks):
        raise typer.Exit(Exit.REFUSED)


def _named(settings: "Settings", name: str | None) -> "Sequence[BackendSettings]":
    from bot.toml_reader import did_you_mean
    from engine import InvalidSettings

    named = [one for one in settings.backends if name in (None, one.name)]
    if named:
        return named
    if name is None:
        told = "no backends: say [backends.NAME] (docs/reference/settings.md)"
        raise InvalidSettings(f"{settings.config_path} names {told}")
    near = did_you_mean(name, tuple(one.name for one in settings.backends))
    raise InvalidSettings(f"{settings.config_path} names no backend {name!r}{near}")
