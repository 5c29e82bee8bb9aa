"""What must hold after every step of any history of clicks, sweeps, roles and time.

The numbers in the comments: one end (1), all in one transaction (2), one resume (3),
the digest (4, 9), the deadline (6, 7), entitlement and quorum (8), repetition (10),
and the trail (11).
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import chain
from engine.attempts import Missing
from engine.breaking import BrokenGlass, break_glass
from engine.decisions import Decided, decide, expire_now
from engine.ending import expire_due
from engine.identity import Caller, Role
from engine.model import Cause, Checkpoint, CheckpointState, Choice, OnExpire, Policy
from engine.policy import Accepted, Refused, Settled
from engine.reviewing import Signed, sign_review
from engine.store import checkpoints, trail
from engine.store.writer import Store, Tx
from tests.engine.build import (
    FakeClock,
    answer,
    caller,
    everything,
    give_role,
    rows,
    take_role,
    waiting,
)

T = TypeVar("T")

PEOPLE = ("U0ANA", "U0BOB", "U0CID", "U0REQ")
ENDS = {s.value for s in CheckpointState if s is not CheckpointState.PENDING}


class History:
    """A few checkpoints, a few people, and a clock; every step is checked."""

    def __init__(self, store: Store, clock: FakeClock, runner: asyncio.Runner) -> None:
        self._store = store
        self._clock = clock
        self._runner = runner
        self.opened: list[Checkpoint] = []
        self.ended: dict[str, Checkpoint] = {}
        self._trail: list[str] = []
        self.roles: dict[str, Role | None] = dict.fromkeys(PEOPLE)
        self.broken: dict[str, str] = {}  # checkpoint -> who broke its glass

    def write(self, work: Callable[[Tx], T]) -> T:
        return self._runner.run(self._store.write(work))

    def read(self, work: Callable[[Tx], T]) -> T:
        return self._runner.run(self._store.read(work))

    # Steps

    def open(self, policy: Policy) -> None:
        self.opened.append(self.write(partial(waiting, policy=policy)))

    def set_role(self, user: str, role: Role | None) -> None:
        if role is None:
            self.write(partial(take_role, user=user))
        else:
            self.write(partial(give_role, user=user, role=role))
        self.roles[user] = role

    def advance(self, by: timedelta) -> None:
        self._clock.advance(by)

    def sweep(self) -> None:
        for ended in self.write(expire_due):
            assert ended.expires_at <= self._clock.now()

    def force(self, index: int, user: str) -> None:
        outcome = self.write(
            partial(expire_now, checkpoint_id=self._pick(index).id, caller=caller(user))
        )
        if isinstance(outcome, Checkpoint):
            role = self.roles[user]
            assert role is not None
            assert role >= Role.OPERATOR

    def click(
        self, index: int, user: str, choice: Choice, times: int, digest: str, seen: list[str]
    ) -> None:
        opened = self._pick(index)
        said = answer(choice, digest=digest or opened.request_digest)
        who, voters = caller(user), tuple(map(caller, seen))
        work = partial(decide, checkpoint_id=opened.id, caller=who, answer=said, voters=voters)
        first = self.write(work)
        self._check_answer(opened, user, choice, digest, first)
        after = self.read(everything)
        for _ in range(times - 1):
            self._check_repetition(first, self.write(work), after)

    def break_glass(self, index: int, user: str, choice: Choice, reason: str) -> None:
        opened = self._pick(index)
        said = answer(choice, reason=reason, digest=opened.request_digest)
        work = partial(break_glass, checkpoint_id=opened.id, caller=caller(user), answer=said)
        outcome = self.write(work)
        if not isinstance(outcome, BrokenGlass):
            return
        assert self.roles[user] is Role.ADMIN
        assert self._clock.now() < opened.expires_at
        assert outcome.ruling.overridden
        assert len(reason) >= 10
        self.broken[opened.id] = user

    def sign(self, index: int, user: str) -> None:
        opened = self._pick(index)
        work = partial(
            sign_review,
            checkpoint_id=opened.id,
            caller=caller(user),
            note="seen",
            request_digest=opened.request_digest,
        )
        if isinstance(self.write(work), Signed):
            role = self.roles[user]
            assert role is not None
            assert role >= Role.OPERATOR
            assert user not in {self.broken[opened.id], "U0REQ"}

    def _pick(self, index: int) -> Checkpoint:
        return self.opened[index % len(self.opened)]

    # Invariants

    def _check_answer(
        self, opened: Checkpoint, user: str, choice: Choice, digest: str, outcome: Decided | Missing
    ) -> None:
        assert isinstance(outcome, Decided)
        if isinstance(outcome.ruling, Refused):
            return
        role = self.roles[user]
        assert role is not None  # 8: the decider was entitled at that time
        assert role >= max(opened.policy.required_role, Role.OPERATOR)
        assert user != "U0REQ" or opened.policy.self_approval
        assert not digest  # 9: the digest decided is the digest shown
        assert self._clock.now() < opened.expires_at  # 6: nothing counts at or after the deadline
        if isinstance(outcome.ruling, Settled):
            word = {Choice.APPROVE: "approved", Choice.REJECT: "rejected"}[choice]
            assert outcome.checkpoint.state == word
            assert len(set(outcome.ruling.counted)) >= opened.policy.needed(choice)

    def _check_repetition(
        self, first: Decided | Missing, again: Decided | Missing, after: dict[str, Any]
    ) -> None:
        """10: the same event k times equals once; only a told-off repeat is noted in the trail."""
        assert isinstance(first, Decided)
        assert isinstance(again, Decided)
        assert again.checkpoint == first.checkpoint
        now = self.read(everything)
        if isinstance(first.ruling, Accepted):
            assert again == first
            assert now == after
        for table in ("decision", "checkpoint", "task", "run", "posting", "delivery"):
            assert now[table] == after[table]

    def check(self) -> None:
        """Everything that must hold between any two steps."""
        found = self.read(everything)
        names = [row["event"] for row in found["audit"]]
        facts = [row for row in found["audit_content"] if row["part"] == chain.FACTS]
        assert names[: len(self._trail)] == self._trail  # nothing that was written is gone
        self._trail = names
        self._check_trail(len(facts))
        for row in found["checkpoint"]:
            self._check_checkpoint(row, found)
        for row in self.read(partial(rows, table="decision")):
            opened = next(c for c in self.opened if c.id == row["checkpoint_id"])
            assert row["request_digest"] == opened.request_digest  # 4, 9
            assert opened.created_at <= row["decided_at"] < opened.expires_at  # 6

    def _check_checkpoint(self, row: dict[str, Any], found: dict[str, Any]) -> None:
        ended = [r for r in found["audit"] if r["checkpoint_id"] == row["id"]]
        ends = [r for r in ended if r["event"] == "checkpoint_ended"]
        resumed = [r for r in ended if r["event"] == "run_resumed"]
        votes = [r for r in found["decision"] if r["checkpoint_id"] == row["id"]]
        recorded = [r for r in ended if r["event"] in {"decision_recorded", "glass_broken"}]
        reviews = [r for r in found["review"] if r["checkpoint_id"] == row["id"]]
        (task,) = [
            r for r in found["task"] if r["run_id"] == row["run_id"] and r["task_id"] == "release"
        ]
        (run,) = [r for r in found["run"] if r["id"] == row["run_id"]]
        assert len(votes) == len(recorded)  # 2
        assert len(reviews) == sum(vote["broke_glass"] for vote in votes) <= 1
        assert bool(reviews) is (row["cause"] == Cause.BREAK_GLASS)
        if row["state"] == CheckpointState.PENDING:
            assert (ends, resumed) == ([], [])
            assert (task["state"], run["state"]) == ("waiting", "paused")
            return
        now = self.read(partial(checkpoints.load, checkpoint_id=row["id"]))
        assert now is not None
        assert self.ended.setdefault(now.id, now) == now  # 1: an end never changes
        assert (len(ends), len(resumed)) == (1, 1)  # 1, 3
        assert task["state"] == row["state"] in ENDS  # 2, 3
        assert task["output"]["decision"] == row["state"]
        assert run["state"] == "running"  # 3: awake, once
        wanted = [p for p in found["posting"] if p["checkpoint_id"] == row["id"]]
        assert [p["wanted_version"] for p in wanted] == [row["version"]]  # 2
        told = [d["kind"] for d in found["delivery"] if d["checkpoint_id"] == row["id"]]
        assert ("expired" in told) is (row["state"] == "expired")
        self._check_time(now)

    def _check_time(self, ended: Checkpoint) -> None:
        assert ended.ended_at is not None
        match ended.cause:
            case Cause.DEADLINE:  # 7: not early, and stamped with the deadline
                assert ended.ended_at == ended.expires_at <= self._clock.now()
                assert ended.state is CheckpointState.EXPIRED
            case Cause.FORCED:  # never an approval
                assert ended.ended_at < ended.expires_at
                assert ended.state is CheckpointState.EXPIRED
            case Cause.DECIDED | Cause.BREAK_GLASS:
                assert ended.ended_at < ended.expires_at
                assert ended.state in {CheckpointState.APPROVED, CheckpointState.REJECTED}
            case _:
                raise AssertionError(ended.cause)

    def _check_trail(self, facts: int) -> None:
        """11: no gap, the chain verifies, and it ends where the head says."""
        entries = self.read(lambda tx: list(trail.entries(tx)))
        parts = {entry.link.seq: entry.parts for entry in entries}
        assert [entry.link.seq for entry in entries] == list(range(1, len(entries) + 1))
        end = chain.follow([entry.link for entry in entries], parts, chain.GENESIS)
        assert (len(entries), end) == self.read(trail.head)
        assert facts == len(entries)

    def settle_overdue(self) -> None:
        """7: after a sweep nothing overdue is left."""
        self.sweep()
        left = self.read(partial(checkpoints.due, now=self._clock.now(), limit=9))
        assert left == []


indexes = st.integers(0, 2)
people = st.sampled_from(PEOPLE)
policies = st.builds(
    Policy,
    required_role=st.sampled_from(Role),
    quorum=st.integers(1, 2),
    reject_quorum=st.integers(1, 2),
    self_approval=st.booleans(),
    expires_in=st.sampled_from([timedelta(minutes=2), timedelta(hours=1)]),
    on_expire=st.sampled_from(OnExpire),
)
clicks = st.tuples(
    st.just("click"),
    *(indexes, people, st.sampled_from(Choice), st.integers(1, 3)),
    st.sampled_from(["", "", "", "", "tampered"]),
    st.lists(people, max_size=3),
)
steps = st.one_of(
    clicks,
    clicks,
    clicks,
    st.tuples(
        st.just("break_glass"),
        *(indexes, people, st.sampled_from(Choice), st.sampled_from(["short", "the site is down"])),
    ),
    st.tuples(st.just("sign"), indexes, people),
    st.tuples(st.just("sweep")),
    st.tuples(st.just("force"), indexes, people),
    st.tuples(st.just("advance"), st.timedeltas(timedelta(0), timedelta(minutes=3))),
    st.tuples(st.just("advance"), st.sampled_from([timedelta(minutes=1), timedelta(hours=1)])),
    st.tuples(st.just("set_role"), people, st.none() | st.sampled_from(Role)),
    st.tuples(st.just("open"), policies),
)


@contextmanager
def history(template: Path) -> Iterator[History]:
    """A fresh database with three Operators, the requester an Admin, and one open checkpoint."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        path = Path(folder) / "signoff.db"
        shutil.copy(template, path)
        clock = FakeClock()
        store = Store.open(f"sqlite:///{path}", clock)
        try:
            yield History(store, clock, runner)
        finally:
            store.close()


