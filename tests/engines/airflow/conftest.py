"""One Airflow for all tests here, with every DAG exported into it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.airflow.server import Airflow, wait_for
from tests.engines.ours import DAGS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow is up, and has read what `signoff export airflow` made of each DAG."""
    airflow = Airflow.installed(tmp_path_factory.mktemp("airflow"))
    files = [*sorted(DAGS.glob("*.yml")), ROOT / "docs/examples/publish-docs.yml"]
    for file in files:
        output = airflow.folder / "dags" / f"{file.stem}.py"
        command = ("export", "airflow", str(file), "--output", str(output))
        subprocess.run((sys.executable, "-m", "bot.cli", *command), cwd=ROOT, check=True)
    with airflow.up():
        wait_for(lambda: len(airflow.dags()) == len(files), 60, "some DAG is not there")
        yield airflow
