"""Functions of the DAG that both engines run."""

import asyncio
import json
from pathlib import Path
from typing import Any


def count(build__n: int, least: int, params__replicas: float) -> dict[str, Any]:
    """Take some of what is there."""
    assert build__n >= least
    return {"rows": build__n * 10, "replicas": params__replicas}


async def weigh(build__list: list[object]) -> dict[str, Any]:
    """Take its time."""
    await asyncio.sleep(0.01)
    return {"length": len(build__list), "none": None}


def report(**inputs: object) -> None:
    """Write down everything that is there, and put nothing out."""
    Path("report.json").write_text(json.dumps(inputs, sort_keys=True), encoding="utf-8")
