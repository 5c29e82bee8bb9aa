"""How far a run has come, in one line: `✅ build → ✅ test → ⏸ approve → ⬜ deploy`.

What leads to the checkpoint and what follows from it; tasks of a stage stand beside each
other. While people are asked nothing of it changes. What follows a checkpoint that has ended
is marked once its run has ended, when the card is drawn again: before, a mark could be stale.
"""

from bot.literal import ELLIPSIS, cut, one_line
from engine import CheckpointView, Progress, Stage, TaskId, TaskState

MARKS = {
    TaskState.SUCCEEDED: "✅",
    TaskState.APPROVED: "✅",
    TaskState.FAILED: "❌",
    TaskState.REJECTED: "❌",
    TaskState.EXPIRED: "⌛",
    TaskState.SKIPPED: "⏭",
    TaskState.CANCELLED: "🚫",
    TaskState.RUNNING: "▶",
    TaskState.WAITING: "⏸",
    TaskState.PENDING: "⬜",
}
"""The symbol of each state, as a phone shows it in colour."""

_MOST_NAME = 24
_SHORT_NAME = 8
_ROOMY = 160  # some four rows of small print on a phone
_MOST_SPOKEN = 40
_UNSETTLED = frozenset({TaskState.PENDING, TaskState.RUNNING, TaskState.WAITING})
_ARROW = " → "


def line(view: CheckpointView) -> str:
    """The line of a card; empty where the tasks of the run are not known here."""
    if view.progress is None:
        return ""
    whole = _line(view, view.progress, _MOST_NAME)
    # Names give way before the order does: what is cut off at the end is what comes next.
    return whole if len(whole) <= _ROOMY else _line(view, view.progress, _SHORT_NAME)


def what_follows(view: CheckpointView) -> str:
    """`Then deploy, notify.`, for whoever has the card read aloud while it waits."""
    stages = () if view.progress is None else _after(view, view.progress)
    if not stages or not view.checkpoint.is_open:
        return ""
    names = [cut(one_line(task_id), _MOST_SPOKEN) for task_id, _ in stages[0].tasks]
    more = f" and {stages[0].more} more" if stages[0].more else ""
    return f"Then {', '.join(names)}{more}."


def _line(view: CheckpointView, progress: Progress, most: int) -> str:
    after = _after(view, progress)
    is_stale = not view.checkpoint.is_open and not view.run.has_ended
    told = [_stage(stage, most) for stage in progress.stages[: -len(after) or None]]
    told += [_stage(stage, most, is_stale=is_stale) for stage in after]
    before = [f"{ELLIPSIS} {progress.before} more"] if progress.before else []
    beyond = [f"{ELLIPSIS} {progress.after} more"] if progress.after else []
    return _ARROW.join([*before, *told, *beyond])


def _after(view: CheckpointView, progress: Progress) -> tuple[Stage, ...]:
    here = view.checkpoint.task_id
    at = [any(task_id == here for task_id, _ in stage.tasks) for stage in progress.stages]
    return progress.stages[at.index(True) + 1 :] if True in at else ()


def _stage(stage: Stage, most: int, *, is_stale: bool = False) -> str:
    names = [_task(task_id, state, most, is_stale) for task_id, state in stage.tasks]
    return " + ".join([*names, *([f"{stage.more} more"] if stage.more else [])])


def _task(task_id: TaskId, state: TaskState, most: int, is_stale: bool) -> str:
    name = cut(one_line(task_id), most)
    return name if is_stale and state in _UNSETTLED else f"{MARKS[state]} {name}"
