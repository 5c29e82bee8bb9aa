"""Functions of the DAGs here."""

import asyncio
from typing import Any


def enough(build__rows: list[int], least: int, **more: Any) -> dict[str, Any]:
    """A size, and everything else that was handed over."""
    return {"size": len(build__rows), "is_enough": len(build__rows) >= least, "more": more}


async def later(ship__approve__window: str = "unknown", **more: Any) -> dict[str, Any]:
    """What a task before the last one left."""
    await asyncio.sleep(0)
    return {"window": ship__approve__window, "named": sorted(more)}
