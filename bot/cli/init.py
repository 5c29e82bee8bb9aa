"""`signoff init`: a configuration and a first DAG, ready to run, and the way to Slack."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit

if TYPE_CHECKING:
    from bot.cli.asking import SlackAnswers

_NO_SLACK = "Signoff runs without Slack, too. Connect it to a workspace now?"
_LEAVES_ENV = (
    "slack.env holds the tokens: it is yours alone to read. Keep it out of version control."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    *,
    folder: Annotated[
        Path, typer.Option("--dir", file_okay=False, help="Where to write.")
    ] = Path(),
    slack: Annotated[
        bool | None,
        typer.Option(
            "--slack/--no-slack",
            help="Ask for Slack's tokens, a channel and an Admin; by default, on a terminal, "
            "whether to.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a signoff.toml, an example DAG and an audit key; ask for the tokens of Slack."""
    import sys

    from bot.cli.output import say, warn
    from bot.cli.starting_files import files_of, write_files

    names = ["signoff.toml", "hello.yml", *(["slack.env"] if slack else [])]
    there = [path for path in (folder / name for name in names) if path.exists()]
    if there and not force:
        for path in there:
            warn(f"error: {path} is there already; --force replaces it")
        raise typer.Exit(Exit.REFUSED)
    if slack is None:
        slack = sys.stdin.isatty() and sys.stdout.isatty() and typer.confirm(_NO_SLACK)
    answers = _answers() if slack else None
    try:
        for path in write_files(folder, files_of(answers)):
            say(f"wrote {path}")
    except OSError as error:
        warn(f"error: cannot write to {folder}: {error.strerror}")
        raise typer.Exit(Exit.REFUSED) from error
    _make_key()
    _say_next(folder, answers)


def _make_key() -> None:
    """The key that audit heads are signed with, unless there is one: it is for all folders."""
    from bot.cli.output import say, warn
    from bot.config import load_settings
    from engine import make_head_key

    path = load_settings().audit.key
    try:
        key = make_head_key(path)
    except FileExistsError:
        return
    except OSError as error:
        warn(f"note: audit heads stay unsigned: {path} cannot be written ({error.strerror})")
        return
    say(f"wrote {path}: audit heads are signed with it. Auditors need its public half:")
    say(f"  {key.public.hex}")


def _answers() -> "SlackAnswers":
    from bot.cli.asking import ask_for_slack
    from bot.environment import Environment

    return ask_for_slack(Environment().SLACK_API_URL)


def _say_next(folder: Path, answers: "SlackAnswers | None") -> None:
    from bot.cli.output import say

    if answers is None or answers.bot_token is None:
        say(f"Next: signoff run {folder / 'hello.yml'}")
        return
    say(_LEAVES_ENV)
    say("Next, in this order:")
    say(f"  set -a; . {folder / 'slack.env'}; set +a" if folder != Path() else _SOURCE)
    say("  signoff doctor --live    # posts a button, and waits for your click")
    say("  signoff serve            # the bot; leave it running")
    say(f"  signoff run {folder / 'hello.yml'} --wait    # in another terminal")


_SOURCE = "  set -a; . ./slack.env; set +a"
