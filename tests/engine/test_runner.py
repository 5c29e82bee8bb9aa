"""Driving one run: what starts when, what is handed on, where it pauses and how it ends."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.dag import PythonCall
from engine.driving import advance
from engine.ending import expire_due
from engine.model import Choice, InputField, OnExpire, RunCause, RunState, TaskState
from engine.store import outbox, trail
from engine.store.checkpoints import listed
from engine.store.leases import Lease
from engine.store.writer import Tx
from tests.engine.running import Bench, after, decision, gate, task

APPROVE, REJECT = Choice.APPROVE, Choice.REJECT


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


async def events(bench: Bench, run_id: str) -> list[str]:
    """The names of the run's audit rows."""

    def read(tx: Tx) -> list[str]:
        return [entry.link.event for entry in trail.entries(tx, run_id=run_id)]

    return await bench.store.read(read)


class TestWithoutPeople:
    async def test_run_without_checkpoints_succeeds(self, bench: Bench) -> None:
        """A run ends once every task has, and says so in the trail."""
        run_id, state = await bench.run(task("a", "true"), task("b", "true", "a"))
        assert state is RunState.SUCCEEDED
        assert set((await bench.states(run_id)).values()) == {TaskState.SUCCEEDED}
        assert (await events(bench, run_id)) == ["run_started", "run_ended"]

    async def test_branches_run_at_the_same_time(self, bench: Bench) -> None:
        """Two tasks that each wait for the other's sign both finish."""
        meet = "touch {0}; until test -e {1}; do sleep 0.01; done"
        _, state = await bench.run(
            task("a", meet.format("a.sign", "b.sign"), timeout=timedelta(seconds=20)),
            task("b", meet.format("b.sign", "a.sign"), timeout=timedelta(seconds=20)),
        )
        assert state is RunState.SUCCEEDED

    async def test_no_more_tasks_run_at_once_than_allowed(self, bench: Bench) -> None:
        """`max_parallel` bounds the tasks of a run."""
        alone = "mkdir alone && sleep 0.05 && rmdir alone"
        bench.change(max_parallel=1)
        _, state = await bench.run(*(task(name, alone) for name in "abc"))
        assert state is RunState.SUCCEEDED

    async def test_children_get_their_parents_outputs_only(self, bench: Bench) -> None:
        """Outputs arrive as `task__key`: in the file, as variables, as keyword arguments."""
        (bench.folder / "jobs.py").write_text("def f(a__v, **rest): return {'v': a__v, **rest}")
        run_id, _ = await bench.run(
            task("a", """echo '{"v": 7}' > "$SIGNOFF_OUTPUT" """),
            task("b", PythonCall(ref="jobs:f"), "a"),
            task("c", 'cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT"; echo "v=$b__v a=$a__v"', "b"),
        )
        assert await bench.output(run_id, "b") == {"v": 7}
        assert await bench.output(run_id, "c") == {"b__v": 7}
        assert (await bench.tasks(run_id))["c"].log_tail == "v=7 a=\n"

    async def test_failing_task_fails_the_run_and_skips_dependents(self, bench: Bench) -> None:
        """What depends on a failure is skipped, to the last; other branches still run."""
        run_id, state = await bench.run(
            task("bad", "echo oops; exit 4"),
            task("child", "true", "bad"),
            task("grandchild", "true", "child"),
            task("other", "true"),
        )
        assert state is RunState.FAILED
        run = await bench.run_of(run_id)
        assert (run.cause, run.because) == (RunCause.TASK_FAILED, "bad")
        assert await bench.states(run_id) == {
            "bad": "failed",
            "child": "skipped",
            "grandchild": "skipped",
            "other": "succeeded",
        }
        bad = (await bench.tasks(run_id))["bad"]
        assert (bad.error, bad.log_tail) == ("ended with exit status 4", "oops\n")

    async def test_failure_is_tried_again_after_a_pause(self, bench: Bench) -> None:
        """Retries are spent one by one, and a later success counts."""
        flaky = "echo x >> tries; test $(wc -l < tries) -eq 3"
        run_id, state = await bench.run(
            task("a", flaky, retries=2, retry_delay=timedelta(seconds=0.01))
        )
        assert state is RunState.SUCCEEDED
        record = (await bench.tasks(run_id))["a"]
        assert (record.attempt, record.error) == (3, None)

    async def test_task_fails_when_its_retries_are_spent(self, bench: Bench) -> None:
        """One retry means two attempts, each with a log of its own."""
        run_id, state = await bench.run(
            task("a", "echo $SIGNOFF_ATTEMPT; exit 1", retries=1, retry_delay=timedelta())
        )
        assert state is RunState.FAILED
        logs = sorted((bench.folder / "logs" / run_id).iterdir())
        assert [log.read_text() for log in logs] == ["1\n", "2\n"]

    async def test_failure_can_be_handled(self, bench: Bench) -> None:
        """A task that waits for exactly that failure forgives it."""
        _, state = await bench.run(
            task("a", "false"), task("b", "true", "a", when=after(a=TaskState.FAILED))
        )
        assert state is RunState.SUCCEEDED

    async def test_many_tasks_are_driven_in_reasonable_time(self, bench: Bench) -> None:
        """A wide run ends, with every task run once."""
        run_id, state = await bench.run(*(task(f"t{n}", "echo x >> all") for n in range(40)))
        assert state is RunState.SUCCEEDED
        assert (bench.folder / "all").read_text() == "x\n" * 40
        assert {record.attempt for record in (await bench.tasks(run_id)).values()} == {1}


