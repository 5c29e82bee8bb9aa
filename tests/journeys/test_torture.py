"""A storm of clicks, faults and `kill -9`, and the books are checked when it is over.

Everything random comes from one seed; what the processes make of it does not, so a
failure names the seed and keeps the logs of every bot in the folder of the test.
"""

import asyncio
import getpass
import random
import re
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from bot.cards import approval_card, expired_notice
from bot.outcomes import run_result
from bot.sandbox.person import CannotDo, NeverSeen, Person
from bot.sandbox.server import Sandbox
from bot.sandbox.values import Message
from engine import (
    Caller,
    Cause,
    CheckpointState,
    CheckpointView,
    Choice,
    DeliveryKind,
    DeliveryState,
    Identity,
    IdentityKind,
    Principal,
    Role,
    RunId,
    RunState,
    RunView,
    Store,
    Surface,
    TaskState,
    Tx,
    Verified,
    Wanted,
    checkpoint_view,
    deliveries_of,
    export_trail,
    load_dag,
    run_view,
    submit,
    sync_file,
    verify_trail,
)
from tests.journeys.processes import CONFIG, Signoff, kill
from tests.journeys.world import CHANNEL, MANIFEST, TENANT, settings_for

pytestmark = [pytest.mark.journey, pytest.mark.storm, pytest.mark.timeout(120)]

DECIDERS = ("U0ANA", "U0BOB", "U0OLA")
OTHERS = ("U0VIC", "U0GUS")  # a viewer and a guest, who may decide nothing
WORK = ("before", "between", "after")
GATES = ("first", "second")
BEHIND = {"between": "first", "after": "second"}
SPANS = {"1s": 0.2, "2s": 0.2, "3s": 0.3, "1h": 0.3}  # of deadlines, and how likely each is

DAG = """\
name: {name}
tasks:
  - {{id: before, on_interrupt: {interrupt}, run: {run}}}
  - {{id: first, type: checkpoint, depends_on: [before], expires_in: {span}, on_expire: {expire}}}
  - {{id: between, on_interrupt: {interrupt}, depends_on: [first], run: {run}}}
  - {{id: second, type: checkpoint, depends_on: [between], expires_in: {span}, quorum: {quorum}}}
  - {{id: after, on_interrupt: {interrupt}, depends_on: [second], run: {run}}}
"""
RUN = 'echo "$SIGNOFF_RUN_ID $SIGNOFF_TASK_ID $SIGNOFF_ATTEMPT" >> ran.txt; sleep 0.05'

CALLS = (
    *("chat.postMessage", "chat.update", "views.open", "views.update"),
    *("users.info", "conversations.list"),
)
MOST_TROUBLE = 6  # in store at once: a start that meets too much of it waits longer each time
_VOTE = re.compile(r"[✅❌] .+ (approved|rejected) \(\d of \d\)")


@dataclass(frozen=True)
class Sent:
    """A form that a person sent and saw accepted. No two give the same reason."""

    checkpoint_id: str
    choice: str
    reason: str


