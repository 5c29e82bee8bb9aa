"""The graph as a value: how it is stored, and what its digest covers."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dag import (
    CatchUp,
    Dag,
    Gate,
    OnInterrupt,
    PythonCall,
    Schedule,
    Shell,
    Show,
    Task,
    dag_digest,
    dag_from_json,
    dag_to_json,
    policy_from_json,
    policy_to_json,
)
from engine.identity import Principal, Role
from engine.model import InputField, InputType, OnExpire, Policy, ReasonRule, TaskId, TaskState
from tests.engine.build import deploy_dag, gate, shell, when

FULL = Dag(
    name="everything",
    tenant="acme",
    directory="/srv/dags",
    python="/usr/bin/python3",
    params=(InputField(name="version", required=True, maximum=20),),
    schedule=Schedule(cron="0 6 * * mon", timezone="Europe/Berlin", catch_up=CatchUp.ALL),
    timeout=timedelta(minutes=90),
    max_parallel=2,
    tasks=(
        Task(
            id=TaskId("build"),
            work=Shell(command=("make", "all"), env={"A": "1"}, cwd="src"),
            retries=3,
            retry_delay=timedelta(seconds=1.5),
            timeout=timedelta(minutes=5),
            on_interrupt=OnInterrupt.RETRY,
        ),
        Task(
            id=TaskId("plan"),
            work=PythonCall(ref="pkg.module:plan", params={"n": 1, "deep": {"a": [1, None]}}),
            depends_on=(TaskId("build"),),
        ),
        Task(
            id=TaskId("release"),
            work=Gate(
                prompt="Ship {{ build__tag }}?",
                policy=Policy(
                    required_role=Role.ADMIN,
                    approvers=(Principal.parse("T012/U012AB"), Principal.parse("a@b.cd")),
                    quorum=2,
                    reject_quorum=3,
                    self_approval=True,
                    approve_reason=ReasonRule.REQUIRED,
                    reject_reason=ReasonRule.NONE,
                    inputs=(
                        InputField(
                            name="size",
                            type=InputType.CHOICE,
                            description="How big",
                            required=True,
                            default="s",
                            options=("s", "m"),
                        ),
                        InputField(name="n", type=InputType.NUMBER, minimum=1, maximum=2.5),
                    ),
                    expires_in=timedelta(hours=1, seconds=0.5),
                    on_expire=OnExpire.REJECT,
                ),
                show=(Show(label="Tag", source="build__tag", secret=True),),
                channel="C012",
            ),
            depends_on=(TaskId("plan"),),
        ),
        shell("undo", "release", when=when(release="rejected expired")),
    ),
)


@pytest.mark.parametrize(
    "dag", [FULL, deploy_dag(), Dag(name="empty", tasks=())], ids=["everything", "deploy", "empty"]
)
def test_a_stored_dag_reads_back_to_an_equal_value(dag: Dag) -> None:
    """Through JSON text and back nothing is lost, and the digest is the same."""
    stored = json.loads(json.dumps(dag_to_json(dag)))
    assert dag_from_json(stored) == dag
    assert dag_digest(dag_from_json(stored)) == dag_digest(dag)


def test_dags_keep_the_digests_they_have_had() -> None:
    """Runs are pinned to them: a field without a JSON Schema is stored as it always was."""
    assert dag_digest(FULL) == "a9e4d9f14b75b49701bebcfed3343f76bb5c6f8be4a6f018c12bc322c9dbd57a"


def test_a_policy_with_a_form_of_another_engine_reads_back_to_an_equal_value() -> None:
    """JSON Schemas, lists of options and defaults of any kind are kept, and count as declared."""
    policy = Policy(
        inputs=(
            InputField(
                name="on", type=InputType.CHOICES, options=("a", "b"), default=["a"], required=True
            ),
            InputField(
                name="plan",
                type=InputType.JSON,
                default={"steps": [1, None]},
                schema={"type": "object", "properties": {"steps": {"type": "array"}}},
            ),
        )
    )
    stored = json.loads(json.dumps(policy_to_json(policy)))
    assert policy_from_json(stored) == policy
    first, second = stored["inputs"]
    assert "schema" not in first
    assert second["schema"] == policy.inputs[1].schema


def test_a_dag_stored_by_an_older_signoff_reads_back() -> None:
    """Before schedules and limits were known, nothing was stored of them: the DAG has none."""
    stored = dag_to_json(deploy_dag())
    for key in ("schedule", "timeout", "max_parallel"):
        assert stored.pop(key) is None
    assert dag_from_json(stored) == deploy_dag()


def with_task(task_id: str, **changes: Any) -> Dag:
    tasks = tuple(replace(t, **changes) if t.id == task_id else t for t in FULL.tasks)
    return replace(FULL, tasks=tasks)


def with_policy(**changes: Any) -> Dag:
    work = FULL.task("release").work
    assert isinstance(work, Gate)
    return with_task("release", work=replace(work, policy=replace(work.policy, **changes)))


@pytest.mark.parametrize(
    "changed",
    [
        replace(FULL, name="other"),
        replace(FULL, tenant="other"),
        replace(FULL, directory="/srv/other"),
        replace(FULL, python=None),
        replace(FULL, params=()),
        replace(FULL, schedule=None),
        replace(FULL, timeout=None),
        replace(FULL, max_parallel=3),
        replace(FULL, tasks=FULL.tasks[:-1]),
        replace(FULL, tasks=FULL.tasks[::-1]),
        with_task("build", work=Shell(command="make all")),
        with_task("build", retries=2),
        with_task("build", timeout=None),
        with_task("build", on_interrupt=OnInterrupt.FAIL),
        with_task("plan", work=PythonCall(ref="pkg.module:plan", params={"n": 2})),
        with_task("plan", depends_on=()),
        with_task("undo", when=when(release="rejected")),
        with_policy(quorum=1),
        with_policy(approvers=()),
        with_policy(required_role=Role.OPERATOR),
        with_policy(self_approval=False),
        with_policy(expires_in=timedelta(hours=1)),
        with_policy(on_expire=OnExpire.FAIL),
    ],
    ids=[
        *("name", "tenant", "directory", "python", "parameters", "schedule", "run-timeout"),
        *("max-parallel", "fewer-tasks", "order", "command"),
        *("retries", "timeout", "on-interrupt", "params", "depends-on", "when", "quorum"),
        *("approvers", "role", "self-approval", "deadline", "on-expire"),
    ],
)
def test_whatever_is_declared_is_part_of_the_digest(changed: Dag) -> None:
    """A run is pinned to everything, so an edited DAG is another DAG."""
    assert dag_digest(changed) != dag_digest(FULL)


@given(
    st.builds(
        Policy,
        required_role=st.sampled_from(Role),
        approvers=st.lists(
            st.sampled_from(["U012AB", "S012AB", "os:ana", "a@b.cd"]).map(Principal.parse)
        ).map(tuple),
        quorum=st.integers(1, 50),
        reject_quorum=st.integers(1, 50),
        self_approval=st.booleans(),
        approve_reason=st.sampled_from(ReasonRule),
        reject_reason=st.sampled_from(ReasonRule),
        expires_in=st.timedeltas(timedelta(seconds=1), timedelta(days=365)),
        on_expire=st.sampled_from(OnExpire),
    )
)
def test_a_policy_reads_back_to_an_equal_value(policy: Policy) -> None:
    """Every rule a person decides under survives being stored."""
    assert policy_from_json(json.loads(json.dumps(policy_to_json(policy)))) == policy


def test_a_dag_knows_its_tasks_and_gates() -> None:
    """By id, and the checkpoints with what they ask."""
    assert FULL.task("plan").id == "plan"
    assert [(task.id, asks.prompt) for task, asks in FULL.gates] == [
        ("release", "Ship {{ build__tag }}?")
    ]
    with pytest.raises(KeyError):
        FULL.task("nothing")


def test_an_unknown_kind_of_work_is_not_guessed() -> None:
    """A definition stored by a newer version does not run as something else."""
    stored = dag_to_json(Dag(name="d", tasks=(gate("g"),)))
    stored["tasks"][0]["work"]["kind"] = "sensor"
    with pytest.raises(ValueError, match="unknown kind of work 'sensor'"):
        dag_from_json(stored)


def test_the_words_of_when_are_states_of_a_task() -> None:
    """What a `when` waits for is stored as the words people write."""
    (task,) = (t for t in dag_to_json(FULL)["tasks"] if t["id"] == "undo")
    assert task["when"] == {"release": ["expired", "rejected"]}
    assert {TaskState(word) for word in task["when"]["release"]} == {
        TaskState.EXPIRED,
        TaskState.REJECTED,
    }
