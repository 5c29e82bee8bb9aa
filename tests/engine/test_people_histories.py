"""Over any history of votes, delegations, links, roles and stops: who ends a checkpoint.

What is known of people is kept a second time here, in the plainest way, and compared.
"""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.decisions import Decided, decide
from engine.delegating import delegate, end_delegation
from engine.disabling import disable, enable
from engine.identity import Caller, Delegation, Principal, Role
from engine.linking import LinkCode, ask_link, confirm_link
from engine.model import Checkpoint, Choice, Policy
from engine.policy import Refused, Settled
from engine.store import people
from engine.store.writer import Store, Tx
from tests.engine.build import (
    FakeClock,
    answer,
    caller,
    cli_caller,
    give_role,
    take_role,
    waiting,
)

NAMES = ("ANA", "BOB", "CID", "REQ")
SLACK = {name: caller(f"U0{name}") for name in NAMES}
OS = {name: cli_caller(name.lower()) for name in NAMES}
LIST = ("ANA", "CID")
ROOT = caller("U0ROOT")


@dataclass
class Lent:
    """A delegation as the test remembers it."""

    delegator: str
    delegate: str
    until: datetime
    is_over: bool = False


@dataclass(frozen=True)
class Said:
    """A vote that was counted once."""

    who: str  # a name, or a name with " at a terminal" until both are known to be one
    choice: Choice
    surface: str
    lent: str | None  # the delegation's id
    in_place_of: str | None


class World:
    """The record, and beside it what a person watching would know."""

    def __init__(self, store: Store, clock: FakeClock, runner: asyncio.Runner) -> None:
        self.store, self.clock, self.runner = store, clock, runner
        self.linked: set[str] = set()
        self.stopped: set[str] = set()
        self.roles: dict[str, Role | None] = dict.fromkeys(NAMES, Role.OPERATOR)
        self.lent: dict[str, Lent] = {}
        self.said: list[Said] = []

    def write(self, work: Any) -> Any:
        return self.runner.run(self.store.write(work))

    def begin(self, policy: Policy) -> None:
        for name in NAMES:
            self.write(partial(give_role, user=f"U0{name}"))
            self.write(partial(give_role, user=f"os:{name.lower()}"))
            for who in (SLACK[name], OS[name]):
                self.person(who)
        self.write(partial(give_role, user="U0ROOT", role=Role.ADMIN))
        self.opened: Checkpoint = self.write(partial(waiting, policy=policy))
        self.policy = policy

    def person(self, who: Caller) -> Any:
        return self.write(lambda tx: people.ensure_person(tx, who.identity, who.name))

    # Steps

    def link(self, name: str) -> None:
        made = self.write(
            partial(
                ask_link,
                account=OS[name].identity,
                target=Principal.parse(f"U0{name}"),
                by=OS[name],
            )
        )
        if isinstance(made, LinkCode) and not isinstance(
            self.write(partial(confirm_link, code=made.code, caller=SLACK[name])), Refused
        ):
            self.linked.add(name)

    def set_role(self, name: str, role: Role | None) -> None:
        if role is None:
            self.write(partial(take_role, user=f"U0{name}"))
        else:
            self.write(partial(give_role, user=f"U0{name}", role=role))
        self.roles[name] = role

    def stop(self, name: str, *, again: bool) -> None:
        person = self.person(SLACK[name])
        work = enable if again else disable
        self.write(lambda tx: work(tx, person, ROOT))
        (self.stopped.discard if again else self.stopped.add)(name)

    def lend(self, name: str, to: str, hours: int) -> None:
        until = self.clock.now() + timedelta(hours=hours)
        both = self.person(SLACK[name]), self.person(SLACK[to])

        def work(tx: Tx) -> Delegation | Refused:
            return delegate(tx, both[0], both[1], ROOT, until)

        made = self.write(work)
        if isinstance(made, Delegation):
            self.lent[made.id] = Lent(name, to, until)

    def end(self, index: int) -> None:
        if self.lent:
            named = sorted(self.lent)[index % len(self.lent)]
            self.write(partial(end_delegation, delegation_id=named, by=ROOT))
            self.lent[named].is_over = True

    def advance(self, hours: int) -> None:
        self.clock.advance(timedelta(hours=hours))

    def vote(self, name: str, choice: Choice, *, terminal: bool) -> None:
        who = OS[name] if terminal else SLACK[name]
        said = answer(choice, digest=self.opened.request_digest)
        outcome = self.write(
            partial(
                decide,
                checkpoint_id=self.opened.id,
                caller=who,
                answer=said,
                voters=tuple(SLACK.values()),
            )
        )
        assert isinstance(outcome, Decided)
        if isinstance(outcome.ruling, Refused):
            assert outcome.ruling.reasons
            return
        lender = outcome.ruling.lender
        made = None if lender is None else lender.delegation.id
        known = name if name in self.linked or not terminal else f"{name} at a terminal"
        place = None if made is None else self.lent[made].delegator
        self.said.append(Said(known, choice, "os" if terminal else "slack", made, place))
        assert self.may(self.said[-1])
        if isinstance(outcome.ruling, Settled):
            self.check_end(choice)

    # What a person watching would know

    def human(self, who: str) -> str:
        """Both accounts of somebody are one human once they are linked."""
        name = who.partition(" ")[0]
        return name if name in self.linked else who

    def may(self, said: Said) -> bool:
        """Whether this vote could be cast now, on the ground it was cast on."""
        name, surface = said.who.partition(" ")[0], said.surface
        is_slack = surface == "slack"
        role = self.roles[name] if is_slack else Role.OPERATOR
        if role is None or role < max(self.policy.required_role, Role.OPERATOR):
            return False
        human = self.human(said.who)
        if human in self.stopped or (human == "REQ" and not self.policy.self_approval):
            return False
        if not self.policy.approvers or (is_slack and name in LIST):
            return said.lent is None
        if said.lent is None:
            return False
        made = self.lent[said.lent]
        own = Said(made.delegator, said.choice, "slack", None, None)
        holds = not made.is_over and self.clock.now() < made.until
        return holds and made.delegate == name and made.delegator in LIST and self.may(own)

    def check_end(self, choice: Choice) -> None:
        """Enough distinct humans, none of them with a part in two votes, all eligible now."""
        last = {self.human(said.who): said for said in self.said}
        counting = [said for said in last.values() if said.choice is choice and self.may(said)]
        needed = self.policy.needed(choice)
        assert any(
            self.are_distinct(group) and self.said[-1] in group
            for group in combinations(counting, needed)
        )

    def are_distinct(self, group: tuple[Said, ...]) -> bool:
        humans = [self.human(one) for said in group for one in (said.who, said.in_place_of) if one]
        return len(humans) == len(set(humans))


