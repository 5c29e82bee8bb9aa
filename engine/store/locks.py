"""One bot and one worker per SQLite file."""

import fcntl
from pathlib import Path
from typing import IO, Self

from engine.errors import StoreInUse


class FileLock:
    """Held while open, gone with the process however it ends."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def take(cls, database: Path, role: str) -> Self:
        """Take the lock of `role` (`serve`, `worker`) on a database file.

        Raises `StoreInUse` when another process holds it.
        """
        file = database.with_name(f"{database.name}.{role}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise StoreInUse(
                f"another `signoff {role}` already works on {database}. SQLite takes one of each; "
                "for more, move to PostgreSQL (SIGNOFF_DATABASE_URL=postgresql://…)."
            ) from error
        return cls(file)

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()
