"""`signoff policy`: why somebody may decide, and what cannot work in a DAG file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import Result

from bot.sandbox.server import Sandbox
from tests.bot.cli.terminal import OTHER, Terminal, me
from tests.journeys.world import slack_app


def rules(explained: dict[str, Any]) -> dict[str, bool]:
    """What passed and what did not, by rule."""
    return {rule["rule"]: rule["passed"] for rule in explained["rules"]}


def test_every_rule_is_listed_with_what_it_needed_and_found(terminal: Terminal) -> None:
    """In the order in which they are judged; exit code 0 says that they may."""
    _, checkpoint = terminal.paused()
    said = terminal.run("policy", "explain", checkpoint, "--user", f"os:{me()}")
    assert said.exit_code == 0
    assert f"os:{me()} may approve {checkpoint}." in said.stdout
    assert f"Admin (signoff.toml: os:{me()})" in said.stdout
    explained = terminal.json("policy", "explain", checkpoint, "--user", f"os:{me()}")
    assert list(rules(explained)) == [
        "open",
        "digest",
        "standing",
        "enabled",
        "role",
        "approvers",
        "self_approval",
        "known_person",
        "reason",
        "inputs",
        "quorum",
    ]
    assert explained["may"]


@pytest.mark.parametrize(
    ("gate", "user", "failed"),
    [
        ("self_approval: false", f"os:{me()}", {"self_approval"}),
        ("approvers: [U012AB]", f"os:{me()}", {"approvers", "self_approval"}),
        ("self_approval: true", f"os:{OTHER}", {"role"}),
        ("required_role: Admin", "U012AB", {"role"}),
        ("quorum: 2", "U012AB", {"role"}),
        ("quorum: 2", "ana@example.com", {"role"}),
    ],
)
def test_the_rules_that_fail_are_named(
    terminal: Terminal, gate: str, user: str, failed: set[str]
) -> None:
    """Exit code 1 says that they may not."""
    _, checkpoint = terminal.paused(gate)
    explained = terminal.json("policy", "explain", checkpoint, "--user", user)
    assert {rule for rule, passed in rules(explained).items() if not passed} == failed
    assert terminal.run("policy", "explain", checkpoint, "--user", user).exit_code == 1


def test_explaining_writes_nothing(terminal: Terminal) -> None:
    """No person is made, no refusal is noted."""
    _, checkpoint = terminal.paused()
    before = terminal.ok("audit", "export")
    terminal.run("policy", "explain", checkpoint, "--user", "U0STRANGER")
    assert terminal.ok("audit", "export") == before
    assert "U0STRANGER" not in terminal.ok("audit", "export")


def test_without_slack_it_is_said_what_is_not_known(terminal: Terminal) -> None:
    """Groups and standing are Slack's to tell; names, too."""
    _, checkpoint = terminal.paused()
    said = terminal.run("policy", "explain", checkpoint, "--user", "U012AB")
    assert "groups and standing are not known" in said.stderr
    said = terminal.run("policy", "explain", checkpoint, "--user", "@ana")
    assert (said.exit_code, said.stderr) == (
        1,
        "error: @ana: only Slack knows names: set SLACK_BOT_TOKEN, or say U012AB\n",
    )


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["cp_000000000000", "--user", "U012AB"], 1),
        (["cp_000000000000", "--user", "S012AB"], 1),
        (["cp_000000000000", "--user", "ana"], 2),
    ],
)
def test_what_cannot_be_explained(terminal: Terminal, args: list[str], code: int) -> None:
    """No such checkpoint, a group for a person, a word that names nobody."""
    assert terminal.run("policy", "explain", *args).exit_code == code


GATED = """\
name: deploy
tenant_id: acme
tasks:
  - id: ok
    type: checkpoint
    {keys}
"""
ROLES = """\
[slack]
channel = "#approvals"
[tenants.acme.roles]
admin = ["U0ANA"]
operator = ["S0RELEASE", "os:ops"]
"""


def checked(bare: Terminal, keys: str, *options: str) -> Result:
    bare.write("signoff.toml", ROLES)
    bare.write("dag.yml", GATED.format(keys=keys.replace("\n", "\n    ")))
    return bare.run("policy", "check", "dag.yml", *options)


def test_a_check_needs_neither_slack_nor_a_database(bare: Terminal) -> None:
    """In a repository's CI `signoff.toml` is enough, and nothing is made."""
    none = bare.folder / "none.sqlite"
    bare.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{none}")
    said = checked(bare, "quorum: 2")
    assert said.exit_code == 0, said.output
    assert "in #approvals; mentions nobody" in said.stdout
    assert "2 needed: U0ANA, os:ops (Operator in acme: U0ANA, S0RELEASE, os:ops)" in said.stdout
    assert not none.exists()


