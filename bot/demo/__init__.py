"""`make demo`: a local Slack, the real bot, a real DAG. Nothing here is a stand-in for the bot.

`processes` starts and ends the sandbox, the bot and the run; `story` is a person at the
sandbox who approves, rejects or lets the deadline pass; `check` looks at what came of it.
"""

import asyncio
import tempfile
from pathlib import Path

from typer import echo

from bot.demo.check import problems
from bot.demo.processes import Stage
from bot.demo.story import EXPIRE_AFTER_H, Ending, play, transcript

__all__ = ["Ending", "run_demo"]


def run_demo(auto: str | None, port: int) -> int:
    """Run the demo; returns the exit code. `auto` is None, or how it should end by itself."""
    ending = None if auto is None else Ending(auto)
    with tempfile.TemporaryDirectory(prefix="signoff-demo-") as folder:
        try:
            return asyncio.run(_run(Path(folder), ending, port))
        except KeyboardInterrupt:
            return 0


async def _run(folder: Path, ending: Ending | None, port: int) -> int:
    expires_h = EXPIRE_AFTER_H if ending is Ending.EXPIRE else None
    async with Stage(folder, port, expires_h=expires_h) as stage:
        run_id = await stage.start_run()
        if ending is None:
            _invite(stage.sandbox_url, run_id)
            await stage.until_interrupted()
            return 0
        await play(stage.sandbox_url, ending)
        for line in await transcript(stage.sandbox_url):
            echo(line)
        found = await problems(stage, run_id, ending)
    for problem in found:
        echo(f"NOT AS IT SHOULD BE: {problem}")
    if not found:
        echo(f"\nAs it should be: the checkpoint ended {ending.state}, and the record agrees.")
    return 1 if found else 0


def _invite(url: str, run_id: str) -> None:
    echo(
        f"""
A run of docs/examples/publish-docs.yml ({run_id}) waits for you.

    Open   {url}/?as=U0BOB#C0APPROVE

You are Bob, an Operator: press Approve or Reject on the card in #approvals and watch the
thread. Type /checkpoints help there. Switch to Vic (Viewer) or Nia (no role) to be refused.

Ctrl-C ends the demo; nothing is left behind."""
    )
