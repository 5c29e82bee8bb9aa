"""The faults of the older system, each by its name: none of them is here."""

import asyncio
import json
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.dag import Dag, dag_digest
from engine.dagfile import Defaults, parse
from engine.driving.worker import drive_here
from engine.ending import expire_due, sweep_expiry
from engine.errors import InvalidDag
from engine.identity import Role
from engine.mirror import Mirror
from engine.model import CheckpointState, Choice, InputField, Policy, RunCause, RunState, TaskState
from engine.policy import Accepted, Refused, Rule, Settled
from engine.queries import checkpoint_view
from engine.store import runs
from engine.store.writer import Store, Tx
from engine.surfaces import AuditSurface
from engine.views import Voice
from tests.bot.cli.terminal import OTHER, Terminal, me
from tests.engine.build import TENANT, FakeClock, events, rows
from tests.engine.running import Bench, gate, settings_in, task
from tests.parity.asking import asked, decided, is_given, state_of

PENDING, APPROVED, REJECTED, EXPIRED = (
    CheckpointState.PENDING,
    CheckpointState.APPROVED,
    CheckpointState.REJECTED,
    CheckpointState.EXPIRED,
)
APPROVE, REJECT = Choice.APPROVE, Choice.REJECT
KEEP = 'cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT"'
NOTE = (InputField(name="note"),)
TWO = Policy(quorum=2)


def tells(value: str) -> str:
    """A command that leaves a value and a trace."""
    return f"""echo x >> ran; echo '{{"value": "{value}"}}' > "$SIGNOFF_OUTPUT" """


def loaded(text: str) -> Dag:
    """A DAG file."""
    return parse(text, source="dag.yml", directory="/srv", defaults=Defaults())


class TestRuns:
    async def test_outputs_from_before_a_pause_are_not_lost_on_resume(self, bench: Bench) -> None:
        """A driver that knows nothing of the pause hands on what was made before it."""
        run_id, _ = await bench.run(
            task("make", tells("early")), gate("ok", "make"), task("use", KEEP, "make", "ok")
        )
        await bench.decide(run_id, APPROVE)
        later = Store.open(bench.url)
        try:
            assert await drive_here(later, run_id, settings_in(bench.folder)) is RunState.SUCCEEDED
        finally:
            later.close()
        output = await bench.output(run_id, "use")
        assert output is not None
        assert output["make__value"] == "early"

    async def test_first_checkpoints_data_is_not_lost_after_the_second(self, bench: Bench) -> None:
        """Both approvals' data are there at the end."""
        run_id, _ = await bench.run(
            gate("one", inputs=NOTE),
            gate("two", "one", inputs=NOTE),
            task("use", KEEP, "one", "two"),
        )
        for name in ("one", "two"):
            await bench.decide(run_id, APPROVE, name, note=f"said at {name}")
            await bench.drive(run_id)
        output = await bench.output(run_id, "use")
        assert output is not None
        assert (output["one__note"], output["two__note"]) == ("said at one", "said at two")

    async def test_resuming_twice_runs_no_finished_task_again(self, bench: Bench) -> None:
        """Two drivers at once, and a third afterwards, run each task once."""
        run_id, _ = await bench.run(
            task("make", tells("x")), gate("ok", "make"), task("use", "echo x >> ran", "ok")
        )
        await bench.decide(run_id, APPROVE)
        assert set(await asyncio.gather(bench.drive(run_id), bench.drive(run_id))) == {
            RunState.SUCCEEDED
        }
        assert await bench.drive(run_id) is RunState.SUCCEEDED
        assert (bench.folder / "ran").read_text() == "x\nx\n"

    async def test_checkpoint_as_last_task_finishes(self, bench: Bench) -> None:
        """A run whose last task is a checkpoint succeeds with its approval."""
        run_id, _ = await bench.run(task("make", "true"), gate("ok", "make"))
        await bench.decide(run_id, APPROVE)
        assert await bench.drive(run_id) is RunState.SUCCEEDED

    async def test_one_waiting_branch_does_not_block_the_others(self, bench: Bench) -> None:
        """Everything that does not depend on the open checkpoint is done when the run pauses."""
        run_id, state = await bench.run(
            gate("ok"),
            task("behind", "true", "ok"),
            task("beside", "true"),
            task("further", "true", "beside"),
        )
        assert state is RunState.PAUSED
        assert await bench.states(run_id) == {
            "ok": TaskState.WAITING,
            "behind": TaskState.PENDING,
            "beside": TaskState.SUCCEEDED,
            "further": TaskState.SUCCEEDED,
        }

    @pytest.mark.parametrize("end", [REJECTED, EXPIRED])
    async def test_rejection_and_expiry_close_the_run(
        self, bench: Bench, end: CheckpointState
    ) -> None:
        """A no, or no answer at all, ends the run, which says why; nothing hangs behind it."""
        soon = timedelta(microseconds=1) if end is EXPIRED else timedelta(hours=1)
        run_id, _ = await bench.run(gate("ok", expires_in=soon), task("ship", "true", "ok"))
        if end is EXPIRED:
            assert await sweep_expiry(bench.store) == 1
        else:
            await bench.decide(run_id, REJECT)
        assert await bench.drive(run_id) is RunState.FAILED
        run = await bench.run_of(run_id)
        assert (run.cause, run.because) == (RunCause(end), "ok")
        assert run.ended_at is not None
        assert (await bench.states(run_id))["ship"] is TaskState.SKIPPED

    async def test_what_a_worker_loads_still_asks(self, bench: Bench) -> None:
        """The stored definition, which workers drive, has every checkpoint of the file."""
        dag = bench.dag(gate("ok"), task("ship", "touch shipped", "ok"))
        run_id = await bench.submit(dag)
        stored = await bench.store.read(partial(runs.definition, digest=dag_digest(dag)))
        assert stored == dag
        assert await bench.drive(run_id) is RunState.PAUSED
        assert not (bench.folder / "shipped").exists()


