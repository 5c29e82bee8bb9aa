"""A story, told on three surfaces: to the store, through Slack's payloads, at a terminal."""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.cli.session import this_host
from bot.desk import Desk, FollowUps
from bot.directory import Directory
from bot.listeners.submissions import DONE, answer_form
from bot.slack import Slack
from bot.tokens import INPUT_PREFIX, REASON, FormState, Target
from engine.decisions import Decided, decide
from engine.identity import Caller, Principal, PrincipalKind, Standing
from engine.model import Policy
from engine.policy import Accepted, Answer, Refused, Ruling, Settled
from engine.queries import granted_groups
from engine.store.writer import Store
from tests.bot.fake_slack import HOME, MEMBER, SETTINGS, FakeSlack
from tests.bot.story import NAMES, Says, World, slack_user
from tests.bot.views import words
from tests.engine.build import FakeClock, caller, cli_caller

ADDRESS = "bob@example.com"  # of bob's account in Slack
GROUP = "S0RELEASE"  # a user group in Slack, that bob is in


class AtTheStore(World):
    """The use case itself; it is given everybody, looked up again."""

    surface = "store"

    def account(self, name: str) -> Caller:
        """An account in Slack."""
        is_bob = name == "bob"
        return caller(
            slack_user(name).subject,
            standing=self.standings.get(name, Standing.MEMBER),
            email=ADDRESS if is_bob else None,
            groups=[GROUP] if is_bob else [],
        )

    def answer(self, name: str, said: Says) -> str:
        """By the ruling."""
        given = Answer(
            choice=said.choice,
            reason=said.reason,
            inputs=said.inputs,
            request_digest=said.digest or self.opened.request_digest,
        )
        work = partial(
            decide,
            checkpoint_id=self.opened.id,
            caller=self.account(name),
            answer=given,
            voters=[self.account(other) for other in NAMES if other != name],
        )
        outcome = self.write(work)
        assert isinstance(outcome, Decided)
        return _in_words(outcome.ruling)


class ThroughSlack(AtTheStore):
    """A form that is sent, heard by its listener; a fake Slack says who people are."""

    surface = "slack"

    def begin(self, policy: Policy, requester: Caller | None = None) -> None:
        """The bot comes up first."""
        self.slack = FakeSlack()
        slack = cast("Slack", self.slack)
        for name in NAMES:
            self.becomes(name, Standing.MEMBER)
        self.slack.groups[GROUP] = frozenset({slack_user("bob").subject})
        groups = partial(self.store.read, granted_groups)
        self._directory = Directory(slack, HOME, self.clock, groups)
        self.desk = Desk(
            store=self.store,
            slack=slack,
            directory=self._directory,
            home=HOME,
            settings=SETTINGS,
            follow_ups=FollowUps(),
            dags=None,
        )
        super().begin(policy, requester)

    def becomes(self, name: str, standing: Standing) -> None:
        """Slack tells of the change, as it does."""
        super().becomes(name, standing)
        user = slack_user(name).subject
        self.slack.accounts[user] = replace(
            MEMBER,
            name=name.capitalize(),
            email=ADDRESS if name == "bob" else None,
            is_guest=standing is Standing.GUEST,
            is_deleted=standing is Standing.DEACTIVATED,
        )
        if hasattr(self, "_directory"):
            self._directory.forget_user(user)

    def answer(self, name: str, said: Says) -> str:
        """By what Slack is told to do with the form, and the row that was written."""
        reply = self.wait_for(answer_form(self.desk, self._form(name, said)))
        left = self.left()
        if reply == DONE:
            return left.ends[0]
        title = reply["view"]["title"]["text"] if "view" in reply else ""
        if title == "Recorded":
            assert left.counted[-1] in words(reply["view"])
            return left.counted[-1]
        assert title != "Something went wrong", words(reply["view"])
        (who, _, *rules) = left.refusals[-1]
        assert who.lower() == name
        return f"refused: {' '.join(rules)}"

    def _form(self, name: str, said: Says) -> dict[str, Any]:
        target = Target(self.opened.id, said.digest or self.opened.request_digest)
        fields = {INPUT_PREFIX + key: value for key, value in said.inputs.items()}
        filled = {REASON: said.reason, **fields}
        user = slack_user(name).subject
        return {
            "type": "view_submission",
            "user": {"id": user, "username": name, "name": name, "team_id": HOME.team_id},
            "enterprise": None,
            "view": {
                "private_metadata": str(FormState(target, said.choice)),
                "state": {
                    "values": {
                        f"{key}.1a2b3c4d": {key: {"value": value or None}}
                        for key, value in filled.items()
                    }
                },
            },
        }


class AtATerminal(World):
    """The command line, as a user of the machine."""

    surface = "cli"

    def account(self, name: str) -> Caller:
        """An account of this machine. Nobody is a guest there."""
        return cli_caller(name, host=this_host())

    def _here(self, principal: Principal) -> Principal:
        if principal.kind is not PrincipalKind.SLACK_USER:
            return principal
        return Principal(PrincipalKind.OS_USER, principal.subject.removeprefix("U0").lower())

    def answer(self, name: str, said: Says) -> str:
        """By what it prints for scripts."""
        pairs = [f"--kv={key}={value}" for key, value in said.inputs.items()]
        digest = [] if said.digest is None else ["--digest", said.digest]
        reason = ["--reason", said.reason, *digest, *pairs]
        with pytest.MonkeyPatch.context() as patch:
            for variable in [
                v for v in os.environ if v.startswith(("SIGNOFF_", "SLACK_", "USER_"))
            ]:
                patch.delenv(variable)
            patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{self.store.path}")
            patch.setattr("bot.cli.session.pwd", _users(name))
            patch.setattr("bot.cli.session.Store", SimpleNamespace(open=self._open))
            verb = ["checkpoints", said.choice.value, self.opened.id, "--json"]
            result = CliRunner().invoke(app, [*verb, *reason])
        told = json.loads(result.stdout)
        match told["ruling"]:
            case "settled":
                return str(told["checkpoint"]["status"])
            case "accepted":
                return f"{told['have']} of {told['needed']}"
            case _:
                return f"refused: {' '.join(finding['rule'] for finding in told['reasons'])}"

    def _open(self, url: str) -> Store:
        """The same database, at the same time of day."""
        return Store.open(url, self.clock)


def _users(name: str) -> SimpleNamespace:
    """The users of a machine where everybody has an account, and `name` sits at the keyboard."""

    def entry(user: str) -> SimpleNamespace:
        return SimpleNamespace(pw_name=user, pw_gecos=user.capitalize())

    return SimpleNamespace(getpwuid=lambda _uid: entry(name), getpwnam=entry)


def _in_words(ruling: Ruling) -> str:
    match ruling:
        case Settled(state=state):
            return state.value
        case Accepted(have=have, needed=needed):
            return f"{have} of {needed}"
        case Refused() as refused:
            return f"refused: {' '.join(finding.rule for finding in refused.reasons)}"


WAYS: tuple[type[World], ...] = (AtTheStore, ThroughSlack, AtATerminal)


@contextmanager
def worlds(folder: Path, template: Path, ways: Iterable[type[World]]) -> Iterator[list[World]]:
    """A world for each of these ways, each on a database of its own below `folder`."""
    opened: list[World] = []
    with asyncio.Runner() as runner:
        try:
            for way in ways:
                path = folder / f"{way.surface}.db"
                path.write_bytes(template.read_bytes())
                clock = FakeClock()
                opened.append(way(Store.open(f"sqlite:///{path}", clock), clock, runner))
            yield opened
        finally:
            for world in opened:
                world.store.close()