@dataclass
class Storm:
    """One installation under attack, and what was seen of it from outside."""

    signoff: Signoff
    store: Store
    chance: random.Random
    runs: list[RunId] = field(default_factory=list)
    acked: list[Sent] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    over: bool = False

    @property
    def sandbox(self) -> Sandbox:
        """The local Slack."""
        return self.signoff.sandbox

    @property
    def folder(self) -> Path:
        """Where everything of this installation is."""
        return self.signoff.folder

    async def start_run(self) -> None:
        """Ask for a run: any deadline, quorum, and word about interrupted tasks."""
        interrupt = self.chance.choice(["retry", "fail"])
        text = DAG.format(
            name=f"storm_{interrupt}",
            interrupt=interrupt,
            span=self.chance.choices(list(SPANS), list(SPANS.values()))[0],
            expire=self.chance.choice(["fail", "reject"]),
            quorum=self.chance.choice([1, 1, 2]),
            run=repr(RUN),
        )
        file = self.folder / "storm.yml"
        file.write_text(text)
        dag = load_dag(file, settings_for(self.folder, self.sandbox).defaults)
        host, user = socket.gethostname(), getpass.getuser()
        identity = Identity(IdentityKind.OS, host, user)
        caller = Caller(identity=identity, surface=Surface.CLI, name=user)
        started = await self.store.write(partial(submit, dag=dag, caller=caller, host=host))
        assert isinstance(started, str), started
        self.runs.append(started)

    def cards(self) -> list[Message]:
        """Every card in the channel, the oldest first."""
        listed = self.sandbox.workspace.messages[CHANNEL]
        return [m for m in listed if m.thread_ts is None and m.metadata]

    async def live(self, user: str) -> None:
        """Be a person who answers what waits until the storm is over."""
        async with Person(self.sandbox.url, user) as person:
            while not self.over:
                await asyncio.sleep(self.chance.uniform(0.0, 0.1))
                waiting = [m for m in self.cards() if "Approval needed" in m.text]
                if waiting:
                    newest = self.chance.random() < 0.3
                    card = waiting[-1] if newest else self.chance.choice(waiting[:3])
                    with suppress(CannotDo, NeverSeen):
                        await self.answer(person, card)

    async def answer(self, person: Person, card: Message) -> None:
        """Press a button, perhaps dawdle, and send the form."""
        with suppress(CannotDo):  # a form that could not be sent is still open
            await person.close_modal(everything=True)
        choice = self.chance.choices(["approve", "reject"], [0.8, 0.2])[0]
        if self.chance.random() < 0.2:
            self.sandbox.faults.add("twice", "delivery")
        await person.click(card.channel, card.ts, choice)
        form = await person.wait_for_modal(lambda view: "Loading" not in str(view), within=1.5)
        if form["callback_id"] != "decision_form":
            self.seen[f"{person.user_id} was shown no form"] += 1
            return
        if self.chance.random() < 0.1:
            await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        checkpoint_id, _, asked = form["private_metadata"].split(".")
        reason = f"{person.user_id} {self.chance.getrandbits(64):x}"
        sends = [person.submit({"reason": reason})]
        if self.chance.random() < 0.1:
            sends.append(person.submit({"reason": reason}))
        for result in await asyncio.gather(*sends, return_exceptions=True):
            if isinstance(result, BaseException):
                self.seen["form was gone"] += 1
                continue
            view = result.response.get("view") or {}
            title = view.get("title", {}).get("text", result.response.get("response_action"))
            self.seen[f"sent: {title if result.ok else result.error}"] += 1
            if result.ok and title in {"clear", "Recorded"}:
                self.acked.append(Sent(checkpoint_id, asked, reason))

    async def trouble(self) -> None:
        """Let Slack misbehave, now and then, in any way it can."""
        while not self.over:
            await asyncio.sleep(self.chance.uniform(0.1, 0.5))
            kind = self.chance.choice(
                ["ratelimited", "http_500", "drop_before", "drop_after", "drop_after", "slow"]
            )
            if len(self.sandbox.faults.pending()) >= MOST_TROUBLE:
                self.sandbox.faults.clear()
            ms, retry_after = self.chance.choice([100, 500, 1500]), self.chance.choice([0, 0, 1])
            self.sandbox.faults.add(kind, self.chance.choice(CALLS), ms=ms, retry_after=retry_after)
            self.seen[f"fault {kind}"] += 1

    async def rage(self, kills: Sequence[str], pause: tuple[float, float]) -> None:
        """Kill the bot, its worker, or both, and start the bot again."""
        left = deque(kills)
        while left:
            async with self.signoff.bot() as bot:
                victim = "worker"
                while left and victim == "worker":
                    await asyncio.sleep(self.chance.uniform(*pause))
                    victim = left.popleft()
                    self.seen[f"kill {victim}"] += 1
                    if victim != "bot":
                        _kill_workers(bot.pid)
                if victim != "worker":
                    await kill(bot)

    async def start_runs(self, most: int, pause: float) -> None:
        """Ask for runs, one after the other."""
        for _ in range(most):
            await self.start_run()
            await asyncio.sleep(pause)

    async def settle(self, within: float) -> None:
        """Wait until every run has ended and everything is told."""
        async with asyncio.timeout(within):
            while not all([(await self.run(run_id)).run.has_ended for run_id in self.runs]):
                await asyncio.sleep(0.1)
            self.over = True
            self.sandbox.faults.clear()
            while self.sandbox.slack.app._tasks or await self.untold():
                await asyncio.sleep(0.1)  # events on their way may tell of cards nobody knew of
            await asyncio.sleep(0.5)  # for what would be told too often
            while await self.untold():
                await asyncio.sleep(0.1)

    async def run(self, run_id: RunId) -> RunView:
        """A run as recorded."""
        view = await self.store.read(partial(run_view, run_id=run_id))
        assert view is not None
        return view

    async def views(self) -> list[CheckpointView]:
        """Every checkpoint of every run."""
        ids = [c.id for run_id in self.runs for c in (await self.run(run_id)).checkpoints]
        found = [await self.store.read(partial(checkpoint_view, checkpoint_id=i)) for i in ids]
        return [view for view in found if view is not None]

    async def untold(self) -> int:
        """How many deliveries are neither done nor given up."""
        told = 0
        for view in await self.views():
            wanted = partial(deliveries_of, checkpoint_id=view.checkpoint.id)
            told += sum(d.state is DeliveryState.PENDING for d in await self.store.read(wanted))
        return told

    async def trail(self) -> list[dict[str, Any]]:
        """The audit trail."""
        return await self.store.read(_trail)

    def ran(self) -> Counter[tuple[str, str, int]]:
        """How often each attempt of each task ran, by its own account."""
        file = self.folder / "ran.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        split = [line.split() for line in lines]
        return Counter((run_id, task, int(attempt)) for run_id, task, attempt in split)


