"""The DAGs here, driven by Signoff itself: what an export has to come to as well."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.dagfile import Defaults, load
from engine.ending import sweep_expiry
from engine.model import Choice, RunState
from tests.engine.running import Bench

DAGS = Path(__file__).parent / "dags"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Ana says to a checkpoint; `None` instead of one lets it expire."""

    choice: Choice
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ends:
    """How a run ended: itself, each task in the words of `when`, and what each left."""

    run: str
    tasks: dict[str, str]
    outputs: dict[str, dict[str, Any]]
    asked: str = field(default="", compare=False)  # how the question was put


async def drive(name: str, answer: Answer | None, folder: Path) -> Ends:
    """Drive a DAG with one checkpoint to its end."""
    bench = Bench(folder)
    try:
        run_id = await bench.submit(load(DAGS / f"{name}.yml", Defaults()))
        assert await bench.drive(run_id) is RunState.PAUSED
        [asked] = await bench.pending(run_id)
        if answer is None:
            while not await sweep_expiry(bench.store):
                await asyncio.sleep(0.1)
        else:
            await bench.decide(run_id, answer.choice, **answer.inputs)
        state = await bench.drive(run_id)
        records = await bench.tasks(run_id)
        return Ends(
            run=str(state),
            tasks={task_id: str(record.state) for task_id, record in records.items()},
            outputs={task_id: dict(record.output or {}) for task_id, record in records.items()},
            asked=asked.prompt,
        )
    finally:
        bench.store.close()
