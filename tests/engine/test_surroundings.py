"""What a card is told of its run: how far it came, and what it failed at."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.dag import Gate, Show, Task
from engine.model import Choice, RunId, RunState, TaskState
from engine.queries import checkpoint_view
from engine.steering import retry
from engine.store import checkpoints
from engine.views import CheckpointView
from tests.engine.running import ANA, Bench, gate, task

SECRET = "s3cret-value"
BUILD = task(
    "build", """echo '{"key": "s3cret-value"}' > "$SIGNOFF_OUTPUT"; cp "$SIGNOFF_OUTPUT" x"""
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def _asking() -> Task:
    asking = gate("release", "build", remind=())
    assert isinstance(asking.work, Gate)
    shown = (Show(label="Key", source="build__key", secret=True),)
    return replace(asking, work=replace(asking.work, show=shown))


async def _view(bench: Bench, run_id: RunId) -> CheckpointView:
    (asked,) = await bench.store.read(partial(checkpoints.listed, limit=9, run_id=run_id))
    view = await bench.store.read(partial(checkpoint_view, checkpoint_id=asked.id))
    assert view is not None
    return view


def _marks(view: CheckpointView) -> list[tuple[str, str]]:
    assert view.progress is not None
    return [(name, state.value) for stage in view.progress.stages for name, state in stage.tasks]


async def _failed(bench: Bench, ship: str, **more: object) -> RunId:
    """A run that was approved and then failed at `ship`."""
    run_id, _ = await bench.run(BUILD, _asking(), task("ship", ship, "release", **more))
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.FAILED
    return run_id


async def test_a_view_shows_the_tasks_around_the_checkpoint(bench: Bench) -> None:
    """What is done before it, itself, and what has not begun."""
    run_id, _ = await bench.run(BUILD, _asking(), task("ship", "true", "release"))
    view = await _view(bench, run_id)
    assert _marks(view) == [("build", "succeeded"), ("release", "waiting"), ("ship", "pending")]
    assert view.failure is None


async def test_the_end_of_a_run_is_news_for_the_card(bench: Bench) -> None:
    """Its copies should show another version than that of the approval, and are asked for."""
    run_id = await _failed(bench, "exit 3")
    view = await _view(bench, run_id)
    assert _marks(view)[-1] == ("ship", "failed")
    (posting,) = view.postings
    assert (view.checkpoint.version, posting.wanted_version) == (3, 3)


async def test_a_run_that_is_tried_again_is_news_too(bench: Bench) -> None:
    """A card must not go on saying that a task failed that runs again."""
    run_id = await _failed(bench, "exit 3")
    await bench.store.write(partial(retry, run_id=run_id, caller=ANA))
    view = await _view(bench, run_id)
    assert _marks(view)[-1] == ("ship", "pending")
    assert view.postings[0].wanted_version == 4
    assert view.failure is None


async def test_a_failure_says_why_at_which_try_and_its_last_words(bench: Bench) -> None:
    """The tries of the policy are counted, the last one told."""
    run_id = await _failed(
        bench, "echo too full; exit 3", retries=1, retry_delay=timedelta(seconds=0.01)
    )
    failure = (await _view(bench, run_id)).failure
    assert failure is not None
    assert (failure.task, failure.attempt, failure.attempts) == ("ship", 2, 2)
    assert "exit status 3" in failure.error
    assert failure.log_tail == "too full\n"


async def test_a_secret_of_the_card_is_not_in_the_last_words(bench: Bench) -> None:
    """Also of a task that was not given it, and so printed it as any other text."""
    run_id = await _failed(bench, "cat x; exit 3")
    assert SECRET in ((await bench.tasks(run_id))["ship"].log_tail or "")  # not known there
    failure = (await _view(bench, run_id)).failure
    assert failure is not None
    assert failure.log_tail == '{"key": "[redacted]"}\n'


async def test_what_was_cut_inside_a_line_begins_with_the_next(bench: Bench) -> None:
    """The rest of a secret would not be known as one."""
    print_much = f"printf '%s' {SECRET}; printf '%1990s\\n' x; echo end; exit 3"
    run_id = await _failed(bench, print_much)
    assert "value" in ((await bench.tasks(run_id))["ship"].log_tail or "")
    failure = (await _view(bench, run_id)).failure
    assert failure is not None
    assert failure.log_tail == "end\n"


async def test_a_run_that_was_rejected_failed_at_no_task(bench: Bench) -> None:
    """Nothing was tried, so there is nothing to tell of it."""
    run_id, _ = await bench.run(BUILD, _asking(), task("ship", "true", "release"))
    await bench.decide(run_id, Choice.REJECT)
    await bench.drive(run_id)
    view = await _view(bench, run_id)
    assert view.failure is None
    assert _marks(view)[-1] == ("ship", TaskState.SKIPPED.value)
