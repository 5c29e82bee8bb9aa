"""What the thread is told of the end of a run."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings

from bot.outcomes import run_result
from engine import CheckpointView, Failure, RunCause, RunState, TaskId
from tests.bot import hostile
from tests.bot.views import DECIDED_AT, approved, assert_message, rejected, run, words

OVER = DECIDED_AT + timedelta(minutes=3)
LOG = "\n".join(f"line {number}" for number in range(40)) + "\n"


def _failed(**changes: object) -> CheckpointView:
    over = run(RunState.FAILED, RunCause.TASK_FAILED, because="ship", ended_at=OVER)
    said = {"error": "ended with exit status 1", "attempt": 2, "attempts": 3, "log_tail": LOG}
    failure = Failure(task=TaskId("ship"), **{**said, **changes})  # type: ignore[arg-type]
    return replace(approved(of_run=over), failure=failure)


def test_a_failure_names_the_task_why_the_try_and_what_it_printed_last() -> None:
    """Whoever approved sees without leaving Slack what went wrong."""
    told = run_result(_failed())
    assert_message(told)
    read = words(told.blocks)
    assert "❌ Run of deploy failed after approval: task ship: ended with exit status 1" in read
    assert "attempt 2 of 3" in read
    assert "3 min after the approval" in read
    assert read.endswith("\n".join(f"line {number}" for number in range(30, 40)))
    assert told.blocks[-1]["elements"][0]["type"] == "rich_text_preformatted"


def test_the_log_is_not_read_aloud() -> None:
    """A notification has room for what happened, not for its traces."""
    told = run_result(_failed())
    assert "ended with exit status 1" in told.text
    assert "line 39" not in told.text


def test_a_task_with_one_try_counts_none() -> None:
    """`attempt 1 of 1` tells nothing."""
    assert "attempt" not in words(run_result(_failed(attempt=1, attempts=1)).blocks)


def test_a_task_that_printed_nothing_shows_no_log() -> None:
    """Neither does one that printed only blanks."""
    for printed in ("", " \n\n"):
        assert len(run_result(_failed(log_tail=printed)).blocks) == 2


def test_long_lines_are_cut_from_their_beginning() -> None:
    """The end of a log says most."""
    told = run_result(_failed(log_tail="x" * 1_900 + "the end"))
    assert_message(told)
    assert words(told.blocks).endswith("the end")
    assert len(words(told.blocks)) < 1_500
    assert words(run_result(_failed(log_tail="𝔘" * 1_900)).blocks).endswith("…" + "𝔘" * 599)


def test_a_success_says_how_long_it_took() -> None:
    """Counted from the answer that people were waiting to see the effect of."""
    told = run_result(approved(of_run=run(RunState.SUCCEEDED, ended_at=OVER)))
    read = words(told.blocks)
    assert "✅ Run of deploy succeeded" in read
    assert "3 min after the approval" in read


def test_a_reject_path_that_failed_is_not_said_to_have_been_approved() -> None:
    """The words follow the end of the checkpoint."""
    failed = _failed()
    told = run_result(replace(rejected(of_run=failed.run), failure=failed.failure))
    assert "failed after rejection: task ship" in words(told.blocks)


@given(hostile.view())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_a_task_prints_slack_takes_the_message(view: CheckpointView) -> None:
    """And nothing in it can act."""
    assert_message(run_result(view))