def _trail(tx: Tx) -> list[dict[str, Any]]:
    return list(export_trail(tx))


def _kill_workers(bot_pid: int) -> None:
    with suppress(psutil.Error):
        for child in psutil.Process(bot_pid).children():
            if "worker" in child.cmdline():
                child.kill()


@asynccontextmanager
async def installed(folder: Path, seed: int, **extra: str) -> AsyncIterator[Storm]:
    """An installation with nothing running yet."""
    (folder / "signoff.toml").write_text(CONFIG.format(user=getpass.getuser()))
    async with Sandbox(manifest=MANIFEST, retry_delays=(0.3, 2.0, 8.0)) as sandbox:
        signoff = Signoff(folder, sandbox, extra)
        store = Store.open(signoff.environment["SIGNOFF_DATABASE_URL"])
        storm = Storm(signoff, store, random.Random(seed))
        try:
            yield storm
        finally:
            storm.over = True
            store.close()


async def weather(
    storm: Storm, *, kills: Sequence[str], pause: tuple[float, float], runs: int
) -> None:
    """Everything at once until all kills are done; then peace, one last bot, and time to settle."""
    # Who starts the runs; the bot reads the other roles from `signoff.toml`.
    starter = Wanted(Principal.parse(f"os:{getpass.getuser()}"), TENANT, Role.OPERATOR)
    await storm.store.write(partial(sync_file, wanted=[starter]))
    trouble = asyncio.create_task(storm.trouble())
    living = [asyncio.create_task(storm.live(user)) for user in (*DECIDERS, *OTHERS)]
    living.append(asyncio.create_task(storm.start_runs(runs, len(kills) * sum(pause) / runs)))
    try:
        await storm.rage(kills, pause)
        trouble.cancel()
        storm.sandbox.faults.clear()
        async with storm.signoff.bot():
            await living[-1]
            await storm.settle(within=60 + 3 * len(kills))
    finally:
        storm.over = True
        for task in (trouble, *living):
            task.cancel()
        ends = await asyncio.gather(trouble, *living, return_exceptions=True)
    broken = [e for e in ends if isinstance(e, Exception)]
    assert not broken, broken


