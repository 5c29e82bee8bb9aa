"""What the adapter of Airflow reads from one gate."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from engine.gates import Reply, Taken
from engine.inputs import parse_inputs
from engine.model import InputType
from tests.engine.backends.airflow_stage import YES, FakeStage, staged
from tests.engine.backends.airflow_state import param
from tests.engine.build import NOW, FakeClock

SECOND = timedelta(seconds=1)


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Airflow, and the adapter that talks to it as Ana."""
    async with staged(clock) as stage:
        yield stage


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        (None, "Ship it?"),
        ("", "Ship it?"),
        ("*all* of it\nnow", "Ship it?\n\n*all* of it\nnow"),
    ],
)
async def test_the_prompt_is_plain_text(body: str | None, prompt: str, stage: FakeStage) -> None:
    """The subject, and below it the body as it was written."""
    stage.server.open(subject="Ship it?", body=body)
    [gate] = await stage.backend.waiting()
    assert gate.prompt == prompt


async def test_options_defaults_and_multiple(stage: FakeStage) -> None:
    """In Airflow's order."""
    stage.server.open(options=("b", "a", "c"), defaults=("a", "c"), multiple=True)
    [gate] = await stage.backend.waiting()
    assert (gate.options, gate.defaults, gate.multiple) == (("b", "a", "c"), ("a", "c"), True)
    assert gate.deadline is None


async def test_the_page_of_a_gate(stage: FakeStage) -> None:
    """As Airflow's own links have it."""
    gate = await stage.seen(stage.server.open(index=2))
    run = "manual__2026-03-02T09%3A30%3A01%2B00%3A00"
    page = f"/dags/release/runs/{run}/tasks/ask/required_actions?map_index=2"
    assert gate.url == stage.server.url + page


async def test_a_form_has_its_fields(stage: FakeStage) -> None:
    """With type, bounds, default and description."""
    rows = param(10, "How many", type="integer", minimum=1, maximum=100)
    gate = await stage.seen(stage.server.open(params={"rows": rows}))
    [field] = gate.fields
    assert (field.name, field.type, field.description) == ("rows", InputType.NUMBER, "How many")
    assert (field.default, field.minimum, field.maximum) == (10, 1, 100)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", InputType.TEXT),
        (3, InputType.NUMBER),
        (2.5, InputType.NUMBER),
        (True, InputType.BOOLEAN),
        ({"a": 1}, InputType.JSON),
        (None, InputType.JSON),
    ],
)
async def test_a_field_without_a_schema_goes_by_its_value(
    value: object, kind: InputType, stage: FakeStage
) -> None:
    """As in Airflow's own form."""
    gate = await stage.seen(stage.server.open(params={"plain": param(value)}))
    [field] = gate.fields
    assert (field.type, field.required) == (kind, False)
    assert field.default == value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"type": {"a": 1}},
        {"$ref": "https://example.com/schema"},
        {"type": "string", "pattern": "("},
    ],
)
async def test_a_schema_that_cannot_be_used_still_makes_a_field(
    schema: dict[str, Any], stage: FakeStage
) -> None:
    """It takes no value, and says so; the other gates are not held up by it."""
    stage.server.open(params={"odd": param(None, **schema)})
    stage.server.open(created_at=NOW + SECOND)
    odd, _plain = await stage.backend.waiting()
    [field] = odd.fields
    assert field.type is InputType.JSON
    assert parse_inputs(odd.fields, {"odd": '"a"'}).errors.keys() == {"odd"}


async def test_names_are_escaped_on_the_way(stage: FakeStage) -> None:
    """Whatever an Airflow allows in its names."""
    run = stage.server.start_run("a b/c%2F", user=None)
    run.id = "odd~id:with+plus é?#&=/.."
    stage.server.runs[run.dag, run.id] = run
    gate = await stage.seen(stage.server.open(run, task="ask.more-1"))
    assert await stage.backend.answer(gate.ref, YES) == Taken()
    assert await stage.backend.run(gate.ref) is not None


REASON = {"type": ["null", "string"], "maxLength": 3000}


async def test_a_text_for_the_reason_takes_the_decisions_reason(stage: FakeStage) -> None:
    """Nobody types it twice: exported DAGs have such a field, and it is not asked for again."""
    form = {"rows": param(10, type="integer"), "reason": param(None, "Why", **REASON)}
    gate = await stage.seen(stage.server.open(params=form, options=("OK",)))
    assert [field.name for field in gate.fields] == ["rows"]
    reply = Reply(options=("OK",), values={"rows": 5}, reason="small enough")
    assert isinstance(await stage.backend.answer(gate.ref, reply), Taken)
    assert await stage.result(gate.ref) == {"rows": 5, "reason": "small enough"}


@pytest.mark.parametrize(
    "schema",
    [{"type": "string"}, {**REASON, "maxLength": 20}, {**REASON, "enum": ["a", None]}],
    ids=["required", "short", "of a list"],
)
async def test_a_field_that_does_not_take_any_reason_is_a_field_like_others(
    schema: dict[str, Any], stage: FakeStage
) -> None:
    """What Airflow would refuse is asked for in the form."""
    gate = await stage.seen(stage.server.open(params={"reason": param(None, **schema)}))
    assert [field.name for field in gate.fields] == ["reason"]
