"""The gates of Prefect 3, on a server that behaves like it."""

import base64
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from engine.backends.prefect import Prefect, warnings_of
from engine.backends.prefect_api import PrefectKey
from engine.backends.prefect_gates import page_of
from engine.errors import BackendDenied, BackendUnreachable
from engine.gates import (
    Answered,
    Declined,
    GateRef,
    Gone,
    Reply,
    RunThere,
    Starter,
    Taken,
    TooLate,
    WaitingGate,
    Waits,
)
from engine.model import InputType, RunState
from tests.engine.backends.faults import Trouble
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.build import NOW, FakeClock

FORM: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "$defs": {"Ring": {"enum": ["canary", "all"], "type": "string"}},
    "definitions": {"Ring": {"enum": ["canary", "all"], "type": "string"}},
    "properties": {
        "percent": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
        "ring": {"$ref": "#/definitions/Ring", "default": "canary"},
        "more": {"type": "object", "default": {}},
    },
}
VERDICT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "reason": {"type": "string", "default": ""},
        "percent": {"type": "integer", "default": 10},
    },
    "required": ["approved"],
}
YES = Reply(options=("Approve",), by="Ana", reason="fine", checkpoint_id="cp_1")
NO = Reply(options=("Reject",), by="Ana", reason="too risky", checkpoint_id="cp_1", is_no=True)
WITHDRAWAL = Reply(options=(), by="Ana", reason="too risky", checkpoint_id="cp_1", is_no=True)
SILENT = "resumed, but nothing has happened there since"


@pytest.fixture
async def fake(clock: FakeClock) -> AsyncIterator[FakePrefect]:
    """A server."""
    fake = FakePrefect(clock)
    async with fake.server:
        yield fake


@pytest.fixture
async def prefect(fake: FakePrefect, clock: FakeClock) -> AsyncIterator[Prefect]:
    """The backend of the server."""
    prefect = Prefect("staging", fake.url, key=None, clock=clock)
    yield prefect
    await prefect.close()


async def only(prefect: Prefect, clock: FakeClock) -> WaitingGate:
    """The one gate that waits, a moment after it began to."""
    clock.advance(timedelta(seconds=3))
    (gate,) = await prefect.waiting()
    return gate


def said(values: Mapping[str, Any] | None = None) -> Reply:
    """A yes with these values."""
    return Reply(options=("Approve",), values=values or {}, by="Ana", checkpoint_id="cp_1")


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


async def test_a_field_that_is_the_answer_is_not_asked_for(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """`approved` becomes the options, and the reason of the decision goes into `reason`."""
    yes, no = fake.start(), fake.start()
    for run in (yes, no):
        fake.pause(run, schema=VERDICT)
    clock.advance(timedelta(seconds=3))
    first, second = await prefect.waiting()
    assert first.options == ("Approve", "Reject")
    assert [one.name for one in first.fields] == ["percent"]
    assert await prefect.answer(first.ref, YES) == Taken()
    assert await prefect.answer(second.ref, NO) == Taken()
    stored = {run: fake.kept(run, "response")[0]["value"] for run in (yes, no)}
    assert '"approved": true' in stored[yes]
    assert '"approved": false' in stored[no]
    assert '"reason": "too risky"' in stored[no]
    found = await prefect.look(second.ref, NO)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.said) == (True, "Reject (percent: 10)")


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


