"""The older runner's tests, by their names: runs pause, resume and hand data on."""

from engine.dag import Task
from engine.model import Choice, InputField, RunState, TaskState
from engine.surfaces import AuditSurface
from tests.bot.cli.terminal import Terminal
from tests.engine.running import Bench, gate, task
from tests.parity.asking import lines_of

BUILD = """echo built >> work; echo '{"version": "1.4"}' > "$SIGNOFF_OUTPUT" """
HAND_OVER = """echo shipped >> work; cp "$SIGNOFF_INPUT" "$SIGNOFF_OUTPUT" """


def gated(*fields: str) -> tuple[Task, ...]:
    """Build, ask (with a form), ship."""
    form = tuple(InputField(name=name) for name in fields)
    return (
        task("build", BUILD),
        gate("approve", "build", inputs=form),
        task("ship", HAND_OVER, "build", "approve"),
    )


async def events(bench: Bench) -> list[str]:
    """The events surface, by the names of its lines."""
    return [line["event"] for line in await lines_of(bench.store, AuditSurface.EVENTS)]


def worked(bench: Bench) -> list[str]:
    """What the tasks did, in order."""
    return (bench.folder / "work").read_text().split()


async def test_dag_pauses_at_checkpoint(bench: Bench) -> None:
    """The run stops at its checkpoint: what comes before is done, nothing behind it starts."""
    run_id, state = await bench.run(*gated())
    assert state is RunState.PAUSED
    assert await bench.states(run_id) == {
        "build": TaskState.SUCCEEDED,
        "approve": TaskState.WAITING,
        "ship": TaskState.PENDING,
    }
    [checkpoint] = await bench.pending(run_id)
    assert (checkpoint.run_id, checkpoint.task_id) == (run_id, "approve")
    assert await events(bench) == ["dag_start", "task_start", "task_ok", "checkpoint_pending"]
    assert worked(bench) == ["built"]


async def test_resume_after_approval(bench: Bench) -> None:
    """The same run goes on to its success; what ran before the pause counts and is not rerun."""
    run_id, _ = await bench.run(*gated())
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    run = await bench.run_of(run_id)
    assert (run.id, run.state) == (run_id, RunState.SUCCEEDED)
    assert {t.attempt for t in (await bench.tasks(run_id)).values() if t.id != "approve"} == {1}
    assert worked(bench) == ["built", "shipped"]
    lines = await lines_of(bench.store, AuditSurface.EVENTS)
    assert [line["event"] for line in lines] == [
        "dag_start",
        "task_start",
        "task_ok",
        "checkpoint_pending",
        "checkpoint_approved",
        "dag_resumed",
        "task_start",
        "task_ok",
        "dag_done",
    ]
    assert {line["run_id"] for line in lines} == {run_id}
    assert lines[-1]["status"] == "succeeded"


def test_resume_without_approval_fails(terminal: Terminal) -> None:
    """Resuming a run whose checkpoint is open is refused as not approved, and changes nothing."""
    run, checkpoint = terminal.paused()
    before = terminal.json("runs", "show", run)
    result = terminal.run("resume", run)
    assert result.exit_code == 1
    assert f"not approved: {checkpoint}" in result.stderr
    assert terminal.json("runs", "show", run) == before


async def test_approval_data_passed_to_downstream_task(bench: Bench) -> None:
    """The next task finds the approval's data under the checkpoint's name, beside its parents'."""
    run_id, _ = await bench.run(*gated("region", "note"))
    await bench.decide(run_id, Choice.APPROVE, region="eu", note="quietly")
    await bench.drive(run_id)
    assert await bench.output(run_id, "ship") == {
        "build__version": "1.4",
        "approve__region": "eu",
        "approve__note": "quietly",
        "approve__decision": "approved",
        "approve__decided_by": "U0ANA",
        "approve__reason": "because",
    }


async def test_multiple_checkpoints_in_sequence(bench: Bench) -> None:
    """The run pauses at each in turn, and the last task has the data of all of them."""
    form = (InputField(name="note"),)
    run_id, state = await bench.run(
        task("build", BUILD),
        gate("qa", "build", inputs=form),
        task("stage", "echo staged >> work", "qa"),
        gate("ops", "stage", inputs=form),
        task("ship", HAND_OVER, "build", "qa", "ops"),
    )
    for name, note in (("qa", "first"), ("ops", "second")):
        assert state is RunState.PAUSED
        await bench.decide(run_id, Choice.APPROVE, name, note=note)
        state = await bench.drive(run_id)
    assert state is RunState.SUCCEEDED
    output = await bench.output(run_id, "ship")
    assert output is not None
    notes = (output["build__version"], output["qa__note"], output["ops__note"])
    assert notes == ("1.4", "first", "second")
    assert worked(bench) == ["built", "staged", "shipped"]


async def test_dag_without_checkpoint_completes_normally(bench: Bench) -> None:
    """Without a checkpoint a run goes through at once and asks nobody."""
    run_id, state = await bench.run(task("build", BUILD), task("ship", HAND_OVER, "build"))
    assert state is RunState.SUCCEEDED
    assert await bench.pending(run_id) == []
    assert await events(bench) == ["dag_start", *["task_start", "task_ok"] * 2, "dag_done"]
    assert worked(bench) == ["built", "shipped"]


def test_dry_run_with_checkpoint(terminal: Terminal) -> None:
    """A dry run prints the plan with its checkpoint, and writes nothing."""
    terminal.paused()
    runs, trail = terminal.json("runs", "list"), terminal.ok("audit", "export")
    file = str(terminal.folder / "deploy.yml")
    printed = terminal.ok("run", file, "--dry-run")
    order = [printed.index(name) for name in (" build ", " release ", " ship ")]
    assert order == sorted(order)
    plan = {task["id"]: task["kind"] for task in terminal.json("run", file, "--dry-run")["tasks"]}
    assert plan == {"build": "command", "release": "checkpoint", "ship": "command"}
    assert terminal.json("runs", "list") == runs
    assert terminal.ok("audit", "export") == trail
