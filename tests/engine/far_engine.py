"""An engine elsewhere, in memory: it holds runs with gates, and fails in the ways real ones do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from engine.answering import HOLD, Answers
from engine.decisions import Decided, decide
from engine.errors import BackendUnreachable
from engine.gate_rules import BackendPlan, GateRule
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
    Starter,
    Taken,
    Told,
    TooLate,
    WaitingGate,
    Waits,
)
from engine.identity import Caller, Principal
from engine.model import Checkpoint, Choice, Effect, RunId, RunState
from engine.outbox import Outbox
from engine.policy import Answer
from engine.store import checkpoints, gates, outbox, runs
from engine.store.outbox import TO_BACKENDS
from engine.store.runs import Run
from engine.store.writer import Store, Tx
from engine.watching import Watch
from tests.engine.build import TENANT, FakeClock, caller, give_roles

T = TypeVar("T")

PLAN = BackendPlan(
    name="prod",
    kind=BackendKind.AIRFLOW,
    rules=(GateRule(tenant=TENANT),),
    users={"ana": Principal.parse("U0ANA"), "bob": Principal.parse("U0BOB")},
)
BY_SCHEDULE = Starter(by_schedule=True)
DOWN = "prod: cannot be reached"


@dataclass
class FarGate:
    """A gate, and what became of it. `effects` are the answers the engine acted on."""

    gate: WaitingGate
    said: Reply | None = None
    by: str = ""
    gone: Gone | None = None
    went_on: bool | None = None
    effects: list[str] = field(default_factory=list)


class FarEngine:
    """Holds gates by key. What an answer does there takes effect at once unless `slow`.

    `faults` are used up one a call: `before` breaks it before it does anything, `after` when it
    has been done and the reply is lost.
    """

    name = "prod"
    kind = BackendKind.AIRFLOW
    account = "signoff"

    def __init__(self) -> None:
        self.gates: dict[str, FarGate] = {}
        self.runs: dict[str, RunThere | None] = {}
        self.faults: Iterator[str] = iter(())
        self.asked: list[str] = []
        self.slow = False
        self.declines: str | None = None

    def opens(
        self,
        key: str = "ti-1",
        *,
        dag: str = "deploy",
        run: str = "manual-1",
        task: str = "approve",
        index: int = -1,
        options: Sequence[str] = ("Approve", "Reject"),
        starter: Starter = BY_SCHEDULE,
        **more: Any,
    ) -> GateRef:
        """A run comes to a gate."""
        ref = GateRef(key=key, dag=dag, run=run, task=task, index=index)
        gate = WaitingGate(
            ref=ref, prompt="Ship it?", options=tuple(options), starter=starter, **more
        )
        self.gates[key] = FarGate(gate)
        self.runs[run] = RunThere(RunState.RUNNING)
        return ref

    def answered_by(self, account: str, key: str = "ti-1", option: str = "Reject") -> None:
        """Somebody answers on the engine's own page."""
        far = self.gates[key]
        far.said, far.by, far.went_on = Reply(options=(option,)), account, True
        far.effects.append(f"{account}: {option}")

    def goes(self, key: str = "ti-1", why: str = "its task was cleared") -> None:
        """The gate is there no more."""
        self.gates[key].gone = Gone(why)

    async def waiting(self) -> list[WaitingGate]:
        self._call("waiting")
        open_ones = [far for far in self.gates.values() if far.said is None and far.gone is None]
        return self._replied([far.gate for far in open_ones])

    async def look(self, ref: GateRef, reply: Reply | None) -> Found:
        self._call("look")
        far = self.gates[ref.key]
        if far.gone is not None:
            return self._replied(far.gone)
        if far.said is None:
            return self._replied(Waits())
        is_ours = reply is not None and far.by == self.account and far.said.options == reply.options
        found = Answered(
            is_ours=is_ours,
            went_on=far.went_on,
            by=far.by,
            said=", ".join(far.said.options),
            found="the DAG is paused there",
        )
        return self._replied(found)

    async def answer(self, ref: GateRef, reply: Reply) -> Told:
        self._call("answer")
        far = self.gates[ref.key]
        if far.said is not None or far.gone is not None:
            return self._replied(TooLate())
        if self.declines is not None:
            return self._replied(Declined(self.declines))
        far.effects.append(f"{self.account}: {', '.join(reply.options) or 'withdrawn'}")
        if reply.withdraws:
            far.gone = Gone("its task is failed there", withdrawn=True)
        else:
            far.said, far.by, far.went_on = reply, self.account, None if self.slow else True
        return self._replied(Taken())

    async def run(self, ref: GateRef) -> RunThere | None:
        self._call("run")
        return self._replied(self.runs[ref.run])

    async def check(self) -> Health:
        self._call("check")
        return Health(version="1", account=self.account, may_list=True, may_answer=True)

    async def close(self) -> None:
        """Nothing is open."""

    def _call(self, verb: str) -> None:
        self.asked.append(verb)
        self._fault = next(self.faults, "")
        if self._fault == "before":
            raise BackendUnreachable(DOWN)

    def _replied(self, reply: T) -> T:
        if self._fault == "after":
            raise BackendUnreachable(DOWN)
        return reply


