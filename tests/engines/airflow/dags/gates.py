"""One DAG for each kind of gate that Airflow has; `after` stands behind it."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import (
    ApprovalOperator,
    HITLBranchOperator,
    HITLEntryOperator,
    HITLOperator,
)
from airflow.sdk import DAG, Param

SOON = timedelta(seconds=1)  # Airflow looks at it every 15 seconds
FORM = {
    "rows": Param(10, type="integer", minimum=1, maximum=100, description="How many"),
    "note": Param(None, type=["null", "string"]),
}


def gate(name: str, operator: Any, **facts: Any) -> None:
    """A DAG with one gate and what stands behind it."""
    with DAG(f"gate_{name}", schedule=None, max_active_runs=50):
        asking = operator(task_id="ask", subject="Ship {{ dag.dag_id }}?", body="*All*.", **facts)
        asking.set_downstream(EmptyOperator(task_id="after"))


gate("approval", ApprovalOperator)
gate("paused", ApprovalOperator)
gate("approval_fails", ApprovalOperator, fail_on_reject=True)
gate("form", HITLEntryOperator, params=FORM)
gate("entry", HITLEntryOperator)
gate("single", HITLOperator, options=["red", "green"])
gate("several", HITLOperator, options=["red", "green", "blue"], multiple=True)
gate("assigned", ApprovalOperator, assigned_users={"id": "U0BEN", "name": "Ben"})
gate("defaults", HITLOperator, options=["a", "b"], defaults=["b"], response_timeout=SOON)
gate("no_defaults", HITLOperator, options=["a", "b"], response_timeout=SOON)

with DAG("gate_branch", schedule=None):
    HITLBranchOperator(
        task_id="ask", subject="Where?", options=["Left", "Right"], options_mapping={"Left": "left"}
    ).set_downstream([EmptyOperator(task_id="left"), EmptyOperator(task_id="Right")])

with DAG("gate_mapped", schedule=None):
    ApprovalOperator.partial(task_id="ask").expand(subject=["a", "b", "c"]).set_downstream(
        EmptyOperator(task_id="after", trigger_rule="all_done")
    )
