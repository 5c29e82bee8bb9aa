"""The plan: turns are taken, scripts exist, and what is not installed is left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bench import rounds
from tests.bench.engines import DBOS, LUIGI, SIGNOFF, Installed, NotInstalled, install
from tests.bench.plan import FULL, KEYS, QUICK, Contestant, Measurement, measurements
from tests.bench.process import ROOT, Told
from tests.bench.telling import Reading

EVERY = [contestant for part in measurements(FULL) for contestant in part.contestants]


@pytest.mark.parametrize("contestant", EVERY, ids=lambda it: f"{it.script[0]}-{it.line}")
def test_every_script_of_the_plan_is_there(contestant: Contestant) -> None:
    """A module below `tests.bench` answers to the name that the plan calls it by."""
    module, name = contestant.script
    source = (ROOT / "tests" / "bench" / f"{module.replace('.', '/')}.py").read_text()
    assert f'"{name}":' in source


def test_a_quick_bench_measures_the_same_rows() -> None:
    """Quick is smaller, never less."""
    full, quick = measurements(FULL), measurements(QUICK)
    assert [part.key for part in quick] == [part.key for part in full] == [*KEYS]
    assert all(part.rounds == 1 for part in quick)


def test_engines_take_turns_and_those_that_are_missing_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A B A B, so that a machine that gets slower gets slower for all of them."""

    def told(_python: Path, script: tuple[str, str], _sizes: Mapping[str, Any], **_: Any) -> Told:
        return Told((Reading(script[1], "s", (1.0,)),))

    monkeypatch.setattr(rounds, "measure", told)
    contestants = (
        Contestant("Signoff", SIGNOFF, ("a", "ours"), ""),
        Contestant("Signoff, PostgreSQL", SIGNOFF, ("a", "ours"), "", on_postgres=True),
        Contestant("DBOS", DBOS, ("a", "theirs"), ""),
        Contestant("Luigi", LUIGI, ("a", "theirs"), ""),
    )
    here = Installed(Path("python"), "1")
    plan = [Measurement("fan-out", "", contestants, 2)]
    said: list[str] = []
    results = list(rounds.take_turns(plan, {SIGNOFF: here, DBOS: here}, None, said.append))
    assert [result.contestant.line for result in results] == ["Signoff", "DBOS"] * 2
    assert said[0].startswith("fan-out 1/2  Signoff: 1.00 s")


def _environment(cache: Path, version: str) -> None:
    python = cache / "luigi" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)


def test_an_environment_with_a_pinned_version_is_used_again(tmp_path: Path) -> None:
    """Nothing is installed twice."""
    _environment(tmp_path, "3.8.1")
    said: list[str] = []
    found = install(LUIGI, tmp_path, said.append)
    assert found == Installed(tmp_path / "luigi" / "bin" / "python", "3.8.1")
    assert said == []


def test_a_peer_that_cannot_be_installed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pinned version was tried, and the last complaint is the reason."""
    _environment(tmp_path, "2.0.0")
    monkeypatch.setattr("tests.bench.engines._pip", lambda _, wanted: f"{wanted} is not served")
    said: list[str] = []
    found = install(LUIGI, tmp_path, said.append)
    assert found == NotInstalled("luigi==3.8.* is not served")
    assert len(said) == 1