class TestFiles:
    def test_mistyped_type_does_not_skip_the_gate(self) -> None:
        """A task of a type that does not exist is refused with its line."""
        with pytest.raises(InvalidDag, match=r"dag\.yml:4: .*chekpoint"):
            loaded("name: d\ntasks:\n  - id: ok\n    type: chekpoint\n")

    def test_dependency_listed_twice_is_no_cycle(self) -> None:
        """Naming a parent twice is naming it once."""
        dag = loaded(
            "name: d\ntasks:\n  - {id: a, run: 'true'}\n"
            "  - {id: b, run: 'true', depends_on: [a, a]}\n"
        )
        assert dag.task("b").depends_on == ("a",)

    def test_unknown_workflow_is_found_before_anything_runs(self, terminal: Terminal) -> None:
        """A callable that cannot be imported is told at once; there is no run."""
        file = terminal.write(
            "dag.yml",
            "name: d\ntasks:\n  - {id: first, run: touch ran}\n"
            "  - {id: second, workflow_ref: 'nowhere:f', depends_on: [first]}\n",
        )
        result = terminal.run("run", str(file))
        assert result.exit_code == 2
        assert "second" in result.stderr
        assert not (terminal.folder / "ran").exists()
        assert terminal.json("runs", "list") == []

    def test_edited_dag_does_not_restart_its_run(self, terminal: Terminal) -> None:
        """A paused run keeps the definition it was started with, and its finished tasks."""
        text = (
            "name: d\ntasks:\n  - {id: make, run: echo made >> ran}\n"
            "  - {id: ok, type: checkpoint, depends_on: [make], self_approval: true}\n"
            "  - {id: ship, run: echo shipped >> ran, depends_on: [ok]}\n"
        )
        file = terminal.write("dag.yml", text)
        run = terminal.json("run", str(file))
        terminal.write("dag.yml", text.replace("made", "EDITED").replace("shipped", "EDITED"))
        terminal.ok("checkpoints", "approve", run["checkpoints"][0]["id"])
        terminal.ok("resume", run["id"])
        assert (terminal.folder / "ran").read_text() == "made\nshipped\n"

    def test_second_pause_is_not_told_as_completion(self, terminal: Terminal) -> None:
        """Resuming into the next checkpoint says that it waits, and exits as paused."""
        file = terminal.write(
            "dag.yml",
            "name: d\ntasks:\n  - {id: one, type: checkpoint, self_approval: true}\n"
            "  - {id: two, type: checkpoint, self_approval: true, depends_on: [one]}\n",
        )
        run = terminal.json("run", str(file))
        terminal.ok("checkpoints", "approve", run["checkpoints"][0]["id"])
        result = terminal.run("resume", run["id"])
        assert result.exit_code == 3
        assert "succeeded" not in result.stdout
        assert "signoff checkpoints approve cp_" in result.stdout
        assert terminal.json("runs", "show", run["id"])["state"] == "paused"


