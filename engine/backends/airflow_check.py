"""Whether an Airflow can be used, and with which rights. Changes nothing there."""

from http import HTTPStatus

from engine.backends.airflow_documents import Part, Parts, Version
from engine.backends.airflow_gates import GATES_PATH, task_path
from engine.backends.airflow_login import AirflowAccount
from engine.backends.http import Session
from engine.errors import BackendUnreachable
from engine.gates import GateRef, Health

_NOWHERE = "signoff-check"
_NO_GATE = GateRef(key="", dag=_NOWHERE, run=_NOWHERE, task=_NOWHERE)
_TESTED = "3.3."

# Airflow asks for the right first, then for the gate.
_RIGHTS: dict[int, bool] = {HTTPStatus.NOT_FOUND: True, HTTPStatus.FORBIDDEN: False}


async def check(session: Session, account: AirflowAccount) -> Health:
    """What can be told. Raises `BackendUnreachable`, or `BackendDenied` for a bad login."""
    told = await session.ask("GET", "/api/v2/version")
    version = account.read(Version, told).version
    me = await account.me()
    return Health(
        version=version,
        account=me.username,
        may_list=await _may_list(account),
        may_answer=await _may_answer(account),
        skew=session.skew,
        warnings=(*_of_version(version), *_of_scheduler(await _scheduler(session, account))),
    )


async def _may_list(account: AirflowAccount) -> bool:
    answer = await account.ask("GET", f"{GATES_PATH}?limit=1")
    if answer.is_ok or answer.status == HTTPStatus.FORBIDDEN:
        return answer.is_ok
    raise BackendUnreachable(f"{account.name}: answered {answer.status} {answer.detail}")


async def _may_answer(account: AirflowAccount) -> bool | None:
    path = f"{task_path(_NO_GATE)}/hitlDetails"
    answer = await account.ask("PATCH", path, {"chosen_options": [_NOWHERE]})
    return _RIGHTS.get(answer.status)


async def _scheduler(session: Session, account: AirflowAccount) -> Part:
    return account.read(Parts, await session.ask("GET", "/api/v2/monitor/health")).scheduler


def _of_version(version: str) -> tuple[str, ...]:
    if version.startswith(_TESTED):
        return ()
    return (f"This is Airflow {version}; only Airflow 3.3 was tested.",)


def _of_scheduler(part: Part) -> tuple[str, ...]:
    if part.status == "healthy":
        return ()
    told = "Airflow's scheduler is not healthy"
    return (f"{told}: gates are not opened, and answers take no effect, until it is.",)
