"""How Alembic runs here: on the connection it is given, foreign keys off on SQLite."""

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

from engine import tables

TARGET = SQLModel.metadata
_TURN = 0x5163_6E0F  # any number of our own
assert tables.MetaRow.__tablename__ in TARGET.tables  # noqa: S101 (the rows are registered)


def run(connection: Connection) -> None:
    """Migrate in one transaction; refuse to finish with a dangling reference.

    Batch mode rebuilds tables. With foreign keys on, a rebuild can empty the
    children of the rebuilt table without a word, so they are off meanwhile.
    """
    on_sqlite = connection.dialect.name == "sqlite"
    if on_sqlite:
        _set_foreign_keys(connection, "OFF")
    context.configure(
        connection=connection,
        target_metadata=TARGET,
        render_as_batch=on_sqlite,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        if not on_sqlite:  # two at once take turns, as a lock file makes them on SQLite
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
        context.run_migrations()
        if on_sqlite and (bad := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise RuntimeError(f"the migration left dangling references: {bad[:5]}")
    if on_sqlite:
        connection.commit()
        _set_foreign_keys(connection, "ON")


def _set_foreign_keys(connection: Connection, state: str) -> None:
    # Beneath SQLAlchemy, which would say BEGIN first: inside a transaction it does nothing.
    raw = connection.connection.driver_connection
    assert raw is not None  # noqa: S101 (a connection in use has one)
    raw.execute(f"PRAGMA foreign_keys={state}")


run(context.config.attributes["connection"])
