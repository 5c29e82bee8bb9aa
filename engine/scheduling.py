"""Following schedules: every tick starts one run, whoever looks and however often."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from engine.dag import Dag, Schedule
from engine.dagfolder import DagFolder, Shelf
from engine.model import RunId
from engine.store import runs, schedules
from engine.store.schedules import Followed
from engine.store.writer import Store, Tx
from engine.submission import submit_tick
from engine.ticks import due, next_tick

log = logging.getLogger(__name__)

_ASTRAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at one schedule.

    `began` is why it is followed from now on only; `let_go` are the first and the last tick
    that were missed and are not made up for.
    """

    started: tuple[tuple[datetime, RunId], ...] = ()
    began: str | None = None
    let_go: tuple[datetime, datetime] | None = None


def follow(tx: Tx, dag: Dag, host: str) -> Look:
    """Start on `host` what the schedule of a DAG asks for now.

    How far it has been followed is moved in the same transaction as its runs are queued,
    so that no tick is started twice or half.
    """
    if dag.schedule is None:
        schedules.forget(tx, dag.tenant, dag.name)
        return Look()
    known = schedules.load(tx, dag.tenant, dag.name)
    began = _beginning(dag.schedule, known, tx.now)
    if known is None or began is not None:
        schedules.begin(tx, dag.tenant, dag.name, _declared(dag.schedule))
        return Look(began=began)
    found = due(dag.schedule, known.upto, tx.now)
    if found.upto == known.upto:
        return Look()
    if not schedules.move(tx, dag.tenant, dag.name, known.upto, found.upto):
        return Look()
    # A clock that went astray and was put right may bring a tick that was started before.
    fresh = [t for t in found.start if runs.of_tick(tx, dag.tenant, dag.name, t) is None]
    started = tuple((tick, submit_tick(tx, dag, host, tick)) for tick in fresh)
    return Look(started=started, let_go=found.let_go)


def _beginning(schedule: Schedule, known: Followed | None, now: datetime) -> str | None:
    """Why a schedule is followed from now on; None when it goes on from where it was."""
    if known is None:
        return "it is new"
    if known.declared != _declared(schedule):
        return "it has changed"
    if known.upto - now > _ASTRAY:
        return f"it was followed up to {known.upto.isoformat()}, by a clock that was wrong"
    return None


def _declared(schedule: Schedule) -> str:
    return f"{schedule.cron} {schedule.timezone}"


def wants_a_look(dag: Dag, known: Followed | None, now: datetime) -> bool:
    """Whether `follow` would change anything; asked of a snapshot, at every beat."""
    if dag.schedule is None:
        return known is not None
    if known is None or _beginning(dag.schedule, known, now) is not None:
        return True
    following = next_tick(dag.schedule, known.upto)
    return following is not None and following <= now


class Schedules:
    """Follows the schedules of the DAGs in a folder; runs belong to `host`."""

    def __init__(self, store: Store, folder: DagFolder, host: str) -> None:
        self._store = store
        self._folder = folder
        self._host = host
        self._told: frozenset[str] = frozenset()

    async def sweep(self) -> None:
        """Start what is due. Raises in the end what any DAG raised: it does not stop the others."""
        shelf = await asyncio.to_thread(self._folder.look)
        self._tell_broken(shelf)
        followed = await self._store.read(schedules.every)
        now = self._store.clock.now()
        failures: list[Exception] = []
        for one in shelf.filed:
            if wants_a_look(one.dag, followed.get(one.key), now):
                try:
                    await self._follow(one.dag)
                except Exception as error:  # noqa: BLE001 (raised below, with those of the others)
                    failures.append(error)
        if failures:
            raise ExceptionGroup("schedules could not be followed", failures)

    async def _follow(self, dag: Dag) -> None:
        look = await self._store.write(partial(follow, dag=dag, host=self._host))
        if look.began is not None:
            log.info("the schedule of %s is followed from now on: %s", dag.name, look.began)
        if look.let_go is not None:
            first, last = (tick.isoformat() for tick in look.let_go)
            log.warning("ticks of %s from %s to %s were missed, let go", dag.name, first, last)
        for tick, run_id in look.started:
            log.info("the schedule of %s started %s for %s", dag.name, run_id, tick.isoformat())

    def _tell_broken(self, shelf: Shelf) -> None:
        broken = frozenset(str(invalid) for invalid in shelf.broken)
        for told in sorted(broken - self._told):
            log.error("a DAG file is broken and counts for nothing until it is corrected: %s", told)
        self._told = broken
