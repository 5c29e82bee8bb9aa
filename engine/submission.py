"""Asking for a run."""

from engine.dag import Dag
from engine.events import RunRefused, RunStarted
from engine.identity import Caller, Role
from engine.model import RunId, new_run_id
from engine.people import LocalMode, resolve
from engine.policy import Finding, Refused, Rule
from engine.store import runs, trail
from engine.store.writer import Tx


def submit(
    tx: Tx, dag: Dag, caller: Caller, host: str, local: LocalMode | None = None
) -> RunId | Refused:
    """Queue a run of this DAG on `host`. Needs Operator in the DAG's tenant."""
    candidate = resolve(tx, caller, dag.tenant, local)
    held = candidate.entitlement
    personal = trail.about(candidate.person_id, caller)
    if held is None or held.role < Role.OPERATOR:
        trail.append(
            tx,
            RunRefused(dag=dag.name, tenant=dag.tenant, person=candidate.person_id),
            personal,
        )
        found = "no role" if held is None else f"{held.role.label} ({held.source})"
        return Refused((Finding(Rule.ROLE, False, f"Operator in {dag.tenant}", found),))
    run_id = new_run_id()
    pinned = runs.insert(
        tx,
        run_id,
        dag,
        host=host,
        requester=candidate.person_id,
        requested_as=str(caller.identity),
    )
    trail.append(
        tx,
        RunStarted(
            run_id=run_id,
            dag=dag.name,
            dag_digest=pinned,
            tenant=dag.tenant,
            host=host,
            requester=candidate.person_id,
        ),
        personal,
    )
    return run_id
