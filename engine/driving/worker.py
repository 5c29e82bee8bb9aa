"""Finding runs to drive on this host, and driving many at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from engine.driving.bell import Bell
from engine.driving.doubt import Doubt
from engine.driving.runner import RunnerSettings, drive
from engine.driving.workplace import Workplace
from engine.errors import LeaseLost, RunNotFound, StoreError
from engine.liveness import is_dead_holder, this_process
from engine.model import RunId, RunState
from engine.store import leases, processes, runs
from engine.store.leases import Lapsed
from engine.store.writer import Store, Tx
from engine.tasks import Spare

_log = logging.getLogger(__name__)

_FREE_DEAD_S = 1.0
_MANY = 100  # runs looked at in one go


async def work(store: Store, settings: RunnerSettings, stop: asyncio.Event) -> None:
    """Drive the runs of this host until `stop` is set; then drain and return.

    While it works, `engine.store.processes.live_worker` finds it.
    """
    await free_dead(store, settings.host)
    await store.write(partial(_register, settings=settings))
    worker = _Worker(store, settings, stop)
    try:
        await worker.run()
    finally:
        await worker.close()
        with suppress(StoreError):
            await store.write(partial(processes.forget, process_id=settings.holder))


async def drive_here(store: Store, run_id: RunId, settings: RunnerSettings) -> RunState:
    """Drive one run in this process until it ends or pauses, and return that state.

    While somebody else drives it, wait for them, and go on should they die.
    Raises `RunNotFound`.
    """
    bell = Bell(store.changes(), settings.sweep.total_seconds())
    doubt = Doubt(settings.host, settings.holder, settings.lease_term)
    try:
        while True:
            await free_dead(store, settings.host)
            state = await _state(store, run_id)
            if state not in {RunState.QUEUED, RunState.RUNNING}:
                return state
            # On PostgreSQL every write rings every bell, ours too: look before asking.
            wanted, lapsed = await store.read(partial(_wanted, run_id=run_id, host=settings.host))
            doubted = doubt.about(lapsed, store.clock.monotonic())
            wanted = wanted and run_id not in doubted
            lease = await store.write(_acquiring(run_id, settings)) if wanted else None
            if lease is None:
                await bell.wait(settings.heartbeat.total_seconds())
                continue
            try:
                return await drive(store, lease, settings)
            except LeaseLost:
                _log.info("run %s is driven by somebody else now", run_id)
    finally:
        await bell.close()


async def free_dead(store: Store, host: str) -> None:
    """Let the runs of dead processes of this host be driven at once, before leases run out."""
    holders = await store.read(partial(leases.holders, host=host))
    for holder in holders:
        if is_dead_holder(holder, host):
            await store.write(partial(leases.free_leases_of, holder=holder))


class _Worker:
    """Claims runs and drives them. A drive that breaks is tried again when its lease is over."""

    def __init__(self, store: Store, settings: RunnerSettings, stop: asyncio.Event) -> None:
        self._store = store
        self._settings = settings
        self._stop = stop
        self._bell = Bell(store.changes(), settings.sweep.total_seconds())
        self._drives: dict[RunId, asyncio.Task[None]] = {}
        self._freed_at = -_FREE_DEAD_S
        self._doubt = Doubt(settings.host, settings.holder, settings.lease_term)
        self._workplace = Workplace(settings.max_tasks, Spare())
        self._background = [
            asyncio.create_task(self._await_stop()),
            asyncio.create_task(self._keep_seen()),
        ]

    async def run(self) -> None:
        """Claim and drive until asked to stop, then let the drives drain."""
        self._workplace.make_ready()
        while not self._stop.is_set():
            await self._survive(self._claim)
            await self._bell.wait(self._settings.sweep.total_seconds())
        await self._survive(self._say_gone)  # it claims nothing any more
        if self._drives:
            await asyncio.wait(self._drives.values())

    async def close(self) -> None:
        """End whatever still runs."""
        ending = [*self._drives.values(), *self._background]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._workplace.close()
        await self._bell.close()

    async def _claim(self) -> None:
        await self._free_dead()
        room = self._settings.max_runs - len(self._drives)
        if room <= 0:
            return
        waiting, lapsed = await self._store.read(partial(_waiting, host=self._settings.host))
        doubted = self._doubt.about(lapsed, self._store.clock.monotonic())
        free = [run_id for run_id in waiting if run_id not in doubted | self._drives.keys()]
        for run_id in free[:room]:
            self._drives[run_id] = asyncio.create_task(self._drive(run_id))
            self._drives[run_id].add_done_callback(partial(self._forget, run_id))

    async def _free_dead(self) -> None:
        """Now and then: looking for processes takes longer than finding a run to drive."""
        now = self._store.clock.monotonic()
        if now - self._freed_at >= _FREE_DEAD_S:
            self._freed_at = now
            await free_dead(self._store, self._settings.host)

    async def _drive(self, run_id: RunId) -> None:
        try:
            lease = await self._store.write(_acquiring(run_id, self._settings))
            if lease is not None:
                await drive(self._store, lease, self._settings, self._stop, self._workplace)
        except LeaseLost:
            _log.warning("run %s is driven by somebody else now", run_id)
        except Exception:  # noqa: BLE001 (one run in trouble must not stop the others)
            # The lease is kept on purpose: until it runs out nobody meets the same trouble.
            _log.exception("driving run %s failed; it is tried again in a while", run_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.heartbeat.total_seconds()):
                    await self._stop.wait()

    def _forget(self, run_id: RunId, _done: asyncio.Task[None]) -> None:
        del self._drives[run_id]
        self._bell.ring()

    async def _await_stop(self) -> None:
        await self._stop.wait()
        self._bell.ring()

    async def _keep_seen(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat.total_seconds())
            await self._survive(self._say_seen)

    async def _say_seen(self) -> None:
        await self._store.write(partial(processes.seen, process_id=self._settings.holder))

    async def _say_gone(self) -> None:
        await self._store.write(partial(processes.forget, process_id=self._settings.holder))

    async def _survive(self, attempt: Callable[[], Awaitable[None]]) -> None:
        try:
            await attempt()
        except StoreError as trouble:
            _log.warning("%s; trying again", trouble)


def _waiting(tx: Tx, host: str) -> tuple[list[RunId], list[Lapsed]]:
    return leases.drivable(tx, host, tx.now, _MANY), leases.lapsed(tx, host)


def _wanted(tx: Tx, run_id: RunId, host: str) -> tuple[bool, list[Lapsed]]:
    return leases.wants_driver(tx, run_id), leases.lapsed(tx, host)


def _acquiring(run_id: RunId, settings: RunnerSettings) -> Callable[[Tx], leases.Lease | None]:
    return partial(leases.acquire, run_id=run_id, holder=settings.holder, term=settings.lease_term)


def _register(tx: Tx, settings: RunnerSettings) -> None:
    pid, started = this_process()
    processes.forget_dead(tx, settings.host)
    processes.register(tx, settings.holder, processes.WORKER, settings.host, pid, started)


async def _state(store: Store, run_id: RunId) -> RunState:
    run = await store.read(partial(runs.load, run_id=run_id))
    if run is None:
        raise RunNotFound(run_id)
    return run.state
