"""Airflow's human-in-the-loop tasks as gates, over its REST API. Run on Airflow 3.3."""

import logging
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from engine.backends.airflow_check import check
from engine.backends.airflow_documents import Dag, DagRun, Detail, Details, TaskInstances
from engine.backends.airflow_gates import (
    GATES_PATH,
    PARKED,
    dag_path,
    found,
    gate_of,
    held_up,
    is_waiting,
    note_of,
    params_input,
    ref_of,
    run_path,
    run_there,
    task_path,
)
from engine.backends.airflow_login import AirflowAccount, AirflowLogin
from engine.backends.airflow_runs import AirflowRuns
from engine.backends.http import Answer, Session
from engine.clock import Clock
from engine.errors import BackendDenied, BackendError, BackendUnreachable
from engine.gates import (
    Answered,
    BackendKind,
    Declined,
    Found,
    GateRef,
    Gone,
    Health,
    Reply,
    RunThere,
    Taken,
    Told,
    TooLate,
    WaitingGate,
)

_log = logging.getLogger(__name__)

_PAGE = 100  # the most that Airflow tells at once
_TOO_LATE = (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND)
_UNFIT = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)


class Airflow:
    """One Airflow, as one of its accounts. Fills the `Backend` port."""

    kind = BackendKind.AIRFLOW

    def __init__(
        self,
        name: str,
        url: str,
        *,
        login: AirflowLogin,
        clock: Clock,
        ca_file: str | None = None,
    ) -> None:
        """`url` is the root of Airflow's pages; `ca_file` the certificates it is trusted by."""
        self.name = name
        self._url = url.rstrip("/")
        self._session = Session(name, url, clock, ca_file)
        self._account = AirflowAccount(name, self._session, login)
        self._runs = AirflowRuns(self._account)

    def __repr__(self) -> str:
        return f"Airflow({self.name!r}, {self._url!r})"

    async def waiting(self) -> Sequence[WaitingGate]:
        """Every gate that waits, oldest first."""
        details: dict[str, Detail] = {}
        since: datetime | None = None
        offset = 0
        while True:
            page = await self._page(since, offset)
            details |= {detail.task_instance.id: detail for detail in page.hitl_details}
            offset += len(page.hitl_details)
            if not page.hitl_details or offset >= page.total_entries:
                break
            # Gates that are answered meanwhile leave the list, and would draw later ones to
            # pages already read: so the next page begins at a time, not at a number.
            last = page.hitl_details[-1].created_at
            since, offset = (last, 0) if last != since else (since, offset)
        runs = await self._runs.of([detail.task_instance for detail in details.values()])
        return [
            gate_of(detail, runs[key], self._url) for key, detail in details.items() if key in runs
        ]

    async def look(self, ref: GateRef, reply: Reply | None) -> Found:
        """How one gate stands."""
        detail = await self._detail(ref)
        if detail is None:
            is_there = await self._run(ref) is not None
            return Gone("its task was cleared there" if is_there else "its run was deleted there")
        me = await self._account.me()
        now = found(detail, ref, reply, me, self._session.on_our_clock)
        if isinstance(now, Answered) and now.went_on is None:
            dag = self._account.read(Dag, await self._account.ask("GET", dag_path(ref)))
            return held_up(now, is_paused=dag.is_paused)
        return now

    async def answer(self, ref: GateRef, reply: Reply) -> Told:
        """Answer a gate, or fail its task to withdraw it.

        It is looked at once more before: Airflow addresses a gate by its task, whatever that
        asks by now, and takes answers to gates that wait no more.
        """
        detail = await self._detail(ref)
        if detail is None or not is_waiting(detail, ref):
            return TooLate()
        if reply.withdraws:
            return await self._withdraw(ref, reply)
        form = params_input(detail, reply)
        if isinstance(form, Declined):
            return form
        body = {"chosen_options": list(reply.options), "params_input": form}
        answer = await self._account.ask("PATCH", f"{task_path(ref)}/hitlDetails", body)
        if answer.status == HTTPStatus.FORBIDDEN:
            raise BackendDenied(f"{self.name}: {await self._lacking(detail)}")
        told = self._told(answer)
        if isinstance(told, Taken) and detail.params and not detail.task_instance.note:
            await self._leave_note(ref, reply)
        return told

    async def run(self, ref: GateRef) -> RunThere | None:
        """How the run of a gate stands; None when it was deleted."""
        run = await self._run(ref)
        if run is None:
            return None
        return run_there(run, await self._failed_task(ref) if run.state == "failed" else None)

    async def check(self) -> Health:
        """Whether it can be used. Answers nothing."""
        return await check(self._session, self._account)

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    async def _page(self, since: datetime | None, offset: int) -> Details:
        query: dict[str, Any] = {
            "response_received": "false",
            "state": PARKED,
            "order_by": "created_at",
            "limit": _PAGE,
            "offset": offset,
        }
        if since is not None:
            query["created_at_gte"] = since.isoformat()
        answer = await self._account.ask("GET", f"{GATES_PATH}?{urlencode(query, doseq=True)}")
        return self._account.read(Details, answer)

    async def _detail(self, ref: GateRef) -> Detail | None:
        answer = await self._account.ask("GET", f"{task_path(ref)}/hitlDetails")
        missing = answer.status == HTTPStatus.NOT_FOUND
        return None if missing else self._account.read(Detail, answer)

    async def _run(self, ref: GateRef) -> DagRun | None:
        answer = await self._account.ask("GET", run_path(ref))
        missing = answer.status == HTTPStatus.NOT_FOUND
        return None if missing else self._account.read(DagRun, answer)

    async def _failed_task(self, ref: GateRef) -> str | None:
        """The task that failed a run first; one behind it that could not start does not count."""
        query = "state=failed&order_by=end_date&limit=1"
        answer = await self._account.ask("GET", f"{run_path(ref)}/taskInstances?{query}")
        failed = self._account.read(TaskInstances, answer).task_instances
        return ref_of(failed[0]).task_name if failed else None

    async def _withdraw(self, ref: GateRef, reply: Reply) -> Told:
        body = {"new_state": "failed", "note": note_of(reply)}
        answer = await self._account.ask("PATCH", task_path(ref), body)
        if answer.status == HTTPStatus.FORBIDDEN:
            told = "the account may not mark tasks as failed; give it the role User in Airflow"
            raise BackendDenied(f"{self.name}: {told}")
        return self._told(answer)

    def _told(self, answer: Answer) -> Told:
        if answer.is_ok:
            return Taken()
        if answer.status in _TOO_LATE:
            return TooLate()
        if answer.status in _UNFIT:
            return Declined(f"Airflow does not take it: {answer.detail}")
        raise BackendUnreachable(f"{self.name}: answered {answer.status} {answer.detail}")

    async def _lacking(self, detail: Detail) -> str:
        me = await self._account.me()
        if detail.assigned_users and me.id not in {user.id for user in detail.assigned_users}:
            task = ref_of(detail.task_instance).task_name
            return (
                f"only those assigned to {task!r} of {detail.task_instance.dag_id!r} may answer;"
                f" add {me.id!r} to its assigned_users"
            )
        return "the account may not answer gates; give it the role User in Airflow"

    async def _leave_note(self, ref: GateRef, reply: Reply) -> None:
        """Where a form leaves no room for it, the task's note says who decided."""
        try:
            answer = await self._account.ask("PATCH", task_path(ref), {"note": note_of(reply)})
        except BackendError as error:
            _log.warning("%s: no note was left at %s: %s", self.name, ref.task_name, error)
            return
        if not answer.is_ok:
            told = f"answered {answer.status} {answer.detail}"
            _log.warning("%s: no note was left at %s: %s", self.name, ref.task_name, told)
