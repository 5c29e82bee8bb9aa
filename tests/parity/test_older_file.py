"""A DAG file of the older format loads unchanged and runs to its end."""

from pathlib import Path

from engine.dag import Gate, PythonCall
from engine.dagfile import Defaults, load
from engine.identity import Role
from engine.model import Choice, InputField, InputType, RunState
from engine.tasks.check import check_dag
from tests.engine.running import Bench

OLDER = Path(__file__).with_name("older.yml")


async def test_an_older_file_loads_unchanged() -> None:
    """Every key of the older format is understood, and its callables are found."""
    dag = load(OLDER, Defaults())
    await check_dag(dag, str(OLDER))
    assert (dag.name, dag.tenant) == ("weekly-report", "local-dev")
    collect, approve, publish = dag.tasks
    assert collect.work == PythonCall(
        ref="older_workflows:collect", params={"source": "warehouse", "days": 7}
    )
    assert [task.retries for task in dag.tasks] == [2, 0, 1]
    assert publish.depends_on == ("collect", "approve_publish")
    assert isinstance(approve.work, Gate)
    assert approve.work.prompt == "Publish the weekly report?"
    assert approve.work.policy.required_role is Role.OPERATOR
    assert approve.work.policy.inputs == (
        InputField(
            name="audience", type=InputType.TEXT, description="Who will get it", required=True
        ),
        InputField(name="note", type=InputType.TEXT, description="Goes on the first page"),
    )


async def test_an_older_file_runs_to_its_end(bench: Bench) -> None:
    """The real runner drives it through its approval, whose data reaches the last task."""
    run_id = await bench.submit(load(OLDER, Defaults()))
    assert await bench.drive(run_id) is RunState.PAUSED
    await bench.decide(run_id, Choice.APPROVE, audience="everybody", note="well done")
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    assert await bench.output(run_id, "publish") == {
        "dry": False,
        "collect__rows": 700,
        "collect__origin": "warehouse",
        "approve_publish__audience": "everybody",
        "approve_publish__note": "well done",
        "approve_publish__decision": "approved",
        "approve_publish__decided_by": "U0ANA",
        "approve_publish__reason": "because",
    }
