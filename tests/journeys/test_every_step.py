"""Death at every step: whatever was written when a process dies, the run ends as it should."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.storm, pytest.mark.timeout(240)]

TASKS = ["fetch", "build", "lint", "test", "ship", "tell", "smoke", "open", "mail", "tidy"]
_LEAST_STEPS = 12  # commits of the run: one a turn at the least


def deaths(folder: Path, on_interrupt: str, when: str, stride: int = 1) -> list[dict[str, Any]]:
    """What came of a run whose process died at its first commit, at a later one, and so on."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.journeys.every_step"),
            *(str(folder), on_interrupt, when, str(stride)),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=220,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [death["died"] for death in told] == [True] * (len(told) - 1) + [False]
    assert told[-1]["commit"] > _LEAST_STEPS
    return told


def interrupted(death: dict[str, Any]) -> set[str]:
    """The tasks that were running when the process died."""
    return {task for task, _, event in death["journal"] if event == "interrupted"}


def check_record(death: dict[str, Any]) -> None:
    """Nothing is asked, decided, ended or finished twice, and nothing runs after its end."""
    assert death["chain"] == "Verified"
    assert death["runs_ended"] == 1
    assert len(death["asked"]) == len(set(death["asked"])) == death["decisions"] == death["ends"]
    for task in TASKS:
        happened = [event for name, _, event in death["journal"] if name == task]
        assert happened.count("succeeded") <= 1
        assert "succeeded" not in happened[:-1]
        attempts = [n for name, n, event in death["journal"] if (name, event) == (task, "started")]
        assert attempts == list(range(1, len(attempts) + 1))


# Right before a commit is right after the one before it, but for what tasks did meanwhile.
@pytest.mark.parametrize(("when", "stride"), [("before", 2), ("after", 1)])
def test_a_run_goes_on_after_death_at_any_step(tmp_path: Path, when: str, stride: int) -> None:
    """With `on_interrupt: retry` the run ends as if nothing had happened.

    Every task leaves its line, once; only one that was at work at that moment may leave two.
    """
    told = deaths(tmp_path, "retry", when, stride)
    undisturbed = told[-1]
    assert sorted(undisturbed["effects"]) == sorted(TASKS)
    for death in told:
        check_record(death)
        assert death["state"] == "succeeded"
        assert death["asked"] == ["approve", "confirm"]
        assert death["outputs"] == undisturbed["outputs"]
        lines = Counter(death["effects"])
        assert set(lines) == set(TASKS)
        assert {task for task, count in lines.items() if count > 1} <= interrupted(death)
        for parent, child in (("fetch", "build"), ("test", "ship"), ("smoke", "open")):
            assert death["effects"].index(parent) < death["effects"].index(child)


def test_nothing_runs_twice_that_may_not(tmp_path: Path) -> None:
    """By default no task ever leaves two lines; one that was interrupted says so and has failed."""
    told = deaths(tmp_path, "fail", "after", stride=2)
    undisturbed = told[-1]
    assert any(interrupted(death) for death in told)
    for death in told:
        check_record(death)
        assert len(death["effects"]) == len(set(death["effects"]))
        for task in interrupted(death):
            assert death["tasks"][task] == ["failed", "interrupted: the worker died while it ran"]
        if interrupted(death):
            assert death["state"] == "failed"
        else:
            assert death["state"] == "succeeded"
            assert sorted(death["effects"]) == sorted(undisturbed["effects"])
