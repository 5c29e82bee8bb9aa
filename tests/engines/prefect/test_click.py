"""An exported flow on a real Prefect is decided by a click in Slack."""

import asyncio
from pathlib import Path

from engine import BackendKind, Policy
from tests.engines.clicking import clicking
from tests.engines.prefect.server import Prefect
from tests.engines.prefect.test_prefect import exported

DAG = """\
name: clicked
tasks:
  - id: ask
    type: checkpoint
    prompt: Ship it?
    inputs:
      - {name: percent, type: number, min: 1, max: 100, default: 10}
  - id: ship
    depends_on: [ask]
    run: cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT"
"""


async def test_a_click_lets_the_exported_flow_go_on(prefect: Prefect, tmp_path: Path) -> None:
    """Card, form, answer, the task behind the gate, and the outcome in the thread."""
    flow = exported(tmp_path / "flow", DAG)
    with prefect.serving(flow, "clicked") as deployment:
        run = await asyncio.to_thread(prefect.start, deployment)
        async with clicking(
            tmp_path,
            BackendKind.PREFECT,
            prefect.url,
            # Prefect's own server does not tell who started a run.
            policy=Policy(self_approval=True),
            dag="clicked",
        ) as slack:
            card = await slack.message("Approval needed: clicked · ask")
            said = await slack.decide(card, "approve", {"input:percent": "50", "reason": "ok"})
            assert said.ok, said.errors
            await slack.message("✅ Approved: clicked · ask")
            await slack.message("Run of clicked succeeded")
        outcomes = await asyncio.to_thread(prefect.outcomes, run)
        assert outcomes == {"ask": "approved", "ship": "succeeded"}
