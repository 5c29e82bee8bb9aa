"""The audit surfaces reach their files while the bot runs."""

import asyncio
import json
from pathlib import Path

from engine import AuditSurface
from tests.journeys.world import bot, running


def events(path: Path) -> list[str]:
    """What the lines of a mirror say happened."""
    if not path.exists():
        return []
    return [json.loads(line)["event"] for line in path.read_text(encoding="utf-8").splitlines()]


async def filled(path: Path, expected: list[str]) -> None:
    """Wait until a mirror says this, and no more."""
    async with asyncio.timeout(10):
        while events(path) != expected:
            await asyncio.sleep(0.02)


async def test_the_files_follow_what_happens_in_slack(tmp_path: Path) -> None:
    """An approval in Slack reaches all three files, and a restart of the bot repeats nothing."""
    mirrors = {surface: tmp_path / f"{surface}.jsonl" for surface in AuditSurface}
    expected = {
        AuditSurface.CHECKPOINTS: ["checkpoint_created", "checkpoint_approved"],
        AuditSurface.STATE: ["run_started", "resume_token", "run_finished"],
        AuditSurface.EVENTS: [
            "dag_start",
            "task_start",
            "task_ok",
            "checkpoint_pending",
            "checkpoint_approved",
            "dag_resumed",
            "task_start",
            "task_ok",
            "dag_done",
        ],
    }
    async with running(tmp_path, with_bot=False, mirrors=mirrors) as world:
        async with bot(world):
            run_id = await world.start()
            await world.approve("U0ANA", await world.card())
            await world.ended(run_id)
            for surface, path in mirrors.items():
                await filled(path, expected[surface])
        async with bot(world):
            await world.ended(await world.start(PLAIN))
            await filled(mirrors[AuditSurface.CHECKPOINTS], expected[AuditSurface.CHECKPOINTS])
            more = ["dag_start", "task_start", "task_ok", "dag_done"]
            done = [*expected[AuditSurface.EVENTS], *more]
            await filled(mirrors[AuditSurface.EVENTS], done)


PLAIN = "name: plain\ntasks:\n  - {id: one, run: 'true'}\n"
