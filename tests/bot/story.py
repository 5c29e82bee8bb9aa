"""A story about one checkpoint: who is there, what happens, and what it leaves in the record.

People are known by a short name, and have an account of that name on each surface.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar, TypeVar, cast

from engine import chain
from engine.delegating import delegate
from engine.disabling import disable
from engine.identity import Caller, Delegation, PersonId, Principal, Role, Standing
from engine.model import Checkpoint, Choice, Policy
from engine.people import CLI_SOURCE
from engine.report import content
from engine.store import checkpoints, people, trail
from engine.store.writer import Store, Tx
from tests.engine.build import TENANT, FakeClock, run_of, task_of, waiting

T = TypeVar("T")

ROLES: Mapping[str, tuple[str, Role]] = {
    **dict.fromkeys(("ana", "bob", "cid", "req"), (TENANT, Role.OPERATOR)),
    "ada": (TENANT, Role.ADMIN),
    "vic": (TENANT, Role.VIEWER),
    "oda": ("other", Role.ADMIN),
}
"""Whoever holds a role, and where; `eve` holds none. `req` starts the run."""

NAMES = (*ROLES, "eve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """An answer, as somebody gives it on any surface."""

    choice: Choice = Choice.APPROVE
    reason: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None  # None: that of the request as it is


@dataclass(frozen=True, slots=True)
class Left:
    """What a story left in the record, in words that are the same on every surface."""

    ends: tuple[str, ...]  # of the checkpoint, its task and its run
    output: Mapping[str, Any]  # what children of the checkpoint are given
    decisions: tuple[tuple[str, ...], ...]  # who, for whom, what, why, in which role
    counted: tuple[str, ...]  # `1 of 2` after each of them
    refusals: tuple[tuple[str, ...], ...]  # who, what, by which rules


class World(ABC):
    """A database with people in it, and a checkpoint; how they answer is for each surface."""

    surface: ClassVar[str]

    def __init__(self, store: Store, clock: FakeClock, runner: asyncio.Runner) -> None:
        self.store = store
        self.clock = clock
        self._runner = runner
        self.standings: dict[str, Standing] = {}
        self.opened: Checkpoint

    def wait_for(self, work: Any) -> Any:
        """The result of a coroutine."""
        return self._runner.run(work)

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run this in a transaction."""
        return cast("T", self.wait_for(self.store.write(work)))

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run this on a snapshot."""
        return cast("T", self.wait_for(self.store.read(work)))

    @abstractmethod
    def account(self, name: str) -> Caller:
        """Somebody's account here, as it is looked up."""

    @abstractmethod
    def answer(self, name: str, said: Says) -> str:
        """What becomes of it: `approved`, `rejected`, `1 of 2`, `refused: role reason`."""

    # What happens besides

    def begin(self, policy: Policy, requester: Caller | None = None) -> None:
        """Everybody holds their role, and the checkpoint opens."""
        policy = replace(
            policy, approvers=tuple(map(self._here, policy.approvers)), remind=policy.remind or ()
        )

        def work(tx: Tx) -> Checkpoint:
            for name, (tenant, role) in ROLES.items():
                _grant(tx, self.principal(name), tenant, role)
            return waiting(tx, policy, requester=requester or self.account("req"))

        self.opened = self.write(work)

    def gives(self, name: str, role: Role | None) -> None:
        """Give somebody this role in place of theirs, or none."""
        self.write(lambda tx: _grant(tx, self.principal(name), TENANT, role))

    def becomes(self, name: str, standing: Standing) -> None:
        """Slack says that an account is something else now."""
        self.standings[name] = standing

    def stops(self, name: str) -> bool:
        """An Admin stops somebody; false for one who is stopped already."""
        admin = self.account("ada")
        return self.write(lambda tx: disable(tx, self._person(tx, name), admin)) is None

    def lends(self, name: str, to: str, since: timedelta, until: timedelta) -> bool:
        """Somebody delegates to another, from and until so long after now, if they may."""
        now, delegator = self.clock.now(), self.account(name)

        def work(tx: Tx) -> object:
            one, other = self._person(tx, name), self._person(tx, to)
            return delegate(tx, one, other, delegator, now + until, now + since)

        return isinstance(self.write(work), Delegation)

    def waits(self, time: timedelta) -> None:
        """Let time pass."""
        self.clock.advance(time)

    def principal(self, name: str) -> Principal:
        """How rules name somebody's account here."""
        return self._here(slack_user(name))

    def _here(self, principal: Principal) -> Principal:
        return principal

    def _person(self, tx: Tx, name: str) -> PersonId:
        account = self.account(name)
        return people.ensure_person(tx, account.identity, account.name)

    # What it left

    def left(self) -> Left:
        """What is in the record now."""
        return self.read(self._left)

    def _left(self, tx: Tx) -> Left:
        now, task = checkpoints.load(tx, self.opened.id), task_of(tx, self.opened)
        assert now is not None
        decided = checkpoints.decisions(tx, now.id)
        persons = [d.person_id for d in decided] + [d.for_person or "" for d in decided]
        refused = self._facts(tx, "decision_refused")
        names = people.display_names(tx, [*persons, *(row["person"] for row in refused)])
        return Left(
            (now.state, now.cause or "", task.state, run_of(tx, self.opened).state),
            task.output or {},
            tuple(
                (
                    names[d.person_id] or "",
                    "" if d.for_person is None else names[d.for_person] or "",
                    *(d.choice, d.reason, json.dumps(d.inputs), d.role.label),
                )
                for d in decided
            ),
            tuple(f"{r['have']} of {r['needed']}" for r in self._facts(tx, "decision_recorded")),
            tuple((names[r["person"]] or "", r["choice"], *r["rules"]) for r in refused),
        )

    def _facts(self, tx: Tx, event: str) -> list[dict[str, Any]]:
        found = trail.entries(tx, checkpoint_id=self.opened.id, event=event)
        return [content(entry, chain.FACTS) for entry in found]


def slack_user(name: str) -> Principal:
    """Somebody's account in Slack, as rules name it."""
    return Principal.parse(f"U0{name.upper()}")


def _grant(tx: Tx, principal: Principal, tenant: str, role: Role | None) -> None:
    people.close_grant(tx, principal, tenant, CLI_SOURCE, "test")
    if role is not None:
        people.add_grant(tx, principal, tenant, role, CLI_SOURCE, "test")
