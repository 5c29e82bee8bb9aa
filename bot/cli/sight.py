"""A run as somebody watching sees it at a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine import (
    CheckpointView,
    Happened,
    RunNotFound,
    RunView,
    Standstill,
    TaskId,
    Tx,
    checkpoint_view,
    current_standstill,
    run_view,
    task_history,
)


@dataclass(frozen=True, slots=True)
class Sight:
    """A run, and what people were asked and answered for each of its checkpoint tasks."""

    view: RunView
    asked: Mapping[TaskId, CheckpointView]
    at: datetime
    history: Sequence[Happened] = ()  # every start and end of an attempt, where it was asked for
    standstill: Standstill | None = None  # while it lasts


def sight(tx: Tx, run_id: str, *, whole: bool = False) -> Sight:
    """The run now, with the checkpoints that are open; with `whole` all of them, and its history.

    Raises `RunNotFound`.
    """
    view = run_view(tx, run_id)
    if view is None:
        raise RunNotFound(run_id)
    asked = {}
    for checkpoint in view.checkpoints:
        if whole or checkpoint.is_open:
            shown = checkpoint_view(tx, checkpoint.id)
            if shown is not None:
                asked[checkpoint.task_id] = shown
    history = task_history(tx, run_id) if whole else ()
    return Sight(view, asked, tx.now, history, current_standstill(tx))
