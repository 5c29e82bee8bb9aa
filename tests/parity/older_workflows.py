"""The functions that `older.yml` names."""

from typing import Any


def collect(source: str, days: int) -> dict[str, Any]:
    """What the report is made from."""
    return {"rows": days * 100, "origin": source}


def publish(**given: Any) -> dict[str, Any]:
    """What it was given, to be looked at."""
    return given
