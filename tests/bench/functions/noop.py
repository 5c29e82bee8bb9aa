"""What the tasks of the measured DAGs call."""

import time
from pathlib import Path


def no_op() -> None:
    """Does nothing."""


def starts(file: str) -> None:
    """Notes when it starts: seconds since the epoch. The file is there once it is whole."""
    began = repr(time.time())
    draft = Path(f"{file}.draft")
    draft.write_text(began)
    draft.rename(file)