async def wrongs(storm: Storm) -> list[str]:
    """What is not as promised. Empty is what everybody hopes for."""
    views, trail = await storm.views(), await storm.trail()
    verdict = await storm.store.read(verify_trail)
    found = [] if isinstance(verdict, Verified) else [f"audit: {verdict}"]
    found += _lost(storm, trail)
    found += _ends(views, trail)
    for run_id in storm.runs:
        found += _run_wrongs(await storm.run(run_id), storm.ran(), trail)
    for view in views:
        found += _decision_wrongs(view)
        told = await storm.store.read(partial(deliveries_of, checkpoint_id=view.checkpoint.id))
        found += [
            f"{view.checkpoint.id}: {d.kind} is {d.state}, {d.error}"
            for d in told
            if d.state not in {DeliveryState.DONE, DeliveryState.VOID}
        ]
        found += _card_wrongs(storm, view)
    return found


def _lost(storm: Storm, trail: list[dict[str, Any]]) -> Iterator[str]:
    """Acked means recorded, and what was sent is what is recorded; a doubled form counts once.

    It is written twice only when other votes had lapsed, or no longer, by the second time.
    """
    recorded = Counter(
        (Sent(e["checkpoint_id"], e["facts"]["choice"], e["personal"]["reason"]), _lapsed(e))
        for e in trail
        if e["event"] == "decision_recorded"
    )
    written = {sent for sent, _ in recorded}
    for sent in storm.acked:
        if sent not in written:
            yield f"LOST: {sent} was acknowledged and is not recorded"
    for (sent, _), times in recorded.items():
        if times > 1:
            yield f"{sent} was recorded {times} times"


def _lapsed(entry: dict[str, Any]) -> frozenset[str]:
    found = (finding.get("person") for finding in entry["personal"]["trace"])
    return frozenset(person for person in found if person)


def _ends(views: list[CheckpointView], trail: list[dict[str, Any]]) -> Iterator[str]:
    """One end each, in the record and in the trail."""
    written = Counter(e["checkpoint_id"] for e in trail if e["event"] == "checkpoint_ended")
    resumed = Counter(e["checkpoint_id"] for e in trail if e["event"] == "run_resumed")
    written_at = {
        e["checkpoint_id"]: datetime.fromisoformat(e["timestamp"])
        for e in trail
        if e["event"] == "checkpoint_ended"
    }
    for view in views:
        checkpoint = view.checkpoint
        ends, resumes = written[checkpoint.id], resumed[checkpoint.id]
        if ends != 1 or resumes > 1:
            yield f"{checkpoint.id}: {ends} ends, {resumes} resumes"
        elif checkpoint.cause is Cause.DEADLINE:
            if checkpoint.ended_at != checkpoint.expires_at:
                yield f"{checkpoint.id}: expired at {checkpoint.ended_at}, not at its deadline"
            if written_at[checkpoint.id] < checkpoint.expires_at:
                yield f"{checkpoint.id}: expired before its deadline"
        elif checkpoint.ended_at is None or checkpoint.ended_at >= checkpoint.expires_at:
            yield f"{checkpoint.id}: decided at {checkpoint.ended_at}, after its deadline"


def _decision_wrongs(view: CheckpointView) -> Iterator[str]:
    """Decided by those who may, as many as it takes, in time."""
    checkpoint = view.checkpoint
    for voice in view.voices:
        if voice.identity.subject not in DECIDERS:
            yield f"{checkpoint.id}: {voice.identity} decided"
        if voice.decided_at >= checkpoint.expires_at:
            yield f"{checkpoint.id}: {voice.identity} was counted after the deadline"
    votes = Counter(voice.choice for voice in view.voices)
    wanted = {
        CheckpointState.APPROVED: votes[Choice.APPROVE] >= checkpoint.policy.quorum,
        CheckpointState.REJECTED: votes[Choice.REJECT] >= 1,
        CheckpointState.EXPIRED: not votes[Choice.REJECT],
    }
    if not wanted.get(checkpoint.state, False):
        yield f"{checkpoint.id}: {checkpoint.state} with {dict(votes)}"


