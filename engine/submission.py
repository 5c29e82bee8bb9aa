"""Asking for a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.dag import Dag
from engine.errors import InvalidParams
from engine.events import RunRefused, RunStarted
from engine.identity import Caller, Identity, IdentityKind, PersonId, Role
from engine.inputs import parse_inputs
from engine.model import JsonObject, RunId, new_run_id
from engine.people import LocalMode, resolve
from engine.policy import Refused, enabled, holds
from engine.store import people, runs, trail
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

    Raises `InvalidParams`, to those who may run it.
    """
    candidate = resolve(tx, caller, dag.tenant, local)
    asked = _Asked(candidate.person_id, str(caller.identity), caller.name)
    needed = (enabled(candidate), holds(candidate, Role.OPERATOR, dag.tenant))
    if not all(finding.passed for finding in needed):
        refusal = RunRefused(dag=dag.name, tenant=dag.tenant, person=candidate.person_id)
        trail.append(tx, refusal, asked.personal)
        return Refused(needed)
    return _queue(tx, dag, host, asked, read_params(dag, params or {}))


def submit_tick(tx: Tx, dag: Dag, host: str, tick: datetime) -> RunId:
    """Queue the run of this DAG for a tick of its schedule, with the parameters' defaults.

    Whoever could write the DAG into the folder has authorised it: no role is asked for.
    """
    identity = Identity(IdentityKind.SCHEDULE, host, dag.name)
    name = f"schedule of {dag.name}"
    asked = _Asked(people.ensure_person(tx, identity, name), str(identity), name)
    return _queue(tx, dag, host, asked, read_params(dag, {}), tick)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asked for a run: the person, the account as text, and how they are called."""

    person_id: PersonId
    identity: str
    name: str

    @property
    def personal(self) -> trail.Personal:
        return trail.Personal(self.person_id, {"name": self.name, "identity": self.identity})


def _queue(
    tx: Tx,
    dag: Dag,
    host: str,
    asked: _Asked,
    params: JsonObject,
    tick: datetime | None = None,
) -> RunId:
    run_id = new_run_id()
    pinned = runs.insert(
        tx,
        run_id,
        dag,
        host=host,
        requester=asked.person_id,
        requested_as=asked.identity,
        params=params,
        scheduled_for=tick,
    )
    started = RunStarted(
        run_id=run_id,
        dag=dag.name,
        dag_digest=pinned,
        tenant=dag.tenant,
        host=host,
        requester=asked.person_id,
        scheduled_for=tick,
    )
    trail.append(tx, started, asked.personal)
    return run_id