@pytest.mark.parametrize(
    ("keys", "code", "told"),
    [
        ("quorum: 2", 0, "ok  ok: may decide"),
        ("quorum: 3", 0, "cannot be told for certain"),
        ("required_role: Admin", 0, "not when one of them starts the run"),
        ("required_role: Admin\nself_approval: true", 0, "1 needed: U0ANA"),
        ("required_role: Admin\nquorum: 2", 1, "cannot be reached"),
        ("approvers: [U0ANA, U0EVE]\nquorum: 2", 0, "cannot be told for certain"),
        ("approvers: [os:eve]", 1, "cannot be reached"),
        ("auto: [{when: 'true', require: {quorum: 2}}]", 0, "may decide, by rule 1"),
        (
            "auto: [{when: 'true', require: {required_role: Admin, quorum: 2}}]",
            1,
            "cannot be reached: 2 needed",
        ),
    ],
)
def test_whether_a_quorum_can_be_reached(bare: Terminal, keys: str, code: int, told: str) -> None:
    """By the grants of the tenant; groups count as unknown without Slack."""
    said = checked(bare, keys)
    assert told in said.stdout
    assert said.exit_code == code


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("notify: [U0ANA, U0BOB]", 0),
        ("notify: [U0ANA, U0BOB, U0EVE]", 1),
        ("notify: [U0ANA, S0RELEASE]", 0),
        ("escalate: {after: 1h, to: [U0BOB, U0EVE, Admin]}", 1),
        ("escalate: {after: 1h, to: [U0BOB, Admin, '#incidents']}", 0),
    ],
)
def test_how_many_may_be_mentioned_at_once(bare: Terminal, keys: str, code: int) -> None:
    """At posting and at escalation, each for itself."""
    assert checked(bare, keys, "--max-notified", "2").exit_code == code


def test_grants_of_the_database_count_where_there_is_one(terminal: Terminal) -> None:
    """Those of the file are read from the file."""
    terminal.ok("roles", "grant", "U0BOB", "Admin", "--tenant", "local-dev")
    terminal.write("dag.yml", GATED.format(keys="quorum: 2").replace("tenant_id: acme\n", ""))
    said = terminal.ok("policy", "check", "dag.yml")
    assert f"2 needed: U0BOB, os:{me()}" in said


def test_a_check_as_json(bare: Terminal) -> None:
    """For scripts: which file, whether it is well, and each check."""
    bare.write("signoff.toml", ROLES)
    bare.write("dag.yml", GATED.format(keys="required_role: Admin\n    quorum: 2"))
    found = bare.json("policy", "check", "dag.yml")
    assert (found["dag"], found["tenant"], found["ok"]) == ("deploy", "acme", False)
    assert {check["name"]: check["status"] for check in found["checks"]} == {
        "ok: asks": "ok",
        "ok: may decide": "fail",
    }


@pytest.fixture
async def with_slack(bare: Terminal) -> AsyncIterator[Terminal]:
    """A terminal whose token belongs to a local Slack."""
    async with Sandbox(manifest=slack_app(emails=True)) as sandbox:
        bare.patch.setenv("SLACK_BOT_TOKEN", "xoxb-sandbox")
        bare.patch.setenv("SLACK_API_URL", sandbox.api_url)
        yield bare


@pytest.mark.parametrize(
    ("keys", "code", "told"),
    [
        ("quorum: 2", 0, "2 needed: U0ANA, "),
        ("approvers: [U0NOBODY, U0ANA]", 1, "U0NOBODY: there is no such account"),
        ("notify: [nobody@example.com]", 1, "nobody in the workspace has this address"),
        ("notify: [S0NOBODY]", 1, "there is no such group, or nobody is in it"),
        ("channel: '#nowhere'", 1, "the bot does not see #nowhere"),
        ("escalate: {after: 1h, to: ['#nowhere']}", 1, "the bot does not see #nowhere"),
        ("approvers: [U0VIC]", 1, "cannot be reached"),
    ],
)
async def test_with_slack_everybody_named_is_looked_up(
    with_slack: Terminal, keys: str, code: int, told: str
) -> None:
    """Members of groups count, and whoever or whatever is not there is told."""
    said = await asyncio.to_thread(checked, with_slack, keys)
    assert told in said.stdout
    assert said.exit_code == code, said.stdout


@pytest.mark.parametrize(
    ("user", "failed"),
    [
        ("U0OLA", set()),
        ("@ola", set()),
        ("ola@sandbox.example", set()),
        ("U0BOB", {"role"}),
        ("U0GUS", {"standing", "role"}),
    ],
)
async def test_with_slack_the_person_is_looked_up(
    with_slack: Terminal, user: str, failed: set[str]
) -> None:
    """By id, by name and by address; standing and groups are Slack's."""

    def explained() -> dict[str, Any]:
        with_slack.write(
            "signoff.toml",
            f'[tenants.local-dev.roles]\nadmin = ["os:{me()}"]\noperator = ["S0RELEASE"]\n',
        )
        _, checkpoint = with_slack.paused()
        found: dict[str, Any] = with_slack.json("policy", "explain", checkpoint, "--user", user)
        return found

    found = await asyncio.to_thread(explained)
    assert {rule for rule, passed in rules(found).items() if not passed} == failed


async def test_somebody_whom_slack_does_not_know(with_slack: Terminal) -> None:
    """Nobody is judged on a guess."""
    said = await asyncio.to_thread(
        with_slack.run, "policy", "explain", "cp_000000000000", "--user", "@nobody"
    )
    assert "nobody in the workspace is called so" in said.stderr
    assert said.exit_code == 1