Step = tuple[str, dict[str, Any]]

names = st.sampled_from(NAMES)
votes = st.builds(
    lambda name, choice, terminal: ("vote", {"name": name, "choice": choice, "terminal": terminal}),
    st.sampled_from(["ANA", "BOB", "BOB", "CID", "REQ"]),
    st.sampled_from([*[Choice.APPROVE] * 4, Choice.REJECT]),
    st.sampled_from([False, False, True]),
)
changes = st.one_of(
    st.none(),
    st.none(),
    st.builds(lambda name: ("link", {"name": name}), names),
    st.builds(
        lambda name, role: ("set_role", {"name": name, "role": role}),
        names,
        st.sampled_from([None, Role.VIEWER, Role.OPERATOR, Role.ADMIN]),
    ),
    st.builds(lambda name, again: ("stop", {"name": name, "again": again}), names, st.booleans()),
    st.builds(
        lambda name, to, hours: ("lend", {"name": name, "to": to, "hours": hours}),
        st.sampled_from(LIST),
        names,
        st.integers(1, 4),
    ),
    st.builds(lambda index: ("end", {"index": index}), st.integers(0, 3)),
    st.builds(lambda hours: ("advance", {"hours": hours}), st.integers(1, 3)),
)
NAMED = tuple(Principal.parse(f"U0{name}") for name in LIST)
policies = st.builds(
    Policy,
    required_role=st.sampled_from([Role.VIEWER, Role.OPERATOR]),
    approvers=st.sampled_from([NAMED, NAMED, ()]),
    quorum=st.sampled_from([2, 2, 3, 1]),
    reject_quorum=st.integers(1, 2),
    self_approval=st.booleans(),
)


@pytest.mark.storm
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(policies, st.lists(st.tuples(changes, votes), min_size=3, max_size=10))
def test_only_enough_distinct_people_who_may_end_a_checkpoint(
    sqlite_template: Path, policy: Policy, story: list[tuple[Step | None, Step]]
) -> None:
    """Whatever is delegated, linked, stopped, granted or over: the policy is met, by now."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        path = Path(folder) / "signoff.db"
        shutil.copy(sqlite_template, path)
        clock = FakeClock()
        store = Store.open(f"sqlite:///{path}", clock)
        try:
            world = World(store, clock, runner)
            world.begin(policy)
            world.lend("ANA", "BOB", hours=3)
            for change, vote in story:
                for name, arguments in (vote,) if change is None else (change, vote):
                    getattr(world, name)(**arguments)
        finally:
            store.close()
