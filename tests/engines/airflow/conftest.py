"""One Airflow for all tests here: every DAG exported into it, and those of `dags`."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.airflow.server import Airflow, wait_for
from tests.engines.airflow.waking import Wakes, dags_that_wake
from tests.engines.ours import DAGS

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent / "dags"
THEIRS = 14  # DAGs in `dags`, and those that wake


@pytest.fixture(scope="session")
def wakes() -> Iterator[Wakes]:
    """A server that is woken."""
    with Wakes.listening() as wakes:
        yield wakes


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, wakes: Wakes) -> Iterator[Airflow]:
    """Airflow is up, and has read what `signoff export airflow` made of each DAG."""
    airflow = Airflow.installed(tmp_path_factory.mktemp("airflow"))
    files = [*sorted(DAGS.glob("*.yml")), ROOT / "docs/examples/publish-docs.yml"]
    for file in files:
        output = airflow.folder / "dags" / f"{file.stem}.py"
        command = ("export", "airflow", str(file), "--output", str(output))
        subprocess.run((sys.executable, "-m", "bot.cli", *command), cwd=ROOT, check=True)
    for file in HERE.glob("*.py"):
        shutil.copy(file, airflow.folder / "dags")
    airflow.folder.joinpath("dags/waking.py").write_text(dags_that_wake(wakes.url))
    with airflow.up():
        wait_for(lambda: len(airflow.dags()) == len(files) + THEIRS, 60, "some DAG is not there")
        yield airflow
