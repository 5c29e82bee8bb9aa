"""What the thread of a card tells: the request in full, votes with reasons, what became of it."""

from pathlib import Path

import pytest

from engine import RunState
from tests.journeys.seen import read
from tests.journeys.world import CHANNEL, GATE, running

pytestmark = pytest.mark.journey

RESOURCES = "".join(f"+ resource {n}\\\\n" for n in range(40))
PLAN = f'{{"version": "1.4.2", "plan": "{RESOURCES}"}}'
STORY = (
    GATE.replace('{"version": "1.4.2"}', PLAN)
    .replace(
        "    prompt:", "    quorum: 2\n    show: [{label: Plan, from: build__plan}]\n    prompt:"
    )
    .replace("echo shipped >> shipped.txt", "echo no room left; exit 3")
)


async def test_a_thread_reads_in_the_order_in_which_things_happened(tmp_path: Path) -> None:
    """The whole plan, two votes, and why what was approved failed; the card then shows where."""
    async with running(tmp_path) as world:
        run_id = await world.start(STORY)
        card = await world.card()
        ana = world.person("U0ANA")
        assert "✅ build → ⏸ approve → ⬜ ship" in read(card)
        plan = await ana.wait_for_message(lambda m: "In full" in read(m), within=15)
        assert "+ resource 0\n+ resource 1\n" in read(plan)
        await world.approve("U0OLA", card, "The plan is fine.")
        await world.person("U0OLA").close_modal()
        await world.approve("U0BOB", card, "Go.")
        assert (await world.ended(run_id)).run.state is RunState.FAILED
        await ana.wait_for_message(lambda m: "failed after approval" in read(m))
        await ana.wait_for_message(lambda m: "✅ build → ✅ approve → ❌ ship" in read(m))
        thread = [read(message) for message in await ana.thread(CHANNEL, card["ts"])]
        assert len(thread) == 4
        for told, expected in zip(
            thread,
            [
                ("In full: Plan",),
                ("Ola approved (1 of 2)", "The plan is fine."),
                ("Bob approved (2 of 2)", "Go."),
                ("failed after approval: task ship", "exit status 3", "no room left"),
            ],
            strict=True,
        ):
            assert all(words in told for words in expected), told
