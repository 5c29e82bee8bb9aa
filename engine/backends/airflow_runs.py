"""The runs that gates wait in: fetched many at once, and only for gates not seen before."""

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice

from engine.backends.airflow_documents import DagRun, DagRuns, TaskInstance
from engine.backends.airflow_gates import ref_of, run_path
from engine.backends.airflow_login import AirflowAccount

_PAGE = 100  # the most that Airflow tells at once
_ACTIVE = ["queued", "running"]  # what a run with a waiting gate is

_Name = tuple[str, str]  # of a DAG, and of a run of it


class AirflowRuns:
    """What is known of runs: as much as the gates that waited last time are in."""

    def __init__(self, account: AirflowAccount) -> None:
        self._account = account
        self._known: dict[str, DagRun] = {}  # by the id of the task; another asking looks anew

    async def of(self, tasks: Sequence[TaskInstance]) -> dict[str, DagRun]:
        """The run of each task, by the task's id; none for a run that was deleted meanwhile."""
        unknown = [task for task in tasks if task.id not in self._known]
        fetched = await self._fetch({_name(task): task for task in unknown})
        known = {task.id: self._known.get(task.id) or fetched.get(_name(task)) for task in tasks}
        self._known = {key: run for key, run in known.items() if run is not None}
        return self._known

    async def _fetch(self, wanted: dict[_Name, TaskInstance]) -> dict[_Name, DagRun]:
        """Airflow lists runs by DAG and by time, not by name: so by the time of each hundred."""
        by_time = sorted(wanted.values(), key=lambda task: task.run_after)
        runs: dict[_Name, DagRun] = {}
        for some in _hundreds(by_time):
            runs |= await self._between(some)
        for name, task in wanted.items():
            if name not in runs and (run := await self._one(task)):
                runs[name] = run
        return runs

    async def _between(self, tasks: Sequence[TaskInstance]) -> dict[_Name, DagRun]:
        """The active runs of these tasks' DAGs between the first and the last of them."""
        wanted = {_name(task) for task in tasks}
        runs: dict[_Name, DagRun] = {}
        offset, total = 0, 1
        while offset < total and not wanted <= runs.keys():
            page = await self._page(tasks, offset)
            runs |= {(run.dag_id, run.dag_run_id): run for run in page.dag_runs}
            total = page.total_entries if page.dag_runs else 0
            offset += len(page.dag_runs)
        return runs

    async def _page(self, tasks: Sequence[TaskInstance], offset: int) -> DagRuns:
        body = {
            "dag_ids": sorted({task.dag_id for task in tasks}),
            "states": _ACTIVE,
            "run_after_gte": tasks[0].run_after.isoformat(),
            "run_after_lte": tasks[-1].run_after.isoformat(),
            "order_by": "run_after",
            "page_offset": offset,
            "page_limit": _PAGE,
        }
        answer = await self._account.ask("POST", "/api/v2/dags/~/dagRuns/list", body)
        return self._account.read(DagRuns, answer)

    async def _one(self, task: TaskInstance) -> DagRun | None:
        answer = await self._account.ask("GET", run_path(ref_of(task)))
        missing = answer.status == HTTPStatus.NOT_FOUND
        return None if missing else self._account.read(DagRun, answer)


def _name(task: TaskInstance) -> _Name:
    return task.dag_id, task.dag_run_id


def _hundreds(tasks: Iterable[TaskInstance]) -> Iterator[list[TaskInstance]]:
    rest = iter(tasks)
    while some := list(islice(rest, _PAGE)):
        yield some
