"""Statements that are compiled once and handed to the driver as they are: for the hot path.

SQLAlchemy makes a context, and looks for a compiled form, at every execution: more work than
SQLite does. A driver's turn runs four statements, hundreds of times a second.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from engine.store.writer import Tx

Statement = sa.Select[Any] | sa.Insert | sa.Update

_Processor = Callable[[Any], Any]


class Prepared:
    """A Core statement whose every parameter is named in it, `bindparam` by `bindparam`."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def first(self, tx: Tx, **values: Any) -> Any | None:
        """The first column of the first row; None when there is none."""
        compiled = self._for(tx)
        with _Cursor(tx) as cursor:
            cursor.execute(compiled.text, compiled.parameters(values))
            row = cursor.fetchone()
        return None if row is None else row[0]

    def each(self, tx: Tx, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it once a row; returns how many rows of the table it changed in all."""
        compiled = self._for(tx)
        with _Cursor(tx) as cursor:
            if len(rows) == 1:
                cursor.execute(compiled.text, compiled.parameters(rows[0]))
            else:
                cursor.executemany(compiled.text, [compiled.parameters(row) for row in rows])
            return int(cursor.rowcount)

    def _for(self, tx: Tx) -> "_Compiled":
        dialect = tx.connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        return self._compiled[dialect.name]


class _Compiled:
    def __init__(self, statement: Statement, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        self._fixed = dict(compiled.params)
        self._processors: dict[str, _Processor] = {}
        for bound, name in compiled.bind_names.items():
            processor = bound.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                self._processors[name] = processor

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """What the driver is given: in the order of the statement, or by name."""
        merged = {**self._fixed, **values}
        for name, process in self._processors.items():
            merged[name] = process(merged[name])
        return merged if self._order is None else tuple(merged[name] for name in self._order)


class _Cursor:
    """A cursor of the driver, on the transaction's own connection."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def __enter__(self) -> Any:
        self._cursor = self._tx.connection.connection.cursor()
        return self._cursor

    def __exit__(self, *_: object) -> None:
        self._cursor.close()
