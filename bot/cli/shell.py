"""How commands behave alike: errors become one sentence and an exit code."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from bot.cli.exits import exit_of
from engine import InvalidDag, SignoffError


class SignoffGroup(TyperGroup):
    """The outermost command. What a person can read about is told without a traceback."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except SignoffError as error:
            tell(error)
            raise typer.Exit(exit_of(error)) from error


class KeyValueCommand(TyperCommand):
    """Takes `--kv a=1 b=2` as `--kv a=1 --kv b=2`, the way the older command line did."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read the arguments, several pairs to a flag."""
        return super().parse_args(ctx, spread_pairs(args))


def spread_pairs(args: list[str]) -> list[str]:
    """Repeat `--kv` before every further `key=value` that follows one."""
    spread: list[str] = []
    within = False
    for index, arg in enumerate(args):
        if arg == "--":
            return spread + args[index:]
        is_value = bool(spread) and spread[-1] == "--kv"
        if not is_value and within and "=" in arg and not arg.startswith("-"):
            spread.append("--kv")
        within = is_value or arg == "--kv" or arg.startswith("--kv=") or spread[-1:] == ["--kv"]
        spread.append(arg)
    return spread


def tell(error: SignoffError) -> None:
    """Say what went wrong on stderr. Problems of a DAG stand alone, so that editors find them."""
    lines = str(error).splitlines()
    prefix = "" if isinstance(error, InvalidDag) else "error: "
    for line in lines:
        typer.echo(f"{prefix}{line}", err=True)
