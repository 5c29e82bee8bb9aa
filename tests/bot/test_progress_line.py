"""The line of a card that shows how far its run has come."""

from dataclasses import replace

import pytest

from bot.cards import approval_card
from bot.progress_line import MARKS, line
from engine import CheckpointView, Progress, RunState, Stage, TaskId, TaskState
from tests.bot.views import approved, assert_message, expired, rejected, run, waiting, words

APPROVE = "approve_release"


def _stage(*tasks: tuple[str, str], more: int = 0) -> Stage:
    return Stage(tuple((TaskId(name), TaskState(state)) for name, state in tasks), more)


def _of(
    view: CheckpointView, here: str, after: str, *, before: int = 0, beyond: int = 0
) -> CheckpointView:
    stages = (
        _stage(("build", "succeeded")),
        _stage(("lint", "succeeded"), ("test", "succeeded")),
        _stage((APPROVE, here)),
        _stage(("deploy", after), ("notify", "skipped" if after == "failed" else after)),
    )
    return replace(view, progress=Progress(stages, before, beyond))


def test_a_waiting_card_shows_what_is_done_and_what_comes_next() -> None:
    """One line, tasks of one stage beside each other."""
    view = _of(waiting(), "waiting", "pending")
    shown = "✅ build → ✅ lint + ✅ test → ⏸ approve_release → ⬜ deploy + ⬜ notify"
    assert line(view) == shown
    card = approval_card(view)
    assert_message(card)
    assert shown in words(card.blocks)


def test_what_comes_next_is_read_aloud_while_it_waits() -> None:
    """In `text`, once, without symbols; not of what has ended."""
    assert "Then deploy, notify." in approval_card(_of(waiting(), "waiting", "pending")).text
    assert "Then" not in approval_card(_of(approved(), "approved", "pending")).text


def test_a_long_dag_says_how_much_is_not_shown() -> None:
    """On either side, and beside what stands side by side."""
    view = _of(waiting(), "waiting", "pending", before=2, beyond=40)
    assert line(view).startswith("… 2 more → ✅ build → ")
    assert line(view).endswith(" → … 40 more")
    wide = Progress((_stage((APPROVE, "waiting")), _stage(("eu", "pending"), more=9)))
    assert line(replace(view, progress=wide)) == "⏸ approve_release → ⬜ eu + 9 more"


def test_what_may_have_moved_on_since_is_not_marked() -> None:
    """A card is not drawn at each step of its run: until that ends, no mark can be stale."""
    moving = _of(approved(of_run=run(RunState.RUNNING)), "approved", "running")
    assert line(moving).endswith("✅ approve_release → deploy + notify")


@pytest.mark.parametrize(
    ("view", "here", "after", "shown"),
    [
        (approved, "approved", "succeeded", "✅ approve_release → ✅ deploy + ✅ notify"),
        (approved, "approved", "failed", "✅ approve_release → ❌ deploy + ⏭ notify"),
        (rejected, "rejected", "skipped", "❌ approve_release → ⏭ deploy + ⏭ notify"),
        (expired, "expired", "cancelled", "⌛ approve_release → 🚫 deploy + 🚫 notify"),
    ],
)
def test_once_the_run_has_ended_every_task_is_marked(
    view: object, here: str, after: str, shown: str
) -> None:
    """What was done, what failed, what was not reached."""
    assert callable(view)
    over = _of(view(of_run=run(RunState.FAILED)), here, after)
    assert line(over).endswith(shown)


def test_a_run_whose_tasks_are_not_known_has_no_line() -> None:
    """A gate on another engine shows nothing of its DAG."""
    assert line(waiting()) == ""


def test_every_state_has_its_own_symbol_or_shares_it_with_its_like() -> None:
    """No state is left without one."""
    assert set(MARKS) == set(TaskState)


def test_long_names_give_way_before_the_order_does() -> None:
    """Names are shortened more where there are many: the line still ends with what comes last."""
    names = [f"{chr(97 + n)}_very_long_name_of_a_task_that_goes_on" for n in range(9)]
    tasks = [(name, "succeeded") for name in names]
    stages = [_stage(*tasks[at : at + 3]) for at in (0, 3, 6)]
    shown = line(replace(waiting(), progress=Progress((*stages, _stage((APPROVE, "waiting"))))))
    assert len(shown) <= 160
    assert shown.endswith("i_very_… → ⏸ approve…")
