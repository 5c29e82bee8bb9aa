"""The recipes for policies are true: each loads, and does what the page says of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.cli.simulation import simulated
from bot.config import load_settings
from bot.environment import Environment
from bot.one_tap import dialog
from engine.dag import Dag, Gate
from engine.dagfile import Defaults, parse
from engine.decisions import Decided, decide
from engine.ending import expire_due
from engine.identity import Role
from engine.model import Cause, Checkpoint, CheckpointState, Choice, Policy, TaskId
from engine.policy import Accepted, Answer, Refused, Settled
from engine.store import checkpoints
from engine.store.writer import Store, Tx
from tests.bot.fake_slack import Said, bot_on
from tests.engine.build import FakeClock, caller, give_role, give_roles, waiting

PAGE = Path(__file__).parents[2] / "docs/how-to/policies.md"
SECTIONS = re.split(r"^## (?=\d+\. )", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told."""
    return FakeClock()


@pytest.fixture
def sqlite_store(sqlite_url: str, clock: FakeClock) -> Iterator[Store]:
    """An open store."""
    opened = Store.open(sqlite_url, clock)
    yield opened
    opened.close()


def blocks(number: int, kind: str = "yaml") -> list[str]:
    """The blocks of a recipe, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", SECTIONS[number - 1], re.MULTILINE | re.DOTALL)


def recipe(number: int, place: int = 0, defaults: Defaults | None = None) -> Dag:
    text = blocks(number)[place]
    return parse(text, source=str(PAGE), directory="/srv", defaults=defaults or Defaults())


def policy(number: int, place: int = 0) -> Policy:
    [(_, gate)] = recipe(number, place).gates
    return gate.policy


class Desk:
    """A checkpoint that waits, asked for by U0REQ, and whoever comes by."""

    def __init__(self, store: Store, opened: Checkpoint) -> None:
        self.store = store
        self.opened = opened

    async def says(
        self,
        user: str,
        choice: Choice = Choice.APPROVE,
        *,
        reason: str = "",
        groups: Iterable[str] = (),
        email: str | None = None,
        voters: Iterable[str] = (),
        **inputs: str,
    ) -> str:
        """What becomes of an answer: `approved`, `waiting`, or the rules that refuse it."""
        answer = Answer(
            choice=choice,
            reason=reason,
            inputs=inputs,
            request_digest=self.opened.request_digest,
        )
        outcome = await self.store.write(
            partial(
                decide,
                checkpoint_id=self.opened.id,
                caller=caller(user, groups=groups, email=email),
                answer=answer,
                voters=[caller(voter, groups=groups) for voter in voters],
            )
        )
        assert isinstance(outcome, Decided)
        match outcome.ruling:
            case Settled(state=state):
                return state
            case Accepted():
                return "waiting"
            case Refused() as refused:
                return " ".join(finding.rule for finding in refused.reasons)


async def ask(store: Store, wanted: Policy) -> Desk:
    """Ask with this policy; U0ANA, U0BOB, U0REQ and S0RELEASE are Operators, U0ADA is Admin."""

    def write(tx: Tx) -> Checkpoint:
        for user in ("U0ANA", "U0BOB", "U0REQ", "S0RELEASE"):
            give_role(tx, user)
        give_role(tx, "U0ADA", Role.ADMIN)
        give_role(tx, "U0VIC", Role.VIEWER)
        return waiting(tx, wanted)

    return Desk(store, await store.write(write))


def test_there_are_ten() -> None:
    """Each under its number, with something to copy."""
    assert [section.split(".")[0] for section in SECTIONS] == [str(n) for n in range(1, 11)]
    assert all(blocks(number) for number in range(1, 11))


async def test_1_four_eyes(sqlite_store: Store) -> None:
    """Whoever started the run does not decide; one other does, or two where two are asked for."""
    desk = await ask(sqlite_store, policy(1))
    assert await desk.says("U0REQ") == "self_approval"
    assert await desk.says("U0ANA") == "approved"
    desk = await ask(sqlite_store, policy(1, 1))
    assert await desk.says("U0ANA") == "waiting"
    assert await desk.says("U0ANA", reason="again") == "waiting"
    assert await desk.says("U0BOB", voters=["U0ANA"]) == "approved"


async def test_2_named_approvers(sqlite_store: Store) -> None:
    """The list binds Admins, too, and names by account or by address."""
    desk = await ask(sqlite_store, policy(2))
    assert await desk.says("U0ADA") == "approvers"
    assert await desk.says("U012AB") == "role"
    assert await desk.says("U0BOB", email="bob@example.com") == "approved"


async def test_3_two_of_a_group(sqlite_store: Store) -> None:
    """Two members; a vote whose voter left the group no longer counts; one no is enough."""
    desk = await ask(sqlite_store, policy(3))
    assert await desk.says("U0ANA") == "approvers"
    assert await desk.says("U0EVE", groups=["S0RELEASE"]) == "waiting"
    assert await desk.says("U0FAY", groups=["S0RELEASE"]) == "waiting"
    assert await desk.says("U0GIL", groups=["S0RELEASE"], voters=["U0EVE"]) == "approved"
    desk = await ask(sqlite_store, policy(3))
    no = await desk.says("U0EVE", Choice.REJECT, reason="no", groups=["S0RELEASE"])
    assert no == "rejected"


async def test_4_deciding_ones_own_run(sqlite_store: Store) -> None:
    """Whoever started the run may decide it, if they hold the role."""
    desk = await ask(sqlite_store, policy(4))
    assert await desk.says("U0VIC") == "role"
    assert await desk.says("U0REQ") == "approved"


async def test_5_reasons(sqlite_store: Store) -> None:
    """Required of both; or none for a tap, and still one for a no."""
    desk = await ask(sqlite_store, policy(5))
    assert await desk.says("U0ANA") == "reason"
    assert await desk.says("U0ANA", Choice.REJECT) == "reason"
    assert await desk.says("U0ANA", reason="ticket 7") == "approved"
    desk = await ask(sqlite_store, policy(5, 1))
    assert dialog(desk.opened) is not None
    assert await desk.says("U0ANA", Choice.REJECT) == "reason"
    assert await desk.says("U0ANA") == "approved"


async def test_6_a_deadline_with_a_way_out(clock: FakeClock, sqlite_store: Store) -> None:
    """After a day it is expired, nobody's no, and what waits for a rejection runs."""
    desk = await ask(sqlite_store, policy(6))
    clock.advance(timedelta(days=1))
    assert await desk.says("U0ANA") == "open"
    ended = await sqlite_store.read(partial(checkpoints.load, checkpoint_id=desk.opened.id))
    assert ended is not None
    assert (ended.state, ended.cause) == (CheckpointState.EXPIRED, Cause.DEADLINE)
    assert [str(parent) for parent in recipe(6).task("remove").when] == ["approve"]


