"""What commands print: tables on a terminal, plain columns in a pipe, JSON when asked."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import typer

from bot.literal import one_line, visible
from bot.times import duration, utc

_STYLES = {
    "approved": "green",
    "succeeded": "green",
    "ok": "green",
    "pending": "yellow",
    "paused": "yellow",
    "waiting": "yellow",
    "warn": "yellow",
    "rejected": "red",
    "failed": "red",
    "fail": "red",
    "expired": "magenta",
}


_LEAST_LAST = 16  # columns that the last one is given at least, before it wraps


def say(text: str = "") -> None:
    """A line on stdout."""
    typer.echo(visible(text))


def warn(text: str) -> None:
    """A line on stderr: beside the result, not part of it."""
    typer.echo(visible(text), err=True)


def emit(value: object) -> None:
    """A JSON document on stdout."""
    typer.echo(json.dumps(value, default=jsonable, ensure_ascii=False, indent=2))


def emit_line(value: object) -> None:
    """A JSON object on one line."""
    typer.echo(json.dumps(value, default=jsonable, ensure_ascii=False))


def jsonable(value: object) -> Any:
    """Times as ISO-8601 in UTC; everything else that JSON lacks as its text."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
        case frozenset() | set():
            return sorted(value)
        case _:
            return str(value)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Rows under headers, or the sentence that says there are none."""
    shown = [[one_line(cell) for cell in row] for row in rows]
    if not shown:
        say(empty)
    elif sys.stdout.isatty() and _fits(headers, shown):
        _rich_table(headers, shown)
    else:
        _plain_table(headers, shown)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]


def _fits(headers: Sequence[str], rows: list[list[str]]) -> bool:
    """Whether all but the last column, which may wrap, can be shown in full: ids are copied."""
    *fixed, last = _widths([headers, *rows])
    needed = sum(width + 2 for width in fixed) + min(last, _LEAST_LAST)
    return needed <= shutil.get_terminal_size().columns


def _rich_table(headers: Sequence[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    columns = [Column(header, no_wrap=header != headers[-1]) for header in headers]
    drawn = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        # Text, not markup: a prompt may hold square brackets.
        drawn.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console().print(drawn)


def _plain_table(headers: Sequence[str], rows: list[list[str]]) -> None:
    lines = [[header.upper() for header in headers], *rows]
    widths = _widths(lines)
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def details(pairs: Iterable[tuple[str, str]]) -> None:
    """Named facts, one a line; a fact of several lines is indented under its name."""
    named = list(pairs)
    width = max((len(name) for name, _ in named), default=0)
    for name, value in named:
        first, *more = visible(value).split("\n")
        typer.echo(f"  {name:<{width}}  {first}".rstrip())
        for line in more:
            typer.echo(f"  {'':<{width}}  {line}".rstrip())


@dataclass(frozen=True, slots=True)
class Moments:
    """Times as people read them, seen from one moment."""

    now: datetime

    def relative(self, at: datetime) -> str:
        """`in 3 h`, `5 min ago`."""
        is_past = at <= self.now
        span = duration(abs(at - self.now))
        return f"{span} ago" if is_past else f"in {span}"

    def both(self, at: datetime) -> str:
        """`in 3 h (2026-01-31 14:02 UTC)`."""
        return f"{self.relative(at)} ({utc(at)})"