class TestRecords:
    @pytest.mark.parametrize("second", [APPROVE, REJECT])
    async def test_two_answers_at_once_end_a_checkpoint_once(
        self, store: Store, clock: FakeClock, second: Choice
    ) -> None:
        """Two bots on one database, two people, one instant: one end, and one who is told no."""
        opened = await asked(store)
        for user in ("U0ANA", "U0BOB"):
            await is_given(store, user, Role.OPERATOR)
        other = Store.open(f"sqlite:///{store.path}", clock)
        try:
            outcomes = await asyncio.gather(
                decided(store, opened, "U0ANA", APPROVE), decided(other, opened, "U0BOB", second)
            )
        finally:
            other.close()
        kinds = sorted(type(outcome.ruling).__name__ for outcome in outcomes)
        assert kinds == ["Refused", "Settled"]
        assert (await store.read(events)).count("checkpoint_ended") == 1
        assert len(await store.read(partial(rows, table="decision"))) == 1

    async def test_one_malformed_line_breaks_nothing(self, store: Store, tmp_path: Path) -> None:
        """A line cut off by a crash, or written by somebody else, is skipped; the rest goes on."""
        path = tmp_path / "checkpoints.jsonl"
        await asked(store)
        await Mirror(store, AuditSurface.CHECKPOINTS, path).sweep()
        with path.open("a") as file:
            file.write('not json\n{"seq": 2, "event": "checkpoint_cre')
        await asked(store)
        await Mirror(store, AuditSurface.CHECKPOINTS, path).sweep()
        first, _, torn, second = path.read_text().splitlines()
        assert torn.endswith("checkpoint_cre")
        assert {json.loads(line)["event"] for line in (first, second)} == {"checkpoint_created"}

    async def test_denied_attempts_are_recorded(self, store: Store) -> None:
        """An attempt without the role leaves a row: who tried, and which rule said no."""
        opened = await asked(store)
        await decided(store, opened, "U0EVE")
        assert (await store.read(events))[-1] == "decision_refused"

        def facts(tx: Tx) -> dict[str, str]:
            *_, parts = [row for row in rows(tx, "audit_content") if row["part"] == "facts"]
            *_, personal = [row for row in rows(tx, "audit_content") if row["part"] == "personal"]
            return {"facts": parts["body"], "personal": personal["body"]}

        said = await store.read(facts)
        assert '"rules":["role"]' in said["facts"]
        assert "U0EVE" in said["personal"]


class TestDeadlines:
    @pytest.mark.parametrize("sweep_first", [True, False])
    async def test_exact_deadline_is_one_for_sweep_and_click(
        self, store: Store, clock: FakeClock, sweep_first: bool
    ) -> None:
        """At the very deadline it has expired for both, whichever comes first."""
        opened = await asked(store)
        await is_given(store, "U0ANA", Role.OPERATOR)
        clock.set(opened.expires_at)
        if sweep_first:
            assert len(await store.write(expire_due)) == 1
        outcome = await decided(store, opened)
        assert isinstance(outcome.ruling, Refused)
        assert outcome.ruling.names(Rule.OPEN)
        assert (outcome.checkpoint.state, outcome.checkpoint.ended_at) == (EXPIRED, clock.now())

    async def test_rejecting_after_the_deadline_is_refused_before_any_sweep(
        self, store: Store, clock: FakeClock
    ) -> None:
        """A late no does not count: the checkpoint expired, and is recorded as that."""
        opened = await asked(store)
        await is_given(store, "U0ANA", Role.OPERATOR)
        clock.set(opened.expires_at + timedelta(seconds=1))
        outcome = await decided(store, opened, choice=REJECT)
        assert isinstance(outcome.ruling, Refused)
        assert await state_of(store, opened) is EXPIRED