async def test_7_a_form(sqlite_store: Store) -> None:
    """Out of bounds is refused, and what is left empty is its default."""
    desk = await ask(sqlite_store, policy(7))
    assert await desk.says("U0ANA") == "inputs"
    assert await desk.says("U0ANA", percent="101") == "inputs"
    assert await desk.says("U0ANA", percent="50") == "approved"


async def test_8_reminders_and_escalation(clock: FakeClock, sqlite_store: Store) -> None:
    """When the thread and the other channel hear of it, whom they mention, and the second end."""
    bot, failing_over = bot_on(sqlite_store, clock), policy(8)
    await sqlite_store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await sqlite_store.write(partial(give_role, user="U0ADA", role=Role.ADMIN))
    opened = await bot.opens(failing_over)
    told = [(0, said) for said in bot.slack.said]
    for hour in range(1, 18):
        before = len(bot.slack.said)
        clock.advance(timedelta(hours=1))
        await sqlite_store.write(expire_due)
        await bot.tells()
        told += [(hour, said) for said in bot.slack.said[before:]]
    assert [(hour, mentioned(said), where(said)) for hour, said in told] == [
        (0, "<!subteam^S0ONCALL>", "C0APPROVALS"),
        (2, "<!subteam^S0ONCALL>", "thread"),
        (4, "<@U0ADA>", "thread"),
        (4, "", "C0INCIDENTS"),
        (7, "<!subteam^S0ONCALL>", "thread"),
        (8, "", "thread"),  # it waits as long again
        (10, "<!subteam^S0ONCALL>", "thread"),
        (15, "<!subteam^S0ONCALL>", "thread"),
        (16, "", "thread"),
    ]
    ended = await sqlite_store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert ended is not None
    assert (ended.state, ended.cause) == (CheckpointState.EXPIRED, Cause.DEADLINE)
    assert ended.ended_at == opened.created_at + timedelta(hours=16)


def mentioned(said: Said) -> str:
    """Whom a message mentions, as it was posted."""
    return " ".join(re.findall(r"<[@!](?:subteam\^)?[A-Z0-9]+>", said.text))


def where(said: Said) -> str:
    """The channel of a card, or that it stands in the thread."""
    return said.channel if said.thread is None else "thread"


@pytest.mark.parametrize(
    ("deletes", "approves", "role", "quorum"),
    [
        (0, True, Role.OPERATOR, 1),
        (1, False, Role.OPERATOR, 1),
        (100, False, Role.OPERATOR, 1),
        (101, False, Role.ADMIN, 2),
    ],
)
async def test_9_by_risk(deletes: int, approves: bool, role: Role, quorum: int) -> None:
    """Nothing is deleted: approved by rule; much is: two Admins; else an Operator decides."""
    left: dict[TaskId, Mapping[str, Any]] = {TaskId("plan"): {"deletes": deletes}}
    [found] = await simulated(recipe(9), {}, left)
    policy = found.judged.policy
    assert (found.judged.approved_by is not None) is approves
    assert (policy.required_role, policy.quorum) == (role, quorum)


def test_10_defaults_for_a_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file of the tenant says, unless the DAG file says it itself."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    [toml] = blocks(10, "toml")
    (tmp_path / "signoff.toml").write_text(toml, encoding="utf-8")
    dag = recipe(10, defaults=load_settings().defaults)
    gate = dag.task("approve").work
    assert isinstance(gate, Gate)
    assert (gate.policy.required_role, gate.policy.quorum) == (Role.ADMIN, 2)
    assert gate.policy.expires_in == timedelta(hours=8)
    assert (gate.policy.approve_reason, gate.policy.reject_reason) == ("optional", "optional")
