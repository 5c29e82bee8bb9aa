"""An exported DAG runs on Airflow as it runs here."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.model import Choice
from tests.engines.airflow.runs import Run
from tests.engines.airflow.server import ADMIN, Airflow, wait_for
from tests.engines.ours import Answer, drive

YES = Answer(Choice.APPROVE, {"window": "tonight", "day": "2026-01-31"})
NO = Answer(Choice.REJECT)

# What is answered to each DAG. All are started before the first is looked at.
STORIES = {
    "release, approved": ("release", YES),
    "release, rejected": ("release", NO),
    "a deadline with a way out": ("deadline-with-a-way-out", None),
    "a deadline": ("deadline", None),
    "plain, approved": ("plain", Answer(Choice.APPROVE, {"size": 2.5})),
    "plain, rejected": ("plain", NO),
}


@pytest.fixture(scope="module")
def runs(airflow: Airflow) -> dict[str, Run]:
    """The run of every story, started."""
    return {story: Run.started(airflow, name) for story, (name, _) in STORIES.items()}


@pytest.mark.parametrize("story", STORIES)
async def test_it_ends_as_it_does_here(story: str, runs: dict[str, Run], tmp_path: Path) -> None:
    """The question, the run, each task, and all that a task left are the same on both engines."""
    name, answer = STORIES[story]
    ours = await drive(name, answer, tmp_path)
    if answer is not None:
        filled_in = {**answer.inputs, "reason": "because"}
        question = runs[story].answer(answer.choice, filled_in)
        body = (question["body"] or "").partition("\n\n")[0]
        assert f"{question['subject']}\n{body}".strip() == ours.asked.strip()
    assert runs[story].ends() == ours


def test_a_log_tells_what_was_printed_but_no_secret(runs: dict[str, Run]) -> None:
    """The lines of a command are in the log of its task; what is secret is masked."""
    run = runs["release, approved"]
    run.ends()
    assert "ended with exit status 3" in run.log("broken")
    assert "sesame-for-tests" not in run.log("check")


def test_whoever_started_a_run_does_not_decide_about_it(airflow: Airflow) -> None:
    """Airflow takes the answer; the checkpoint fails, says why, and nothing goes on."""
    run = Run.started(airflow, "plain")
    run.answer(Choice.APPROVE, {"size": 1}, by=ADMIN)
    ends = run.ends()
    assert (ends.run, ends.tasks) == ("failed", {"ask": "failed", "use": "skipped"})
    assert "started this run and may not decide" in run.log("ask", run.attempts("ask"))


def test_an_answer_that_does_not_fit_approves_nothing(airflow: Airflow) -> None:
    """Whatever Airflow takes: without a required input that fits nothing goes on."""
    forms: list[dict[str, Any]] = [{}, {"size": None}, {"size": "many"}, {"color": "red"}]
    started = [(Run.started(airflow, "plain"), form) for form in forms]
    for run, form in started:
        run.answer(Choice.APPROVE, form)
    for run, _ in started:
        ends = run.ends()
        assert (ends.run, ends.tasks) == ("failed", {"ask": "failed", "use": "skipped"})


def test_a_lost_worker_is_followed_by_an_attempt_only_where_that_is_safe(
    airflow: Airflow, tmp_path: Path
) -> None:
    """`on_interrupt: fail` keeps a command from running twice, though `retries` are left."""
    run = Run.started(airflow, "interrupted", {"folder": str(tmp_path)})
    for name in ("once", "again"):
        note = tmp_path / name
        wait_for(note.exists, 60, f"{name} does not run")
        runner, command = map(int, note.read_text().split())
        os.kill(runner, signal.SIGKILL)  # Airflow's own process of this one task
        with suppress(ProcessLookupError):
            os.killpg(command, signal.SIGKILL)
    ends = run.ends()
    assert (ends.run, ends.tasks) == ("failed", {"once": "failed", "again": "succeeded"})
    assert [run.attempts(name) for name in ("once", "again")] == [2, 2]
    assert "its worker was lost" in run.log("once", 2)
