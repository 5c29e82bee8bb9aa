"""Rules in a run of our own: evaluated once as its checkpoint opens, and never a person's word."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import chain
from engine.asking import AskedAgain, ask_again
from engine.auto.evaluation import Failed
from engine.auto.outcomes import Came
from engine.dag import Gate, Show, Task
from engine.digest import digest
from engine.identity import Role
from engine.model import (
    AutoRule,
    Cause,
    Checkpoint,
    CheckpointState,
    Choice,
    InputField,
    Policy,
    ReasonRule,
    RunId,
    RunState,
    TaskState,
)
from engine.report import content
from engine.store import checkpoints, outbox, postings, trail
from tests.engine.running import ANA, Bench, after, task

PLAN = """echo '{"deletes": %d, "key": "s3cret-value"}' > "$SIGNOFF_OUTPUT" """
NO_DELETES = AutoRule("outputs.plan.deletes == 0", approves=True)
MANY = AutoRule("outputs.plan.deletes > 9", required_role=Role.ADMIN, quorum=2)
BROKEN = AutoRule("outputs.plan.nothing == 0", approves=True)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def asks(*rules: AutoRule, **policy: Any) -> Task:
    """The checkpoint `ok` behind `plan`."""
    shown = (Show(label="Key", source="plan__key", secret=True),)
    work = Gate(prompt="Apply it?", policy=Policy(auto=rules, **policy), show=shown)
    return task("ok", work, "plan")


def planned(deletes: int) -> Task:
    return task("plan", PLAN % deletes)


APPLY = task("apply", 'cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT"', "ok")


async def asked(bench: Bench, run_id: RunId) -> list[Checkpoint]:
    """The checkpoints of a run, the newest first."""
    return await bench.store.read(partial(checkpoints.listed, limit=10, run_id=run_id))


async def entries(bench: Bench, run_id: RunId, event: str) -> list[trail.Entry]:
    return await bench.store.read(lambda tx: list(trail.entries(tx, run_id=run_id, event=event)))


async def test_a_true_rule_approves_without_people(bench: Bench) -> None:
    """The run never pauses; who decided is the rule, and no decision of a person is written."""
    run_id, state = await bench.run(planned(0), asks(NO_DELETES), APPLY)
    assert state is RunState.SUCCEEDED
    [ended] = await asked(bench, run_id)
    assert (ended.state, ended.cause) == (CheckpointState.APPROVED, Cause.AUTO)
    assert await bench.output(run_id, "apply") == {
        "ok__decision": "approved",
        "ok__decided_by": "rule 1",
        "ok__reason": "outputs.plan.deletes == 0",
    }
    assert await bench.store.read(partial(checkpoints.decisions, checkpoint_id=ended.id)) == []
    assert await entries(bench, run_id, "decision_recorded") == []
    assert await entries(bench, run_id, "run_paused") == []


async def test_its_card_is_posted_all_the_same(bench: Bench) -> None:
    """Already settled: the one delivery draws what is true by then."""
    run_id, _ = await bench.run(planned(0), asks(NO_DELETES))
    [ended] = await asked(bench, run_id)
    [posting] = await bench.store.read(partial(postings.of_checkpoint, checkpoint_id=ended.id))
    assert (posting.shown_version, posting.wanted_version) == (0, ended.version)
    told = await bench.store.read(partial(outbox.deliveries, checkpoint_id=ended.id))
    assert [one.kind.value for one in told].count("posting") == 1


async def test_a_rule_that_does_not_hold_asks_people(bench: Bench) -> None:
    """Just as without it."""
    run_id, state = await bench.run(planned(3), asks(NO_DELETES), APPLY)
    assert state is RunState.PAUSED
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    [ended] = await asked(bench, run_id)
    assert (ended.cause, ended.rules[0].came) == (Cause.DECIDED, Came.FALSE)


async def test_more_people_are_asked_before_the_digest_is_made(bench: Bench) -> None:
    """What is raised is the request itself: policy, digest and audit alike say it."""
    run_id, _ = await bench.run(planned(12), asks(NO_DELETES, MANY))
    [waits] = await bench.pending(run_id)
    assert (waits.policy.required_role, waits.policy.quorum) == (Role.ADMIN, 2)
    assert waits.request_digest == digest(checkpoints.request_json(waits))
    [opened] = await entries(bench, run_id, "checkpoint_opened")
    assert content(opened, chain.FACTS)["required_role"] == "Admin"


async def test_one_failing_rule_keeps_all_others_from_approving(bench: Bench) -> None:
    """People are asked, and it is on record what failed, and why."""
    run_id, state = await bench.run(planned(0), asks(NO_DELETES, BROKEN))
    assert state is RunState.PAUSED
    [waits] = await bench.pending(run_id)
    approves, broken = waits.rules
    assert (approves.came, approves.why) == (Came.TRUE, "rule 2 failed")
    assert (broken.came, broken.why) == (Came.FAILED, "there is no 'nothing'")


async def test_what_was_evaluated_is_in_the_trail(bench: Bench) -> None:
    """Expression and outcome as facts; what was read beside them, where it can be erased."""
    look = AutoRule("outputs.plan.key == 'other' || params.api_token == 1", quorum=2)
    run_id, _ = await bench.run(planned(0), asks(NO_DELETES, look))
    [entry] = await entries(bench, run_id, "rules_evaluated")
    facts = content(entry, chain.FACTS)
    assert (facts["task"], "approved_by" in facts) == ("ok", False)
    assert facts["rules"][0] == {
        "rule": 1,
        "when": "outputs.plan.deletes == 0",
        "came": "true",
        "why": "rule 2 failed",
    }
    assert content(entry, chain.PERSONAL)["read"] == {
        "outputs.plan.deletes": "0",
        "outputs.plan.key": "[redacted]",
        "params.api_token": "[redacted]",
    }
    [waits] = await asked(bench, run_id)
    assert "s3cret" not in str((waits.rules, entry))


async def test_a_rule_is_evaluated_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else the run does meanwhile."""
    counted = []

    async def evaluate(questions: list[object]) -> list[bool]:
        counted.extend(questions)
        return [False] * len(questions)

    monkeypatch.setattr("engine.auto.rules.evaluate", evaluate)
    run_id, _ = await bench.run(planned(0), task("slow", "sleep 0.3"), asks(NO_DELETES, MANY))
    await bench.decide(run_id, Choice.APPROVE)
    await bench.drive(run_id)
    assert len(counted) == 2


