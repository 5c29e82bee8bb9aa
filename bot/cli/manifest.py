"""`signoff manifest`: the Slack app that this configuration needs."""

from typing import Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(manifest)


def manifest(
    *,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="URL",
            help="Slack reaches the bot here, instead of through Socket Mode: https://HOST.",
        ),
    ] = None,
    email: Annotated[
        bool,
        typer.Option("--email", help="DAG files name approvers by e-mail address."),
    ] = False,
    link: Annotated[
        bool,
        typer.Option("--link", help="Print the address at which Slack makes an app of it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the manifest of the Slack app, with only the scopes this configuration needs."""
    import json

    import yaml

    from bot.cli.output import say
    from bot.config import load_settings
    from bot.manifest import AppNeeds, creation_link, manifest_text
    from bot.named_by_email import names_by_email

    emails = email or names_by_email(load_settings())
    text = manifest_text(AppNeeds(url=_base(http), emails=emails))
    if link:
        say(creation_link(text))
    elif as_json:
        say(json.dumps(yaml.safe_load(text), indent=2))
    else:
        say(text.rstrip())


def _base(url: str | None) -> str | None:
    """Where Slack finds the bot, without a slash at the end; wrong usage ends the command."""
    from urllib.parse import urlsplit

    if url is None:
        return None
    parts = urlsplit(url)
    usable = parts.scheme == "https" and parts.hostname and not (parts.query or parts.fragment)
    if not usable or any(mark in url for mark in " \n\t#\"'"):
        typer.echo(
            f"error: --http {url!r} is not an https:// address; Slack calls no other", err=True
        )
        raise typer.Exit(Exit.USAGE)
    return url.rstrip("/")
