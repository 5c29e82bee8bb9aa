"""Run by the interpreter of Airflow's environment: questions that need no server.

Reads a JSON object from stdin, writes one to stdout. Standard library and Airflow only.
"""

import importlib.util
import json
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow.sdk.timezone import parse as moment_of
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable


def main() -> None:
    """Answer what is asked."""
    asked = json.load(sys.stdin)
    answer: dict[str, Any] = {"files": [stored(file) for file in asked.get("files", [])]}
    answer["ticks"] = [ticks(*schedule) for schedule in asked.get("ticks", [])]
    if "late" in asked:
        answer["on_time"] = [is_on_time(asked["files"][0], *run) for run in asked["late"]]
    json.dump(answer, sys.stdout)


def module_of(file: str) -> Any:
    """The module of a DAG file."""
    spec = importlib.util.spec_from_file_location("exported", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stored(file: str) -> list[str]:
    """Load a DAG as Airflow does, and store it; returns the ids of its tasks."""
    dag = module_of(file).dag
    dag.validate()
    dag.check_cycle()
    DagSerialization.to_dict(dag)
    return sorted(dag.task_ids)


def ticks(cron: str, timezone: str, after: str, count: int) -> list[str]:
    """The next ticks of a schedule, as Airflow sees them."""
    timetable = CronTriggerTimetable(cron, timezone=timezone)
    restriction = TimeRestriction(earliest=None, latest=None, catchup=True)
    last = moment_of(after)
    found = []
    for _ in range(count):
        interval = DataInterval(last, last)
        following = timetable.next_dagrun_info(
            last_automated_data_interval=interval, restriction=restriction
        )
        last = following.run_after
        found.append(last.isoformat())
    return found


def is_on_time(file: str, kind: str, late_s: float, clear_number: int) -> bool:
    """Whether a run that starts so late is let through."""
    planned = datetime.fromisoformat("2026-06-01T06:00:00+00:00")
    begun = planned + timedelta(seconds=late_s)
    run = SimpleNamespace(
        run_type=kind, run_after=planned, start_date=begun, clear_number=clear_number
    )
    return bool(module_of(file).is_on_time(run))


if __name__ == "__main__":
    main()
