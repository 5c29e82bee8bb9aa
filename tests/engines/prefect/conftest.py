"""Prefect in an environment of its own, made once below `.engines`; one server for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.engines import PREFECT, NotInstalled, install
from tests.engines.prefect.server import Prefect, server
from tests.engines.prefect.stage import Gates

_HERE = Path(__file__).parent
_CACHE = _HERE.parents[2] / ".engines"


@pytest.fixture(scope="session")
def prefect_python() -> Path:
    """The interpreter that has Prefect."""
    installed = install(PREFECT, _CACHE, print)
    assert not isinstance(installed, NotInstalled), installed.reason
    return installed.python


@pytest.fixture(scope="session")
def prefect(prefect_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """A server that is up."""
    with server(prefect_python, tmp_path_factory.mktemp("prefect")) as running:
        yield running


@pytest.fixture(scope="session")
def gates(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gates]:
    """Flows with gates, served by one process."""
    with prefect.serving(_HERE / "gated.py", "pausing"):
        yield Gates(prefect, tmp_path_factory.mktemp("reports"))