async def test_an_answer_to_a_form_that_is_no_schema_is_declined(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect itself says why."""
    fake.pause(fake.start(), schema="nonsense")
    gate = await only(prefect, clock)
    told = await prefect.answer(gate.ref, YES)
    assert told == Declined("Prefect does not take it: Run input schema is not valid JSON.")


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


async def test_a_suspended_run_has_gone_on_once_a_new_process_runs(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Until then nobody is told that it went on."""
    run = fake.start()
    fake.pause(run, schema=FORM)
    gate = await only(prefect, clock)
    assert await prefect.look(gate.ref, None) == Waits()
    assert await prefect.answer(gate.ref, said({"percent": 5})) == Taken()
    found = await prefect.look(gate.ref, said({"percent": 5}))
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (True, None)
    assert found.said == "Approve (percent: 5, ring: canary, more: {})"
    assert found.found == "resumed, but no worker there has taken it up"
    fake.enter(run, "PENDING")
    found = await prefect.look(gate.ref, None)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (False, None)
    fake.enter(run, "RUNNING")
    found = await prefect.look(gate.ref, said({"percent": 5}))
    assert isinstance(found, Answered)
    assert (found.went_on, found.found) == (True, "")


@pytest.mark.parametrize(
    ("ends", "went_on", "where"),
    [
        (("PENDING", "CRASHED"), False, "resumed, but its process crashed"),
        (("CANCELLED",), False, "resumed, and then cancelled"),
        (("PENDING", "RUNNING", "FAILED"), True, ""),
        (("PENDING", "RUNNING", "CRASHED"), True, ""),
    ],
)
async def test_a_suspended_run_that_ends_before_it_runs_has_not_gone_on(
    fake: FakePrefect,
    prefect: Prefect,
    clock: FakeClock,
    ends: tuple[str, ...],
    went_on: bool,
    where: str,
) -> None:
    """One that ends after it ran has."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.resume(run)
    for end in ends:
        fake.enter(run, end)
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.went_on, found.found) == (went_on, where)


async def test_a_paused_run_whose_process_is_dead_is_told_apart(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect accepts the answer and says `Running`, and nothing ever happens."""
    run = fake.start()
    fake.begin_task(run)
    fake.pause(run, suspended=False)
    gate = await only(prefect, clock)
    assert await prefect.answer(gate.ref, YES) == Taken()
    assert fake.runs[run]["state"]["type"] == "RUNNING"
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on, found.found) == (True, None, SILENT)
    fake.log(run, "Downloading flow code from storage at '.'")
    fake.enter(run, "CRASHED")
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.went_on, found.found) == (False, "resumed, but its process crashed")


@pytest.mark.parametrize("sign", ["task", "log", "state"])
async def test_any_sign_of_life_shows_that_a_paused_run_goes_on(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, sign: str
) -> None:
    """A task that began, the flow's own word, or another state."""
    run = fake.start()
    fake.pause(run, suspended=False)
    gate = await only(prefect, clock)
    fake.resume(run)
    if sign == "task":
        fake.begin_task(run)
    elif sign == "log":
        fake.log(run, "Resuming flow run execution!")
    else:
        fake.pause(run, "second", suspended=False)
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (False, True)


