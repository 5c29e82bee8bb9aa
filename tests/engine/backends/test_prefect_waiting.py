"""What waits on Prefect 3, and how it is told."""

from datetime import timedelta
from typing import Any

import pytest

from engine.backends.prefect import Prefect
from engine.backends.prefect_gates import page_of
from engine.gates import GateRef, Starter
from engine.model import InputType
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.backends.prefect_stage import FORM, VERDICT, only
from tests.engine.build import NOW, FakeClock


async def test_a_suspended_run_is_a_gate(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """What a person must know of it is in the gate, with the time corrected to our clock."""
    fake.ahead = timedelta(minutes=5)
    run = fake.start(parameters={"version": "v1"}, created_by={"display_value": "ana"})
    key = fake.pause(run, "approve", timeout=timedelta(hours=1), schema=FORM)
    fake.describe(run, "    # Ship it?\n    Build 42.")
    gate = await only(prefect, clock)
    assert gate.ref == GateRef(key=key, dag="deploy", run=run, task="approve")
    assert gate.prompt == "# Ship it?\nBuild 42."
    assert gate.options == ("Approve",)
    kinds = {one.name: (one.type, one.default, one.options) for one in gate.fields}
    assert kinds == {
        "percent": (InputType.NUMBER, 10, ()),
        "ring": (InputType.CHOICE, "canary", ("canary", "all")),
        "more": (InputType.JSON, {}, ()),
    }
    assert gate.deadline == NOW + timedelta(hours=1)
    assert gate.url == f"{fake.server.url}/runs/flow-run/{run}"
    assert gate.starter == Starter("ana")
    assert gate.params == {"version": "v1"}


async def test_a_gate_without_a_form_asks_what_the_state_says(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Or whether to resume the run; it can only be approved."""
    first = fake.start(auto_scheduled=True)
    fake.pause(first, timeout=None, message="Ship v1?", suspended=False)
    fake.pause(fake.start(name="calm-otter"))
    clock.advance(timedelta(seconds=3))
    told, untold = await prefect.waiting()
    assert (told.prompt, told.options, told.deadline) == ("Ship v1?", ("Approve",), None)
    assert told.starter == Starter(by_schedule=True)
    assert (untold.prompt, untold.starter) == ("Resume calm-otter?", Starter())


async def test_a_no_that_would_have_to_invent_values_is_no_option(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """A form that must be filled in beside `approved` is withdrawn from instead."""
    fake.pause(
        fake.start(),
        schema={
            **VERDICT,
            "required": ["approved", "ticket"],
            "properties": {
                "approved": {"type": "boolean"},
                "ticket": {"type": "string"},
            },
        },
    )
    gate = await only(prefect, clock)
    assert gate.options == ("Approve",)


async def test_a_gate_that_has_not_said_what_it_asks_is_not_shown(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """A flow pauses first, then writes its form, then the description of it."""
    run = fake.start()
    fake.pause(run, schema=FORM)
    (written,) = fake.inputs[run]
    fake.inputs[run].clear()
    clock.advance(timedelta(seconds=3))
    assert await prefect.waiting() == []
    written["created"] = fake.now().isoformat()
    fake.inputs[run].append(written)
    assert await prefect.waiting() == []
    fake.describe(run, "Ship it?")
    (gate,) = await prefect.waiting()
    assert gate.prompt == "Ship it?"


@pytest.mark.parametrize("schema", ["nonsense", {"properties": []}, {"properties": {"a": 3}}])
async def test_a_form_that_cannot_be_read_does_not_hide_the_others(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, schema: object
) -> None:
    """It is a gate without fields that we can name, and so is what else waits."""
    fake.pause(fake.start(), schema=schema)
    fake.pause(fake.start())
    clock.advance(timedelta(seconds=3))
    assert len(await prefect.waiting()) == 2


async def test_many_gates_take_few_requests(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Pages of 200, names in batches, and each form asked for once."""
    for number in range(450):
        fake.pause(fake.start(f"flow-{number % 7}"), schema=FORM if number % 9 == 0 else None)
        clock.advance(timedelta(milliseconds=10))
    clock.advance(timedelta(seconds=3))
    gates = await prefect.waiting()
    assert len({gate.ref.run for gate in gates}) == 450
    first = len(fake.server.requests)
    assert first == 3 + 1 + 50
    await prefect.waiting()
    assert fake.server.requests[first:] == ["POST /api/flow_runs/filter"] * 3


async def test_runs_that_began_at_once_are_all_found(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """More of them than a page holds."""
    for _ in range(430):
        fake.pause(fake.start())
    clock.advance(timedelta(seconds=1))
    fake.pause(fake.start())
    assert len({gate.ref.run for gate in await prefect.waiting()}) == 431


async def test_nobody_is_passed_over_when_a_run_leaves_while_pages_are_read(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page begins where the first ended, whatever became of the first."""
    runs = []
    for _ in range(300):
        runs.append(fake.start())
        fake.pause(runs[-1])
        clock.advance(timedelta(milliseconds=10))
    read = prefect._api.paused

    async def read_and_resume(*place: Any) -> Any:
        page = await read(*place)
        for run in runs[:50]:
            fake.resume(run)
        return page

    monkeypatch.setattr(prefect._api, "paused", read_and_resume)
    found = {gate.ref.run for gate in await prefect.waiting()}
    assert found >= set(runs[50:])


@pytest.mark.parametrize(
    ("api", "page"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/runs/flow-run/r"),
        ("https://prefect.example/base/api", "https://prefect.example/base/runs/flow-run/r"),
        (
            "https://api.prefect.cloud/api/accounts/a/workspaces/w",
            "https://app.prefect.cloud/account/a/workspace/w/runs/flow-run/r",
        ),
    ],
)
def test_the_page_of_a_run_follows_from_the_address(api: str, page: str) -> None:
    """Of a server of one's own, and of Prefect Cloud."""
    assert page_of(api, "r") == page