async def test_what_an_evaluation_fails_with_asks_people(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out is no answer: neither a yes, nor a reason to ask for less."""

    async def evaluate(questions: list[object]) -> list[Failed]:
        return [Failed("it took longer than 5 s") for _ in questions]

    monkeypatch.setattr("engine.auto.rules.evaluate", evaluate)
    run_id, state = await bench.run(planned(0), asks(NO_DELETES, quorum=2))
    [waits] = await bench.pending(run_id)
    assert (state, waits.policy.quorum) == (RunState.PAUSED, 2)
    assert waits.rules[0].why == "it took longer than 5 s"


async def test_what_people_said_no_to_is_approved_by_no_rule(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that failed and holds now does not overrule them when the question is asked again."""
    told = iter([Failed("it took longer than 5 s"), True])

    async def evaluate(questions: list[object]) -> list[object]:
        return [next(told) for _ in questions]

    monkeypatch.setattr("engine.auto.rules.evaluate", evaluate)
    run_id, _ = await bench.run(planned(0), asks(NO_DELETES, reject_reason=ReasonRule.OPTIONAL))
    decided = await bench.decide(run_id, Choice.REJECT)
    assert await bench.drive(run_id) is RunState.FAILED
    again = partial(ask_again, checkpoint_id=decided.checkpoint.id, caller=ANA)
    assert isinstance(await bench.store.write(again), AskedAgain)
    assert await bench.drive(run_id) is RunState.PAUSED
    [waits] = await bench.pending(run_id)
    assert (waits.rules[0].came, waits.rules[0].why) == (Came.TRUE, "people were asked before")


async def test_a_form_is_filled_in_with_its_defaults_or_by_people(bench: Bench) -> None:
    """A rule invents nothing."""
    window = InputField(name="window", default="now")
    run_id, state = await bench.run(planned(0), asks(NO_DELETES, inputs=(window,)), APPLY)
    assert state is RunState.SUCCEEDED
    assert (await bench.output(run_id, "ok") or {})["window"] == "now"
    ticket = InputField(name="ticket", required=True)
    run_id, state = await bench.run(planned(0), asks(NO_DELETES, inputs=(ticket,)))
    [waits] = await bench.pending(run_id)
    assert waits.rules[0].why == "somebody must fill in ticket"


async def test_several_checkpoints_and_tasks_at_once(bench: Bench) -> None:
    """What a rule settles and what people must, beside tasks that run: nothing is lost or twice."""
    low, high = (asks(rule) for rule in (NO_DELETES, AutoRule("false", approves=True)))
    run_id, state = await bench.run(
        planned(0),
        low,
        task("people", high.work, "plan"),
        task("beside", "echo x >> beside", "plan"),
        task("behind", "echo x >> behind", "ok"),
        task("last", "true", "people", when=after(people=TaskState.REJECTED)),
    )
    assert state is RunState.PAUSED
    states = await bench.states(run_id)
    assert (states["ok"], states["behind"], states["people"]) == (
        "approved",
        "succeeded",
        "waiting",
    )
    await bench.decide(run_id, Choice.REJECT)
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    assert [(bench.folder / name).read_text() for name in ("beside", "behind")] == ["x\n"] * 2


async def test_a_run_of_nothing_but_a_rule_ends_by_itself(bench: Bench) -> None:
    """Parameters alone may be enough."""
    rule = AutoRule("params.env == 'test' && dag == 'demo' && task == 'ok'", approves=True)
    only = task("ok", Gate(prompt="?", policy=Policy(auto=(rule,))))
    dag = replace(bench.dag(only), params=(InputField(name="env"),))
    run_id = await bench.submit(dag, {"env": "test"})
    assert await bench.drive(run_id) is RunState.SUCCEEDED
