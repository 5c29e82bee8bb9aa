"""Answers to gates elsewhere: whatever breaks, each takes effect once, or is known to be lost."""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import standstill
from engine.gates import Answered, Gone, Reply, Waits
from engine.model import CheckpointState, Choice, Effect, RunState
from engine.policy import Refused
from engine.queries import troubled_deliveries
from engine.replies import Applied, LookAgain, Lost, Say, next_step
from engine.store.outbox import DeliveryState
from engine.store.writer import Store
from tests.engine.build import FakeClock, caller, events
from tests.engine.far_engine import DOWN, Gated

YES, NO, WITHDRAWN = (
    Reply(options=("Approve",)),
    Reply(options=("Reject",), is_no=True),
    Reply(options=()),
)


@pytest.fixture
def gated(sqlite_store: Store, clock: FakeClock) -> Gated:
    """A far engine that is watched."""
    return Gated(sqlite_store, clock)


# What to make of what is found


def test_a_gate_that_waits_is_answered() -> None:
    """Also when we began to answer before: then it was not heard."""
    assert next_step(YES, Waits(), was_sent=False) == Say()
    assert next_step(YES, Waits(), was_sent=True) == Say()


def test_our_own_answer_is_followed_to_its_effect() -> None:
    """Taken is not applied: a DAG may be paused there, a task may fail over the answer."""
    ours = partial(Answered, is_ours=True, found="queued there")
    assert next_step(YES, ours(went_on=None), was_sent=True) == LookAgain("queued there")
    assert next_step(YES, ours(went_on=True), was_sent=True) == Applied()
    assert isinstance(next_step(YES, ours(went_on=False), was_sent=True), Lost)


@pytest.mark.parametrize("went_on", [None, True, False])
def test_the_answer_of_somebody_else_is_not_ours(went_on: bool | None) -> None:
    """Nor is one that says the same, from before we ever began to say it."""
    theirs = Answered(is_ours=False, went_on=went_on)
    assert next_step(YES, theirs, was_sent=True) == Lost(theirs)
    early = Answered(is_ours=True, went_on=went_on)
    assert next_step(YES, early, was_sent=False) == Lost(early)


def test_a_gate_that_is_gone_loses_an_answer_and_grants_a_withdrawal() -> None:
    """Nothing behind a gate that is gone runs, and a withdrawal wants no more than that."""
    gone = Gone("the run was deleted")
    for sent in (True, False):
        assert next_step(YES, gone, was_sent=sent) == Lost(gone)
        assert next_step(NO, gone, was_sent=sent) == Lost(gone)
        assert next_step(WITHDRAWN, gone, was_sent=sent) == Applied()


# Telling


async def test_an_answer_is_held_until_the_gate_has_been_open_for_three_seconds(
    gated: Gated, clock: FakeClock
) -> None:
    """A gate that is answered sooner may fail, so the engine is not even looked at."""
    asked = await gated.asks()
    await gated.decide(asked)
    gated.engine.asked.clear()
    await gated.outbox.sweep()
    clock.advance(timedelta(seconds=2.9))
    await gated.outbox.sweep()
    assert gated.engine.asked == []
    clock.advance(timedelta(seconds=0.1))
    await gated.outbox.sweep()
    assert gated.engine.asked == ["look", "answer"]
    assert await gated.store.read(troubled_deliveries) == []  # waiting is no trouble


async def test_a_gate_is_looked_at_before_it_is_answered_and_until_it_has_gone_on(
    gated: Gated,
) -> None:
    """While nothing comes of the answer the card says how it stands there, and why."""
    gated.engine.slow = True
    asked = await gated.asks()
    await gated.decide(asked)
    await gated.settle(steps=4)
    assert await gated.effect(asked) is Effect.PENDING
    assert await gated.note(asked) == "the DAG is paused there"
    assert gated.engine.asked.count("answer") == 1
    gated.engine.gates["ti-1"].went_on = True
    await gated.settle(steps=2)
    assert await gated.effect(asked) is Effect.APPLIED
    assert await gated.note(asked) is None


async def test_somebody_was_first_on_the_engines_own_page(gated: Gated) -> None:
    """People settled it here, and it has no effect: that is said, not hidden."""
    asked = await gated.asks()
    gated.engine.answered_by("bob", option="Reject")
    await gated.decide(asked)
    await gated.settle()
    ended = await gated.now(asked)
    assert (ended.state, ended.effect) == (CheckpointState.APPROVED, Effect.LOST_ELSEWHERE)
    assert await gated.note(asked) == "answered in Airflow by bob: Reject"
    assert "elsewhere" in await gated.deliveries(asked)
    assert gated.engine.gates["ti-1"].effects == ["bob: Reject"]
    assert "answer_lost" in await gated.store.read(events)
    assert (await gated.run(asked.run_id)).state is RunState.RUNNING


