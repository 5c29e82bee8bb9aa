"""What is exported is a DAG that Airflow loads and stores, and its schedule is the same."""

import json
import os
import subprocess
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from engine.dag import Schedule
from engine.dagfile import Defaults, parse
from engine.export.airflow import to_airflow
from engine.export.airflow_limits import cron_for_airflow
from engine.export.places import Places
from engine.export.result import Exported
from engine.export.source import Source
from engine.ticks import ticks
from tests.engine.test_export_airflow import CARRIED
from tests.engines.airflow.server import PYTHON

INSIDE = Path(__file__).with_name("inside.py")
DAILY = 'name: d\nschedule: "0 6 * * *"\ntasks: [{id: a, run: x}]'
CRONS = [
    *("0 6 * * *", "*/7 * * * *", "5-50/15 8-18/2 * * mon-fri", "0 0 1,15 * *", "0 12 13 * fri"),
    *("30 2 L * *", "0 0 * * fri#2", "0 0 * * 5L", "0 0 * jan,jul 0", "0 0 * * 7", "0 0 29 2 *"),
    *("0 0 1-7 */3 *", "15 23 * * sun,wed", "0 9 * 2-4 1-5"),
]


def ask(folder: Path, **asked: Any) -> dict[str, Any]:
    """What the script says, in Airflow's environment, with nothing set up but a folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AIRFLOW_HOME": str(folder)}
    done = subprocess.run(
        [str(PYTHON), str(INSIDE)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def export(text: str, file: Path) -> str:
    """Export the text of a DAG file; returns where to."""
    dag = parse(text, source="d.yml", directory="/srv/dags", defaults=Defaults())
    outcome = to_airflow(Source("d.yml", dag, Places.of(text)))
    assert isinstance(outcome, Exported)
    file.write_text(outcome.text, encoding="utf-8")
    return str(file)


def test_every_key_makes_a_dag_that_airflow_stores(tmp_path: Path) -> None:
    """Each way to say something is one that Airflow's own classes take."""
    texts = [text for text, _, _ in CARRIED.values()]
    files = [export(text, tmp_path / f"dag{at}.py") for at, text in enumerate(texts)]
    answer = ask(tmp_path, files=files)
    for text, ids in zip(texts, answer["files"], strict=True):
        dag = parse(text, source="d.yml", directory="/", defaults=Defaults())
        assert {task.id for task in dag.tasks} <= set(ids)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
def test_a_schedule_strikes_at_the_same_times(timezone: str, tmp_path: Path) -> None:
    """Where no clock changes, both engines read a cron text alike."""
    after = datetime(2026, 5, 3, 10, 30, tzinfo=UTC)
    asked = [(cron_for_airflow(cron), timezone, after.isoformat(), 6) for cron in CRONS]
    theirs = ask(tmp_path, ticks=asked)["ticks"]
    for cron, found in zip(CRONS, theirs, strict=True):
        ours = list(islice(ticks(Schedule(cron=cron, timezone=timezone), after), 6))
        assert [datetime.fromisoformat(tick) for tick in found] == ours, cron


def test_a_missed_tick_is_let_go_unless_somebody_asks_for_it(tmp_path: Path) -> None:
    """Two minutes are the limit, as here; a cleared run and one of a person are always on time."""
    runs = [
        ("scheduled", 119, 0),
        ("scheduled", 121, 0),
        ("scheduled", 9_000, 1),
        ("manual", 9_000, 0),
    ]
    answer = ask(tmp_path, files=[export(DAILY, tmp_path / "daily.py")], late=runs)
    assert answer["on_time"] == [True, False, True, True]
