"""The DAGs of the folder as a terminal and a script get them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bot.cli.json_views import run_json
from bot.cli.output import Moments, table, warn
from bot.times import utc
from engine import Filed, Run, Schedule, Shelf, local_time, schedule_in_words, ticks_of

LastRuns = Mapping[tuple[str, str], Run | None]

_NEXT = 3
_NONE = "-"


def show_shelf(shelf: Shelf, last: LastRuns, moments: Moments, home: Path) -> None:
    """A row for each DAG; what is broken comes after it, on stderr."""
    table(
        ("dag", "tenant", "file", "last run", "next", "schedule"),
        [
            (
                one.dag.name,
                one.dag.tenant,
                _place(one.file, home),
                _last(last[one.key], moments),
                _next(one.dag.schedule, moments.now),
                _NONE if one.dag.schedule is None else schedule_in_words(one.dag.schedule),
            )
            for one in shelf.filed
        ],
        empty="No DAGs.",
    )
    for invalid in shelf.broken:
        warn(str(invalid))


def shelf_json(shelf: Shelf, last: LastRuns, moments: Moments) -> dict[str, Any]:
    """What `signoff dags list --json` prints."""
    return {
        "dags": [_dag_json(one, last[one.key], moments.now) for one in shelf.filed],
        "broken": [
            {
                "file": invalid.source,
                "problems": [{"line": p.line, "message": p.message} for p in invalid.problems],
            }
            for invalid in shelf.broken
        ],
    }


def _dag_json(one: Filed, last: Run | None, now: datetime) -> dict[str, Any]:
    schedule = one.dag.schedule
    return {
        "dag": one.dag.name,
        "tenant": one.dag.tenant,
        "file": one.file,
        "schedule": None if schedule is None else _schedule_json(schedule),
        "next": []
        if schedule is None
        else [_tick_json(schedule, at) for at in _ticks(schedule, now)],
        "last_run": None if last is None else run_json(last),
    }


def _schedule_json(schedule: Schedule) -> dict[str, Any]:
    return {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "catch_up": schedule.catch_up,
        "words": schedule_in_words(schedule),
    }


def _tick_json(schedule: Schedule, at: datetime) -> dict[str, Any]:
    return {"at": at, "local": local_time(schedule, at).isoformat()}


def _ticks(schedule: Schedule, now: datetime) -> list[datetime]:
    return list(islice(ticks_of(schedule, now), _NEXT))


def _place(file: Path, home: Path) -> str:
    return str(file.relative_to(home) if file.is_relative_to(home) else file)


def _last(run: Run | None, moments: Moments) -> str:
    return _NONE if run is None else f"{run.state.value} {moments.relative(run.created_at)}"


def _next(schedule: Schedule | None, now: datetime) -> str:
    if schedule is None or not (following := _ticks(schedule, now)):
        return _NONE
    there = local_time(schedule, following[0])
    if there.tzinfo is UTC:
        return utc(following[0])
    return f"{there:%Y-%m-%d %H:%M} {there.tzname()} ({utc(following[0])})"