async def test_somebody_elses_answer_is_told_from_ours(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Even where it is the same as ours, or where there is no form: we leave a mark."""
    same, other, bare = fake.start(), fake.start(), fake.start()
    fake.pause(same, schema=VERDICT)
    fake.pause(other, schema=VERDICT)
    fake.pause(bare)
    clock.advance(timedelta(seconds=3))
    gates = {gate.ref.run: gate.ref for gate in await prefect.waiting()}
    fake.resume(same, {"approved": True, "reason": "fine", "percent": 10})
    fake.resume(other, {"approved": False})
    fake.resume(bare)
    words = {same: "Approve (percent: 10)", other: "Reject", bare: "Approve"}
    for run, word in words.items():
        assert await prefect.answer(gates[run], YES) == TooLate()
        found = await prefect.look(gates[run], YES)
        assert isinstance(found, Answered)
        assert (found.is_ours, found.said, found.at) == (False, word, clock.now())


@pytest.mark.parametrize("schema", [None, VERDICT])
async def test_a_lost_reply_is_found_to_be_ours(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, schema: object
) -> None:
    """With a form and without one."""
    run = fake.start()
    fake.pause(run, schema=schema)
    gate = await only(prefect, clock)
    fake.server.faults.add(Trouble.DROP_AFTER, part="/resume")
    with pytest.raises(BackendUnreachable):
        await prefect.answer(gate.ref, YES)
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert found.is_ours
    assert await prefect.answer(gate.ref, YES) == TooLate()


async def test_an_answer_that_did_not_arrive_can_be_given_again(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """The mark of the first attempt is no hindrance."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.server.faults.add(Trouble.DROP_BEFORE, part="/resume")
    with pytest.raises(BackendUnreachable):
        await prefect.answer(gate.ref, YES)
    assert await prefect.look(gate.ref, YES) == Waits()
    assert await prefect.answer(gate.ref, YES) == Taken()


async def test_an_answer_never_reaches_the_next_pause_of_the_run(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect resumes whatever its run waits at; we ask first."""
    run = fake.start()
    fake.pause(run, "first")
    gate = await only(prefect, clock)
    fake.resume(run)
    fake.take_up(run)
    fake.pause(run, "second")
    assert await prefect.answer(gate.ref, YES) == TooLate()
    assert await prefect.answer(gate.ref, WITHDRAWAL) == TooLate()
    assert fake.runs[run]["state"]["type"] == "PAUSED"


async def test_a_pause_that_is_asked_again_is_another_gate(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """A run that is run again forgets the answer that it had; our mark is still there."""
    run = fake.start()
    fake.pause(run, schema=VERDICT)
    gate = await only(prefect, clock)
    await prefect.answer(gate.ref, YES)
    fake.take_up(run)
    fake.enter(run, "FAILED")
    fake.take_up(run)
    fake.pause(run, schema=VERDICT)
    again = await only(prefect, clock)
    assert again.ref.key != gate.ref.key
    found = await prefect.look(gate.ref, YES)
    assert isinstance(found, Answered)
    assert (found.is_ours, found.went_on) == (True, True)
    assert await prefect.look(again.ref, YES) == Waits()


async def test_what_prefect_does_not_take_is_declined_with_its_reason(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """It says so with a status of 200."""
    run = fake.start()
    fake.pause(run, schema=FORM)
    gate = await only(prefect, clock)
    told = await prefect.answer(gate.ref, said({"percent": 101}))
    assert told == Declined(
        "Prefect does not take it: Validation failed: 101 does not fit 'percent'"
    )
    assert await prefect.look(gate.ref, YES) == Waits()


async def test_an_answer_after_the_time_is_too_late(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect rejects it and fails the run: that is not about what was said."""
    fake.pause(fake.start(), timeout=timedelta(seconds=30))
    gate = await only(prefect, clock)
    clock.advance(timedelta(seconds=40))
    assert await prefect.answer(gate.ref, YES) == TooLate()
    assert await prefect.look(gate.ref, YES) == Gone("its time was up there")


async def test_a_race_that_is_lost_on_the_server_is_too_late(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody resumed the run between our look and our answer: ABORT, with a status of 200."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    keep = prefect._api.keep

    async def lose(*what: Any) -> None:
        await keep(*what)
        fake.resume(run)

    monkeypatch.setattr(prefect._api, "keep", lose)
    assert await prefect.answer(gate.ref, YES) == TooLate()


async def test_what_prefect_would_expand_is_never_sent(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """However deep it hides."""
    fake.pause(fake.start(), schema=FORM)
    gate = await only(prefect, clock)
    template = {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}
    for value in (template, {"a": [1, {"b": template}]}, [[template]], {"__x": 1}):
        told = await prefect.answer(gate.ref, said({"more": value}))
        assert isinstance(told, Declined), value
        assert "__" in told.why
    assert not any(one.endswith(("/resume", "/input")) for one in fake.server.requests)
    assert await prefect.answer(gate.ref, said({"more": {"a__b": "{{ 7 * 7 }}"}})) == Taken()


@pytest.mark.parametrize(("suspended", "kind"), [(True, "CANCELLED"), (False, "CANCELLING")])
async def test_withdrawing_cancels_the_run(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, suspended: bool, kind: str
) -> None:
    """A process that waits is left to its runner to stop; who and why is on the run."""
    run = fake.start()
    fake.pause(run, suspended=suspended)
    gate = await only(prefect, clock)
    assert await prefect.answer(gate.ref, WITHDRAWAL) == Taken()
    state = fake.runs[run]["state"]
    assert (state["type"], state["message"]) == (kind, "Rejected by Ana: too risky (Signoff cp_1)")
    ended = Gone("the run was cancelled", withdrawn=True)
    assert await prefect.look(gate.ref, WITHDRAWAL) == ended
    assert await prefect.answer(gate.ref, WITHDRAWAL) == TooLate()
    assert await prefect.run(gate.ref) == RunThere(RunState.CANCELLED)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("FAILED", "the run was marked as failed"),
        ("CRASHED", "its process died"),
        ("COMPLETED", "the run was marked as completed"),
        ("SCHEDULED", "the run was started again"),
    ],
)
async def test_a_pause_can_end_without_an_answer(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, end: str, why: str
) -> None:
    """Each way has its words."""
    run = fake.start()
    fake.pause(run, suspended=False)
    gate = await only(prefect, clock)
    fake.enter(run, end)
    assert await prefect.look(gate.ref, YES) == Gone(why)
    assert await prefect.answer(gate.ref, YES) == TooLate()


async def test_a_pause_whose_time_is_up_is_gone(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """The server fails its run."""
    fake.pause(fake.start(), timeout=timedelta(seconds=30))
    gate = await only(prefect, clock)
    clock.advance(timedelta(seconds=31))
    fake.expire()
    assert await prefect.look(gate.ref, None) == Gone("its time was up there")
    assert await prefect.waiting() == []


async def test_a_run_that_was_deleted_is_gone(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """Prefect answers 500 when such a run is resumed, so it is not."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.delete(run)
    assert await prefect.look(gate.ref, YES) == Gone("the run was deleted")
    assert await prefect.answer(gate.ref, YES) == TooLate()
    assert await prefect.answer(gate.ref, WITHDRAWAL) == TooLate()
    assert await prefect.run(gate.ref) is None


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("SCHEDULED", RunState.QUEUED),
        ("PENDING", RunState.QUEUED),
        ("RUNNING", RunState.RUNNING),
        ("COMPLETED", RunState.SUCCEEDED),
        ("FAILED", RunState.FAILED),
        ("CRASHED", RunState.FAILED),
        ("CANCELLING", RunState.CANCELLED),
        ("ODD", RunState.RUNNING),
    ],
)
async def test_how_a_run_stands(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, kind: str, state: RunState
) -> None:
    """In our words; a bad end names the task that failed."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    assert await prefect.run(gate.ref) == RunThere(RunState.PAUSED)
    fake.begin_task(run, "ship-1", "FAILED")
    fake.enter(run, kind)
    because = "ship-1" if state is RunState.FAILED else None
    assert await prefect.run(gate.ref) == RunThere(state, because)


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.GARBAGE, Trouble.DROP_BEFORE])
@pytest.mark.parametrize("part", ["flow_runs/filter", "flows/filter", "input/filter"])
async def test_a_server_in_trouble_is_unreachable(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, trouble: Trouble, part: str
) -> None:
    """Whatever request it strikes; the next try finds everything."""
    for _ in range(3):
        fake.pause(fake.start(), schema=FORM)
    clock.advance(timedelta(seconds=3))
    fake.server.faults.add(trouble, part=part)
    with pytest.raises(BackendUnreachable):
        await prefect.waiting()
    assert len(await prefect.waiting()) == 3


async def test_a_document_of_another_shape_is_unreachable(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """The error says where it does not fit, and not what stood there."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.runs[run]["state"]["timestamp"] = "hunter2"
    with pytest.raises(BackendUnreachable, match=r"staging: .*state\.timestamp") as caught:
        await prefect.look(gate.ref, None)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (PrefectKey("pnu_hunter2"), "Bearer pnu_hunter2"),
        (
            PrefectKey("admin:hunter2", is_auth_string=True),
            f"Basic {base64.b64encode(b'admin:hunter2').decode()}",
        ),
    ],
)
async def test_a_key_opens_the_door_and_is_told_nobody(
    fake: FakePrefect, clock: FakeClock, key: PrefectKey, header: str
) -> None:
    """A wrong one is denied; neither error nor repr shows it."""
    fake.authorization = header
    right = Prefect("staging", fake.url, key=key, clock=clock)
    wrong = Prefect("staging", fake.url, key=PrefectKey("hunter3"), clock=clock)
    assert await right.waiting() == []
    with pytest.raises(BackendDenied) as caught:
        await wrong.check()
    assert str(caught.value) == "staging: answered 401; check its key"
    assert "hunter" not in repr(right) + repr(key) + str(caught.value)
    await right.close()
    await wrong.close()


async def test_a_check_tells_what_can_be_told(fake: FakePrefect, prefect: Prefect) -> None:
    """The version, whether gates can be listed, and the other clock."""
    fake.ahead = timedelta(minutes=5)
    health = await prefect.check()
    assert (health.version, health.account) == ("3.9.1", "")
    assert (health.may_list, health.may_answer) == (True, None)
    assert (health.skew, health.warnings) == (timedelta(minutes=5), ())
    fake.version = "2.20.1"
    fake.is_well = False
    health = await prefect.check()
    assert health.warnings == (
        "It says itself that it is not well.",
        "It is Prefect 2.20.1; this is proven with 3.9.",
    )


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("http://prefect.example/api", True),
        ("https://prefect.example/api", False),
        ("http://127.0.0.1:4200/api", False),
    ],
)
def test_a_key_over_plain_http_is_warned_of(url: str, is_warned: bool) -> None:
    """Not on this machine, and not with https; nor where there is no key."""
    assert bool(warnings_of("3.9.1", url, has_key=True)) is is_warned
    assert warnings_of("3.9.1", url, has_key=False) == ()


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