class Gated:
    """A store that watches a far engine, and the hands that a test needs."""

    def __init__(self, store: Store, clock: FakeClock, plan: BackendPlan = PLAN) -> None:
        self.store, self.clock, self.plan = store, clock, plan
        self.engine = FarEngine()
        self.every = timedelta(seconds=3)
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is remembered but what is in the database."""
        backends = {self.engine.name: self.engine}
        self.watch = Watch(self.store, self.engine, self.plan, every=self.every, surface="slack")
        self.outbox = Outbox(self.store, Answers(self.store, backends), "bot", kinds=TO_BACKENDS)

    async def asks(self, **gate: Any) -> Checkpoint:
        """The engine opens a gate, and people are asked; Ana and Bob may decide."""
        await self.store.write(_ana_and_bob)
        ref = self.engine.opens(**gate)
        await self.watch.read()
        return await self.latest(ref.key)

    async def decide(
        self,
        asked: Checkpoint,
        choice: Choice = Choice.APPROVE,
        *,
        who: Caller | None = None,
        **inputs: object,
    ) -> Decided:
        """A click of Ana, or of somebody else."""
        answer = Answer(
            choice=choice, reason="because", inputs=inputs, request_digest=asked.request_digest
        )
        act = partial(decide, checkpoint_id=asked.id, caller=who or caller("U0ANA"), answer=answer)
        outcome = await self.store.write(act)
        assert isinstance(outcome, Decided)
        return outcome

    async def settle(self, steps: int = 12, each: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass until the answers have come to rest."""
        self.clock.advance(HOLD)
        for _ in range(steps):
            await self.outbox.sweep()
            self.clock.advance(each)

    async def latest(self, key: str = "ti-1") -> Checkpoint:
        """The checkpoint of a gate that was asked last."""
        every = await self.all()
        return next(c for c in every if c.elsewhere is not None and c.elsewhere.key == key)

    async def all(self) -> list[Checkpoint]:
        """Every checkpoint, the newest first."""
        return await self.store.read(partial(checkpoints.listed, limit=100_000))

    async def now(self, asked: Checkpoint) -> Checkpoint:
        """A checkpoint as it is recorded now."""
        found = await self.store.read(partial(checkpoints.load, checkpoint_id=asked.id))
        assert found is not None
        return found

    async def effect(self, asked: Checkpoint) -> Effect:
        """What became of its end."""
        return (await self.now(asked)).effect

    async def note(self, asked: Checkpoint) -> str | None:
        """What people are told of its gate."""
        record = await self.store.read(partial(gates.load, checkpoint_id=asked.id))
        assert record is not None
        return record.note

    async def run(self, run_id: RunId) -> Run:
        """The run as it is recorded now."""
        found = await self.store.read(partial(runs.load, run_id=run_id))
        assert found is not None
        return found

    async def deliveries(self, asked: Checkpoint) -> dict[str, str]:
        """What the outside was or is to be told, by kind, with where that stands."""
        every = await self.store.read(partial(outbox.deliveries, checkpoint_id=asked.id))
        return {delivery.kind.value: delivery.state.value for delivery in every}


def _ana_and_bob(tx: Tx) -> None:
    give_roles(tx, "U0ANA", "U0BOB")