async def test_somebody_is_first_between_the_look_and_the_answer(gated: Gated) -> None:
    """The engine says that it is too late: it is looked at again, and found out."""
    asked = await gated.asks()
    await gated.decide(asked)
    tell = gated.engine.answer

    async def late(*given: object) -> object:
        gated.engine.answered_by("bob", option="Approve")
        return await tell(*given)  # type: ignore[arg-type]

    gated.engine.answer = late  # type: ignore[assignment,method-assign]
    await gated.settle()
    assert await gated.effect(asked) is Effect.LOST_ELSEWHERE
    assert gated.engine.gates["ti-1"].effects == ["bob: Approve"]


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_an_answer_whose_reply_was_lost_is_known_as_our_own(gated: Gated, fault: str) -> None:
    """Whether it was heard or not, it is said until it is heard, and counts once."""
    asked = await gated.asks()
    await gated.decide(asked)
    gated.engine.faults = iter(["", fault])  # the look works, the answer does not
    await gated.settle(steps=1)
    assert await gated.note(asked) == DOWN
    await gated.settle()
    assert await gated.effect(asked) is Effect.APPLIED
    assert gated.engine.gates["ti-1"].effects == ["signoff: Approve"]


async def test_a_backend_that_is_down_for_a_day_loses_no_answer(
    gated: Gated, clock: FakeClock
) -> None:
    """It is told when it is back, however long that takes; meanwhile the card says why not."""
    asked = await gated.asks()
    await gated.decide(asked)
    gated.engine.faults = iter(["before"] * 10_000)
    clock.advance(timedelta(hours=1))
    for _ in range(30):
        await gated.outbox.sweep()
        clock.advance(timedelta(hours=1))
    assert await gated.note(asked) == DOWN
    (trouble,) = await gated.store.read(troubled_deliveries)
    assert (trouble.state, trouble.error) == (DeliveryState.PENDING, DOWN)
    gated.engine.faults = iter(())
    await gated.settle()
    assert await gated.effect(asked) is Effect.APPLIED


async def test_an_answer_that_the_engine_declines_stays_and_says_why(gated: Gated) -> None:
    """Somebody can answer there, or mend what is wrong: it is tried again, seldom."""
    gated.engine.declines = "the form lacks `size`"
    asked = await gated.asks()
    await gated.decide(asked)
    await gated.settle(steps=3)
    assert (await gated.effect(asked), await gated.note(asked)) == (
        Effect.PENDING,
        "the form lacks `size`",
    )
    gated.engine.answered_by("bob", option="Approve")
    await gated.settle()
    assert await gated.effect(asked) is Effect.LOST_ELSEWHERE


async def test_a_standstill_holds_answers(gated: Gated) -> None:
    """While everything stands still nothing is set going on another engine either."""
    asked = await gated.asks()
    await gated.decide(asked)
    stop = await gated.store.write(partial(standstill.begin, caller=caller("U0BOB"), reason="down"))
    assert not isinstance(stop, Refused)
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == []
    await gated.store.write(partial(standstill.end, caller=caller("U0BOB")))
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == ["signoff: Approve"]


async def test_a_backend_that_is_not_configured_any_more_is_named(gated: Gated) -> None:
    """Its answers wait for it to come back, and say so."""
    asked = await gated.asks()
    await gated.decide(asked)
    gated.engine.name = "other"
    gated.restart()
    await gated.settle(steps=3)
    assert await gated.note(asked) == "there is no backend 'prod' in signoff.toml any more"
    assert await gated.effect(asked) is Effect.PENDING


# Whatever happens

_HAPPENINGS = st.lists(
    st.sampled_from(
        [
            "read", "answer", "restart", "before", "after", "approve", "reject", "bob", "clear",
            "back", "expire",
        ]
    ),
    max_size=25,
)  # fmt: skip


@pytest.mark.storm
@pytest.mark.timeout(240)
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(happenings=_HAPPENINGS)
async def test_whatever_happens_a_gate_has_one_effective_answer_and_the_record_agrees(
    tmp_path_factory: pytest.TempPathFactory, happenings: list[str]
) -> None:
    """Faults, crashes, clears, expiries and somebody on the engine's own page, in any order."""
    clock = FakeClock()
    folder = tmp_path_factory.mktemp("any")
    store = Store.open(f"sqlite:///{folder / 'signoff.sqlite'}", clock)
    try:
        gated = Gated(store, clock)
        asked = await gated.asks()
        for happening in happenings:
            await _happen(gated, happening)
            clock.advance(timedelta(seconds=2))
        gated.engine.faults = iter(())
        await gated.watch.attempt()
        await gated.settle()
        far = gated.engine.gates["ti-1"]
        assert len(far.effects) <= 1
        for checkpoint in await gated.all():
            assert checkpoint.is_open or checkpoint.effect is not Effect.PENDING
        applied = [
            c
            for c in await gated.all()
            if c.effect is Effect.APPLIED and c.state is CheckpointState.APPROVED
        ]
        assert len(applied) <= 1
        assert bool(applied) == (far.effects == ["signoff: Approve"])
        if (await gated.now(asked)).is_open:
            assert far.said is None
    finally:
        store.close()


async def _happen(gated: Gated, happening: str) -> None:
    far = gated.engine.gates["ti-1"]
    match happening:
        case "read":
            await gated.watch.attempt()
        case "answer":
            await gated.outbox.sweep()
        case "restart":
            gated.restart()
        case "before" | "after":
            gated.engine.faults = iter(["", happening])
        case "approve" | "reject":
            await gated.decide(await gated.latest(), Choice(happening))
        case "bob" if far.said is None and far.gone is None:
            gated.engine.answered_by("bob")
        case "clear" if far.said is None:
            gated.engine.goes()
        case "back" if far.gone is not None and not far.gone.withdrawn:
            far.gone = None
        case "expire":
            gated.clock.advance(timedelta(hours=30))