def _run_wrongs(
    view: RunView, ran: Counter[tuple[str, str, int]], trail: list[dict[str, Any]]
) -> Iterator[str]:
    """Ended once, rightly; each finished task ran once, and none behind a closed gate."""
    run = view.run
    ends = sum(e["event"] == "run_ended" and e["run_id"] == run.id for e in trail)
    if not run.has_ended or ends != 1:
        yield f"{run.id} is {run.state} after {ends} ends"
    states = {str(task_id): record.state for task_id, record in view.tasks.items()}
    gates = {str(checkpoint.task_id): checkpoint.state for checkpoint in view.checkpoints}
    if {t: str(s) for t, s in states.items() if t in gates} != {
        t: str(s) for t, s in gates.items()
    }:
        yield f"{run.id}: tasks {states}, checkpoints {gates}"
    all_well = all(s in {TaskState.SUCCEEDED, TaskState.APPROVED} for s in states.values())
    if (run.state is RunState.SUCCEEDED) != all_well:
        yield f"{run.id} is {run.state} with {states}"
    for task_id in WORK:
        record = next(r for r in view.tasks.values() if r.id == task_id)
        times = {n: c for (r, t, n), c in ran.items() if (r, t) == (run.id, task_id)}
        if any(count > 1 for count in times.values()) or any(n > record.attempt for n in times):
            yield f"{run.id}.{task_id}: attempts ran {times}, recorded are {record.attempt}"
        if record.state is TaskState.SUCCEEDED and times.get(record.attempt) != 1:
            yield f"{run.id}.{task_id} succeeded at attempt {record.attempt}, ran {times}"
        if record.attempt > 1 and not run.dag_name.endswith("retry"):
            yield f"{run.id}.{task_id} was tried again although it says fail"
        if record.state is TaskState.FAILED and "interrupted" not in str(record.error):
            yield f"{run.id}.{task_id} failed: {record.error}"
        gate = BEHIND.get(task_id)
        if times and gate and gates.get(gate) is not CheckpointState.APPROVED:
            yield f"{run.id}.{task_id} ran behind {gate}: {gates.get(gate)}"


def _card_wrongs(storm: Storm, view: CheckpointView) -> Iterator[str]:
    """Every copy shows the end; the thread says what followed, at least once."""
    checkpoint = view.checkpoint
    copies = [
        m for m in storm.cards() if m.metadata["event_payload"]["checkpoint"] == checkpoint.id
    ]
    if not copies:
        yield f"{checkpoint.id} has no card"
    storm.seen["doubled cards"] += max(0, len(copies) - 1)
    truth = approval_card(view).text
    for card in copies:
        if card.text != truth:
            yield f"{checkpoint.id} {card.ts} shows {card.text!r}, true is {truth!r}"
    known = {posting.handle for posting in view.postings}
    if any(card.ts not in known for card in copies):
        yield f"{checkpoint.id} has a copy that nobody knows of"
    if any(p.shown_version < p.wanted_version for p in view.postings):
        yield f"{checkpoint.id} has a posting that should show more"
    threads = {card.ts for card in copies}
    said = [m.text for m in storm.sandbox.workspace.messages[CHANNEL] if m.thread_ts in threads]
    wanted = {DeliveryKind.RUN_ENDED: run_result(view).text}
    if checkpoint.state is CheckpointState.EXPIRED:
        wanted[DeliveryKind.EXPIRED] = expired_notice(view).text
    for kind, text in wanted.items():
        if text not in said:
            yield f"{checkpoint.id}: its thread lacks {kind}: {said}"
        storm.seen[f"doubled {kind}"] += max(0, said.count(text) - 1)
    others = {text for text in said if not _VOTE.match(text)}  # those say what stood then
    if others - set(wanted.values()):
        yield f"{checkpoint.id}: its thread says {said}"


async def test_books_balance_after_a_storm(tmp_path: Path) -> None:
    """Clicks, faults and kills at random: nothing acknowledged is lost, nothing happens twice."""
    async with installed(tmp_path, seed=7) as storm:
        kills = ["worker", "bot", "both"]
        storm.chance.shuffle(kills)
        await weather(storm, kills=kills, pause=(0.3, 1.2), runs=10)
        assert await wrongs(storm) == []
        assert storm.acked
