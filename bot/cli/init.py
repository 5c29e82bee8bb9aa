"""`signoff init`: a configuration and a first DAG, ready to run."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.exits import Exit


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    *,
    folder: Annotated[
        Path, typer.Option("--dir", file_okay=False, help="Where to write.")
    ] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a signoff.toml and an example DAG."""
    from bot.cli.output import say, warn
    from bot.cli.session import os_caller
    from bot.cli.starter import HELLO, SIGNOFF_TOML

    user = os_caller().identity.subject
    files = {
        folder / "signoff.toml": SIGNOFF_TOML.replace("{user}", user),
        folder / "hello.yml": HELLO,
    }
    there = [path for path in files if path.exists()]
    if there and not force:
        for path in there:
            warn(f"error: {path} is there already; --force replaces it")
        raise typer.Exit(Exit.REFUSED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            path.write_text(content, encoding="utf-8")
            say(f"wrote {path}")
    except OSError as error:
        warn(f"error: cannot write to {folder}: {error.strerror}")
        raise typer.Exit(Exit.REFUSED) from error
    say(f"Next: signoff run {folder / 'hello.yml'}")
