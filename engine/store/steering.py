"""What steers a run from outside of its driver."""

from engine.model import ENDED_RUN_STATES, RunState
from engine.store.writer import Tx
from engine.tables import RunRow, table_of

_run = table_of(RunRow)


def touch_open(tx: Tx) -> None:
    """Tell every driver to look again."""
    open_ones = _run.c.state.not_in(ENDED_RUN_STATES)
    tx.run(_run.update().where(open_ones).values(revision=_run.c.revision + 1))


def call_off(tx: Tx, run_id: str) -> None:
    """Note that a run which has not ended should; until it has, it is running."""
    tx.run(
        _run.update()
        .where(_run.c.id == run_id, _run.c.state.not_in(ENDED_RUN_STATES))
        .values(called_off_at=tx.now, state=RunState.RUNNING)
    )


def end_called_off(tx: Tx, run_id: str) -> None:
    """End a run that was called off, whoever holds its lease: they find it lost."""
    tx.run(
        _run.update()
        .where(_run.c.id == run_id, _run.c.called_off_at.is_not(None))
        .values(
            state=RunState.CANCELLED,
            ended_at=tx.now,
            working_since=None,
            lease_holder=None,
            lease_expires_at=None,
        )
    )


def give_fresh_time(tx: Tx, run_id: str) -> None:
    """Forget how long a run was at work, so that all its time is before it again."""
    tx.run(_run.update().where(_run.c.id == run_id).values(worked_s=0.0, working_since=None))
