"""What came of an unattended demo: the published file and the record must agree with it."""

from functools import partial

from bot.demo.processes import Stage
from bot.demo.story import Ending
from engine import RunState, RunView, Store, run_view


async def problems(stage: Stage, run_id: str, ending: Ending) -> list[str]:
    """Everything that is not as this ending says."""
    found = []
    if stage.published.exists() is not (ending is Ending.APPROVE):
        was = "was published" if stage.published.exists() else "was not published"
        found.append(f"the file {was}")
    store = Store.open(stage.database_url)
    try:
        view = await store.read(partial(run_view, run_id=run_id))
    finally:
        store.close()
    return found + (["the run is not in the record"] if view is None else _record(view, ending))


def _record(view: RunView, ending: Ending) -> list[str]:
    found = []
    states = [checkpoint.state.value for checkpoint in view.checkpoints]
    if states != [ending.state]:
        found.append(f"the record has checkpoints {states}, expected one {ending.state}")
    if view.run.state is not RunState(ending.run_state):
        found.append(f"the record has the run {view.run.state}, expected {ending.run_state}")
    published = view.tasks[view.dag.task("publish").id].state.value
    expected = "succeeded" if ending is Ending.APPROVE else "skipped"
    if published != expected:
        found.append(f"the record has task publish {published}, expected {expected}")
    return found
