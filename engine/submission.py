"""Asking for a run."""

from collections.abc import Mapping

from engine.dag import Dag
from engine.errors import InvalidParams
from engine.events import RunRefused, RunStarted
from engine.identity import Caller, Role
from engine.inputs import parse_inputs
from engine.model import JsonObject, RunId, new_run_id
from engine.people import LocalMode, resolve
from engine.policy import Refused, holds
from engine.store import runs, trail
from engine.store.writer import Tx


def read_params(dag: Dag, given: Mapping[str, object]) -> JsonObject:
    """What a run would be started with: the values that were given, and the defaults.

    Takes text as `--param` brings it, or typed JSON values. A parameter that was left out
    and has no default is absent. Raises `InvalidParams` with every problem.
    """
    known = ", ".join(field.name for field in dag.params) or "none"
    parsed = parse_inputs(dag.params, given, f"is not one of this DAG (it has: {known})")
    if parsed.errors:
        raise InvalidParams(parsed.errors)
    return parsed.values


def submit(
    tx: Tx,
    dag: Dag,
    caller: Caller,
    host: str,
    local: LocalMode | None = None,
    params: Mapping[str, object] | None = None,
) -> RunId | Refused:
    """Queue a run of this DAG on `host`, with parameters. Needs Operator in the DAG's tenant.

    Raises `InvalidParams` before anything is written.
    """
    values = read_params(dag, params or {})
    candidate = resolve(tx, caller, dag.tenant, local)
    personal = trail.about(candidate.person_id, caller)
    held = holds(candidate, Role.OPERATOR, dag.tenant)
    if not held.passed:
        trail.append(
            tx,
            RunRefused(dag=dag.name, tenant=dag.tenant, person=candidate.person_id),
            personal,
        )
        return Refused((held,))
    run_id = new_run_id()
    pinned = runs.insert(
        tx,
        run_id,
        dag,
        host=host,
        requester=candidate.person_id,
        requested_as=str(caller.identity),
        params=values,
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
