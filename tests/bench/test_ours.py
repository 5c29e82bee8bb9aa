"""Our own rows, as small as they can be: each script measures what it says."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine import RunState, listed_runs
from tests.bench.ours import driving, graphs, resuming
from tests.bench.ours.copies import copy_run
from tests.bench.ours.installation import installation
from tests.bench.telling import Reading, Script


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script measures in the folder it was started in."""
    monkeypatch.chdir(tmp_path)


def told(script: Script, **sizes: Any) -> dict[tuple[str, str], Reading]:
    """What one of our scripts measures, by row and line."""
    return {(reading.row, reading.line): reading for reading in script(sizes)}


@pytest.mark.parametrize("script", [driving.fan_out, driving.fan_out_commands, driving.chain])
def test_a_graph_is_driven_to_its_end(script: Script) -> None:
    """The reading covers every task, and none is left."""
    reading = told(script, row="graph", tasks=3, within_s=30)["graph", ""]
    assert (reading.tasks, reading.left, len(reading.values)) == (3, 0, 1)


def test_a_graph_is_stopped_when_the_time_is_over() -> None:
    """What was not done then is told, not guessed."""
    reading = told(driving.fan_out, row="graph", tasks=200, within_s=0.01)["graph", ""]
    assert reading.left > 0
    assert reading.tasks + reading.left == 200


def test_a_graph_is_driven_among_finished_runs() -> None:
    """The file holds many runs before the one that is measured."""
    found = told(driving.history, row="among", tasks=2, runs=50, within_s=30)
    assert found["among", ""].tasks == 2


@pytest.mark.parametrize("script", [resuming.function, resuming.command])
def test_a_decision_is_followed_by_the_next_task(script: Script) -> None:
    """A worker in its own process starts the task after the decision was made in another."""
    reading = told(script, row="decision", times=2)["decision", ""]
    assert len(reading.values) == 2


def test_a_copy_of_a_run_is_a_run_of_its_own(tmp_path: Path) -> None:
    """Copies have ids, tasks, checkpoints and deadlines of their own, and one can be approved."""

    async def copied() -> None:
        async with installation(tmp_path) as signoff:
            paused = await signoff.driven(graphs.gated_function(tmp_path / "started"))
            await copy_run(signoff.store, paused, 3)
            every = await signoff.store.read(lambda tx: listed_runs(tx, limit=10))
            assert [run.state for run in every] == [RunState.PAUSED] * 4
            asked = {(await signoff.paused(run.id)).id for run in every}
            assert len(asked) == 4

    asyncio.run(copied())