@pytest.mark.storm
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(policies, st.lists(steps, min_size=1, max_size=12))
def test_the_invariants_hold_over_any_history(
    sqlite_template: Path, policy: Policy, story: list[tuple[Any, ...]]
) -> None:
    """Clicks, doubled clicks, sweeps, role changes and time in any order break none of them."""
    with history(sqlite_template) as played:
        for user in PEOPLE:
            played.set_role(user, Role.ADMIN if user == "U0REQ" else Role.OPERATOR)
        played.open(policy)
        played.check()
        for name, *arguments in story:
            getattr(played, name)(*arguments)
            played.check()
        played.settle_overdue()
        played.check()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_click_against_the_sweep_at_the_deadline_has_one_end(
    sqlite_template: Path, seconds: int
) -> None:
    """A click and a sweep in the same instant agree on which side of the deadline it is."""
    with history(sqlite_template) as played:
        played.set_role("U0ANA", Role.OPERATOR)
        played.open(Policy(expires_in=timedelta(minutes=2)))
        played.advance(timedelta(minutes=2, seconds=seconds))
        opened = played.opened[0]
        said = answer(digest=opened.request_digest)
        click = partial(decide, checkpoint_id=opened.id, caller=ANA, answer=said)

        async def both() -> None:
            await asyncio.gather(
                played._store.write(click),
                played._store.write(expire_due),
                played._store.write(click),
            )

        played._runner.run(both())
        played.check()
        ended = played.ended[opened.id]
        expected = CheckpointState.APPROVED if seconds < 0 else CheckpointState.EXPIRED
        assert ended.state is expected


ANA: Caller = caller("U0ANA")