class TestPausing:
    async def test_run_pauses_at_a_checkpoint_and_resumes(self, bench: Bench) -> None:
        """What ran before the pause is kept, and handed on with the approval."""
        field = InputField(name="ticket")
        run_id, state = await bench.run(
            task("build", """echo ran >> ran; echo '{"v": 1}' > "$SIGNOFF_OUTPUT" """),
            gate("ok", "build", inputs=(field,)),
            task("ship", 'cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT"', "build", "ok"),
        )
        assert state is RunState.PAUSED
        assert (await bench.run_of(run_id)).state is RunState.PAUSED
        await bench.decide(run_id, APPROVE, ticket="OPS-1")
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert await bench.output(run_id, "ship") == {
            "build__v": 1,
            "ok__ticket": "OPS-1",
            "ok__decision": "approved",
            "ok__decided_by": "U0ANA",
            "ok__reason": "because",
        }
        assert (bench.folder / "ran").read_text() == "ran\n"
        assert await events(bench, run_id) == [
            "run_started",
            "checkpoint_opened",
            "run_paused",
            "decision_recorded",
            "checkpoint_ended",
            "run_resumed",
            "run_ended",
        ]

    async def test_rejection_fails_the_run(self, bench: Bench) -> None:
        """Nobody handled the no: the run failed because of it."""
        run_id, _ = await bench.run(gate("ok"), task("ship", "true", "ok"))
        await bench.decide(run_id, REJECT)
        assert await bench.drive(run_id) is RunState.FAILED
        run = await bench.run_of(run_id)
        assert (run.cause, run.because) == (RunCause.REJECTED, "ok")
        assert (await bench.states(run_id))["ship"] is TaskState.SKIPPED

    async def test_rejection_takes_the_reject_path(self, bench: Bench) -> None:
        """A task that waits for the no runs on it, and the run succeeds."""
        run_id, _ = await bench.run(
            gate("ok"),
            task("ship", "true", "ok"),
            task("undo", "true", "ok", when=after(ok=TaskState.REJECTED)),
        )
        await bench.decide(run_id, REJECT)
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert await bench.states(run_id) == {
            "ok": "rejected",
            "ship": "skipped",
            "undo": "succeeded",
        }

    @pytest.mark.parametrize(
        ("on_expire", "expected"),
        [(OnExpire.FAIL, RunState.FAILED), (OnExpire.REJECT, RunState.SUCCEEDED)],
    )
    async def test_expiry_fails_or_takes_the_reject_path(
        self, bench: Bench, on_expire: OnExpire, expected: RunState
    ) -> None:
        """The deadline does to the run what the checkpoint says."""
        run_id, _ = await bench.run(
            gate("ok", expires_in=timedelta(microseconds=1), on_expire=on_expire),
            task("undo", "true", "ok", when=after(ok=TaskState.REJECTED)),
        )
        [expired] = await bench.store.write(expire_due)
        assert expired.run_id == run_id
        assert await bench.drive(run_id) is expected
        assert (await bench.states(run_id))["ok"] is TaskState.EXPIRED

    async def test_checkpoints_in_sequence_keep_all_data(self, bench: Bench) -> None:
        """What the first approval gave is still there after the second."""
        note = (InputField(name="note"),)
        run_id, _ = await bench.run(
            gate("one", inputs=note),
            gate("two", "one", inputs=note),
            task("c", 'cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT"', "one", "two"),
        )
        await bench.decide(run_id, APPROVE, note="first")
        assert await bench.drive(run_id) is RunState.PAUSED
        await bench.decide(run_id, APPROVE, note="second")
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        output = await bench.output(run_id, "c")
        assert output is not None
        assert (output["one__note"], output["two__note"]) == ("first", "second")

    async def test_checkpoints_side_by_side_are_asked_at_once(self, bench: Bench) -> None:
        """Both wait; the run goes on with the branch of the one that is decided."""
        run_id, _ = await bench.run(
            gate("one"), gate("two"), task("a", "true", "one"), task("b", "true", "two")
        )
        await bench.decide(run_id, APPROVE, "two")
        assert await bench.drive(run_id) is RunState.PAUSED
        assert await bench.states(run_id) == {
            "one": "waiting",
            "two": "approved",
            "a": "pending",
            "b": "succeeded",
        }
        await bench.decide(run_id, APPROVE)
        assert await bench.drive(run_id) is RunState.SUCCEEDED

    async def test_checkpoint_as_first_and_last_task_finishes(self, bench: Bench) -> None:
        """Nothing has to follow an approval."""
        run_id, _ = await bench.run(gate("first"), gate("last", "first"))
        for _ in range(2):
            await bench.decide(run_id, APPROVE)
            state = await bench.drive(run_id)
        assert state is RunState.SUCCEEDED

    async def test_prompt_quotes_upstream_outputs(self, bench: Bench) -> None:
        """The request is rendered from what upstream tasks left."""
        run_id, _ = await bench.run(
            task("build", """echo '{"v": "1.4"}' > "$SIGNOFF_OUTPUT" """),
            gate("ok", "build", prompt="Ship {{ build__v }}?"),
        )
        [checkpoint] = await bench.pending(run_id)
        assert checkpoint.prompt == "Ship 1.4?"

    async def test_other_branch_goes_on_while_one_waits(self, bench: Bench) -> None:
        """A waiting checkpoint blocks its own branch only; the decision is noticed at once."""
        run_id = await bench.submit(
            bench.dag(
                gate("ok"),
                task("ship", "touch shipped", "ok"),
                task("other", "until test -e shipped; do sleep 0.01; done"),
            )
        )
        driving = asyncio.create_task(bench.drive(run_id))
        while not await bench.pending(run_id):
            await asyncio.sleep(0.01)
        await bench.decide(run_id, APPROVE)
        assert await driving is RunState.SUCCEEDED

    async def test_decision_at_the_moment_of_pausing_is_not_lost(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A checkpoint decided between looking and pausing makes the run go on."""
        taken = advance.take

        def take(tx: Tx, lease: Lease, **given: Any) -> advance.Turned:
            for checkpoint in listed(tx, limit=1, run_id=lease.run_id):
                if checkpoint.is_open:
                    decision(checkpoint, APPROVE)(tx)
            return taken(tx, lease, **given)

        monkeypatch.setattr(advance, "take", take)
        run_id, state = await bench.run(gate("ok"), task("slow", "true"), task("b", "true", "ok"))
        assert state is RunState.SUCCEEDED
        assert "run_paused" not in await events(bench, run_id)

    async def test_end_of_a_run_is_told_to_every_thread(self, bench: Bench) -> None:
        """Each checkpoint of the run gets one delivery about its end."""
        run_id, _ = await bench.run(gate("one"), gate("two"))
        ids = sorted(checkpoint.id for checkpoint in await bench.pending(run_id))
        await bench.decide(run_id, APPROVE, "one")
        await bench.decide(run_id, APPROVE, "two")
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        claimed = await bench.store.write(
            partial(outbox.claim, holder="test", term=timedelta(minutes=1), limit=50)
        )
        told = [d.checkpoint_id for d in claimed if d.kind is outbox.DeliveryKind.RUN_ENDED]
        assert sorted(told) == ids
