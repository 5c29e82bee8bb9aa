"""The record: named SQL over one transaction. Only this package and `tables` know SQLAlchemy.

`connect` opens and checks a database, `writer` runs every write in one thread,
`changes` wakes whoever waits for news, `locks` keeps a second bot off the file;
`runs`, `leases`, `steering`, `standstill`, `checkpoints`, `people`, `outbox` and `trail` hold the
statements, each a synchronous function of a `Tx`.
"""
