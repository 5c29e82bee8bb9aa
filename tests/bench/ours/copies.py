"""Many runs, made of one: its rows are copied in the database, each copy with ids of its own.

Thousands of runs are there in seconds, each as the engine left the one they are made of,
whatever columns the tables have. The audit trail is not copied: it has one link a fact.
"""

from functools import partial

import sqlalchemy as sa
from sqlmodel import SQLModel

from engine import RunId, Store, Tx

_AT_ONCE = 5_000  # runs in one transaction

# What a copy must not share with the run it is made of. `{n}` is its number.
_OWN = {
    "run": ("id",),
    "task": ("run_id",),
    "task_event": ("run_id",),
    "checkpoint": ("id", "run_id"),
    "posting": ("checkpoint_id", "handle"),
}


async def copy_run(store: Store, run_id: RunId, times: int) -> None:
    """Make so many copies of a run, with its tasks, checkpoints and posted cards."""
    for first in range(0, times, _AT_ONCE):
        numbers = range(first, min(times, first + _AT_ONCE))
        await store.write(partial(_copy, run_id=run_id, numbers=numbers))


def _copy(tx: Tx, run_id: RunId, numbers: range) -> None:
    number = _numbers(numbers)
    for name, own in _OWN.items():
        table = SQLModel.metadata.tables[name]
        is_numbered = table.primary_key.columns.keys() == ["id"] and "id" not in own
        kept = [column for column in table.columns if not (is_numbered and column.name == "id")]
        values = [
            column.concat("-").concat(sa.cast(number.c.n, sa.Text))
            if column.name in own
            else column
            for column in kept
        ]
        source = (
            sa.select(*values).where(_belongs(table, run_id)).join_from(table, number, sa.true())
        )
        tx.run(table.insert().from_select([column.name for column in kept], source))


def _belongs(table: sa.Table, run_id: RunId) -> sa.ColumnElement[bool]:
    match table.name:
        case "run":
            return table.c.id == run_id
        case "posting":
            checkpoint = SQLModel.metadata.tables["checkpoint"]
            asked = sa.select(checkpoint.c.id).where(checkpoint.c.run_id == run_id)
            return table.c.checkpoint_id.in_(asked)
        case _:
            return table.c.run_id == run_id


def _numbers(numbers: range) -> sa.CTE:
    first = sa.select(sa.literal(numbers.start).label("n")).cte("numbers", recursive=True)
    following = sa.select(first.c.n + 1).where(first.c.n + 1 < numbers.stop)
    return first.union_all(following)
