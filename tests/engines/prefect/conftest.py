"""Prefect in an environment of its own, made once below `.engines`; one server for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.engines import PREFECT, NotInstalled, install
from tests.engines.prefect.server import Prefect, server

_CACHE = Path(__file__).parents[3] / ".engines"


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
