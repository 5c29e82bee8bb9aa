"""Watching a backend: what waits there is asked here, what no longer waits is let go.

Reads only; answers are deliveries of their own. Nothing is concluded from a gate's absence in a
list, which may have been read while it changed: whatever seems gone is looked at by itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from engine import intake
from engine.auto.facts import Given
from engine.auto.outcomes import RuleOutcome
from engine.auto.rules import outcomes_of
from engine.errors import BackendError, StoreError
from engine.gate_rules import BackendPlan, GateRule
from engine.gates import WaitingGate, Waits
from engine.ports import Backend
from engine.store import gates
from engine.store.gates import GateRecord, GoingOn
from engine.store.writer import Store

log = logging.getLogger(__name__)

_BATCH = 20  # gates that one transaction takes in
_LOOKS = 100  # gates, and runs, that are looked at by themselves at one reading
_AT_ONCE = 4
_LEAST_REST_S = 0.1  # between two readings, however often somebody wakes us
_LONGEST_REST = timedelta(seconds=30)


class Watch:
    """Reads one backend, again and again, until stopped.

    Several on one database are harmless: a gate is asked about once.
    """

    def __init__(
        self, store: Store, backend: Backend, plan: BackendPlan, *, every: timedelta, surface: str
    ) -> None:
        self._store = store
        self._backend = backend
        self._plan = plan
        self._every = every
        self._surface = surface
        self._woken = asyncio.Event()
        self._failures = 0

    def wake(self) -> None:
        """Read now: somebody says that something waits."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read now, and every so often, until `stop` is set."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                self._woken.clear()
                await self.attempt()
                await asyncio.wait((stopping,), timeout=_LEAST_REST_S)
                woken = asyncio.ensure_future(self._woken.wait())
                await asyncio.wait(
                    (woken, stopping),
                    timeout=self._rest.total_seconds(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                woken.cancel()
        finally:
            stopping.cancel()

    @property
    def _rest(self) -> timedelta:
        """How long until the next reading; longer and longer while they fail."""
        if not self._failures:
            return self._every
        doubled: timedelta = self._every * 2 ** min(self._failures, 10)
        return min(doubled, max(self._every, _LONGEST_REST))

    async def attempt(self) -> None:
        """Read once; a failure is noted for whoever asks how the backend is."""
        try:
            await self.read()
        except BackendError as error:
            if not self._failures:
                log.warning("cannot read what waits: %s", error)
            await self._failed(str(error))
        except StoreError:
            log.exception("what waits on %s cannot be written down", self._plan.name)
            self._failures += 1
        except Exception as error:
            # A bug in reading one engine must neither end the watch nor vanish.
            log.exception("the watch over %s failed", self._plan.name)
            await self._failed(f"{self._plan.name}: {type(error).__name__}: {error}")
        else:
            if self._failures:
                log.info("%s can be read again", self._plan.name)
            self._failures = 0

    async def _failed(self, why: str) -> None:
        self._failures += 1
        plan = self._plan
        note = partial(gates.note_unread, name=plan.name, kind=plan.kind, error=why)
        try:
            await self._store.write(note)
        except StoreError:
            log.exception("the state of %s cannot be written down", plan.name)

    async def read(self) -> None:
        """Read once. Raises `BackendError`, `StoreError`."""
        began, read_at = self._store.clock.monotonic(), self._store.clock.now()
        waiting = await self._backend.waiting()
        await self._let_go({gate.ref.key for gate in waiting})
        await self._take_in(waiting, read_at)
        await self._follow_runs()
        took_s = self._store.clock.monotonic() - began
        plan = self._plan
        note = partial(
            gates.note_read, name=plan.name, kind=plan.kind, took_s=took_s, waiting=len(waiting)
        )
        await self._store.write(note)

    async def _take_in(self, waiting: Sequence[WaitingGate], read_at: datetime) -> None:
        look = partial(intake.unasked, plan=self._plan, waiting=waiting, read_at=read_at)
        fresh = await self._store.read(look)
        for start in range(0, len(fresh), _BATCH):
            batch = fresh[start : start + _BATCH]
            take = partial(
                intake.take_in,
                plan=self._plan,
                waiting=batch,
                read_at=read_at,
                surface=self._surface,
                rules=await self._rules_of(batch),
            )
            await self._store.write(take)

    async def _rules_of(self, waiting: Sequence[WaitingGate]) -> dict[str, tuple[RuleOutcome, ...]]:
        """What the rules of gates come to, by key; of a run elsewhere there are no outputs."""
        asked = {
            gate.ref.key: (rule.policy.auto, _given(gate, rule))
            for gate in waiting
            if (rule := self._plan.rule_for(gate.ref)).policy.auto
        }
        return dict(zip(asked, await outcomes_of(list(asked.values())), strict=True))

    async def _let_go(self, waiting: set[str]) -> None:
        look = partial(intake.missing, backend=self._plan.name, waiting=waiting)
        gone = await self._store.read(look)
        await _each(self._let_go_one, gone[:_LOOKS])

    async def _let_go_one(self, record: GateRecord) -> None:
        found = await self._backend.look(record.ref, None)
        if isinstance(found, Waits):
            return
        let = partial(
            intake.let_go,
            checkpoint_id=record.checkpoint_id,
            found=found,
            engine=self._plan.kind,
        )
        await self._store.write(let)

    async def _follow_runs(self) -> None:
        look = partial(gates.going_on, backend=self._plan.name, limit=_LOOKS)
        await _each(self._follow_run, await self._store.read(look))

    async def _follow_run(self, going: GoingOn) -> None:
        there = await self._backend.run(going.ref)
        await self._store.write(partial(intake.note_run, run_id=going.run_id, there=there))


def _given(gate: WaitingGate, rule: GateRule) -> Given:
    ref = gate.ref
    return Given(dag=ref.dag, task=ref.task_name, tenant=rule.tenant, params=gate.params)


T = TypeVar("T")


async def _each(look: Callable[[T], Awaitable[None]], every: Sequence[T]) -> None:
    """Look at each, a few at a time. Raises the first failure, once all have come to rest."""
    left = iter(every)

    async def some() -> None:
        for one in left:
            await look(one)

    ends = await asyncio.gather(*(some() for _ in range(_AT_ONCE)), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