class TestPeople:
    async def test_roles_are_not_checked_on_the_command_line_only(self, store: Store) -> None:
        """The transaction that records a decision judges the role itself, for every surface."""
        opened = await asked(store)
        await is_given(store, "U0VIC", Role.VIEWER)
        outcome = await decided(store, opened, "U0VIC")
        assert isinstance(outcome.ruling, Refused)
        assert outcome.ruling.names(Rule.ROLE)

    async def test_identity_is_more_than_the_name_of_a_role(self, store: Store) -> None:
        """Two Operators are two people: each decision names a person, an account and the role."""
        first, second = await asked(store), await asked(store)
        for user, opened in (("U0ANA", first), ("U0BOB", second)):
            await is_given(store, user, Role.OPERATOR)
            await decided(store, opened, user)
        voices: list[Voice] = []
        for opened in (first, second):
            view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
            assert view is not None
            voices += view.voices
        assert len({voice.person.id for voice in voices}) == 2
        assert [voice.identity.subject for voice in voices] == ["U0ANA", "U0BOB"]
        assert {voice.role for voice in voices} == {Role.OPERATOR}

    async def test_role_in_another_tenant_does_not_approve(self, store: Store) -> None:
        """An Admin of one tenant is nobody in another."""
        opened = await asked(store, tenant=TENANT)
        await is_given(store, "U0ANA", Role.ADMIN, tenant="globex")
        outcome = await decided(store, opened)
        assert isinstance(outcome.ruling, Refused)
        assert outcome.ruling.names(Rule.ROLE)
        assert await state_of(store, opened) is PENDING

    async def test_reached_quorum_does_not_stay_pending(self, store: Store) -> None:
        """The answer that reaches the quorum ends the checkpoint in the same transaction."""
        opened = await asked(store, TWO)
        for user in ("U0ANA", "U0BOB"):
            await is_given(store, user, Role.OPERATOR)
        assert isinstance((await decided(store, opened, "U0ANA")).ruling, Accepted)
        assert await state_of(store, opened) is PENDING
        outcome = await decided(store, opened, "U0BOB", voters=("U0ANA",))
        assert isinstance(outcome.ruling, Settled)
        assert await state_of(store, opened) is APPROVED

    def test_plain_approve_does_not_bypass_quorum(self, terminal: Terminal) -> None:
        """On the command line too, one approval of two leaves the checkpoint open."""
        _, checkpoint = terminal.paused("self_approval: true\nquorum: 2")
        for _ in range(2):
            assert "1 of 2" in terminal.ok("checkpoints", "approve", checkpoint)
        assert terminal.json("checkpoints", "show", checkpoint)["status"] == "pending"
        terminal.roles(**{me(): "admin", OTHER: "operator"})
        terminal.become(OTHER)
        terminal.ok("checkpoints", "approve", checkpoint)
        assert terminal.json("checkpoints", "show", checkpoint)["status"] == "approved"

    async def test_not_anyone_can_sign(self, store: Store) -> None:
        """Towards a quorum only those count who could decide alone, and only while they could."""
        opened = await asked(store, TWO)
        for user, role in (("U0ANA", Role.OPERATOR), ("U0VIC", Role.VIEWER)):
            await is_given(store, user, role)
        for user in ("U0VIC", "U0EVE", "U0REQ"):
            assert isinstance((await decided(store, opened, user)).ruling, Refused)
        outcome = await decided(store, opened, "U0ANA", voters=("U0VIC", "U0EVE", "U0REQ"))
        assert isinstance(outcome.ruling, Accepted)
        assert (outcome.ruling.have, outcome.ruling.needed) == (1, 2)
        await is_given(store, "U0BOB", Role.OPERATOR)
        await is_given(store, "U0ANA", Role.VIEWER)
        outcome = await decided(store, opened, "U0BOB", voters=("U0ANA",))
        assert isinstance(outcome.ruling, Accepted)
        assert await state_of(store, opened) is PENDING

    async def test_nobody_signs_for_somebody_else(self, store: Store) -> None:
        """A vote is its caller's own: voting again, or naming others, adds nobody to the count."""
        opened = await asked(store, TWO)
        for user in ("U0ANA", "U0BOB"):
            await is_given(store, user, Role.OPERATOR)
        for reason in ("for me", "for Bob"):
            outcome = await decided(store, opened, reason=reason, voters=("U0BOB", "U0ANA"))
            assert isinstance(outcome.ruling, Accepted)
            assert (outcome.ruling.have, outcome.ruling.needed) == (1, 2)
        assert await state_of(store, opened) is PENDING
