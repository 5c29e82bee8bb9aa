"""Deciding from a terminal: who may, what is recorded, what is said."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import (
    Answer,
    Caller,
    Choice,
    Identity,
    IdentityKind,
    Store,
    Surface,
    checkpoint_view,
    decide,
)
from tests.bot.cli.terminal import OTHER, Terminal, me

FORM = """\
self_approval: true
inputs:
  region: {type: choice, options: [eu, us], required: true}
  note: {type: text}"""
SECRET = """\
name: secret
tasks:
  - id: build
    run: |
      echo '{"key": "hunter2"}' > "$SIGNOFF_OUTPUT"
  - id: ask
    type: checkpoint
    depends_on: [build]
    show: [{from: build__key, secret: true}]
"""
TWO = "self_approval: true\nquorum: 2"


def outputs(terminal: Terminal, run: str) -> Any:
    """The outputs of a run's tasks."""
    return {task["id"]: task["output"] for task in terminal.json("runs", "show", run)["tasks"]}


def overdue(terminal: Terminal, checkpoint: str) -> None:
    """Let the deadline of a checkpoint have passed."""
    past = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with sqlite3.connect(terminal.folder / "signoff.db") as connection:
        connection.execute("UPDATE checkpoint SET expires_at = ? WHERE id = ?", (past, checkpoint))
    connection.close()


def test_the_list_shows_what_is_pending(terminal: Terminal) -> None:
    """A pending checkpoint is listed with its question and its deadline."""
    _, checkpoint = terminal.paused()
    listed = terminal.ok("checkpoints", "list")
    assert checkpoint in listed
    assert "Release 1.2?" in listed
    assert "in 2 d 23 h" in listed


def test_an_empty_list_says_so(terminal: Terminal) -> None:
    """Nothing pending is a sentence, or an empty JSON list."""
    assert terminal.ok("checkpoints", "list") == "No pending checkpoints.\n"
    assert terminal.json("checkpoints", "list") == []


def test_the_list_can_be_narrowed(terminal: Terminal) -> None:
    """Tenant, DAG and status filter; the limit cuts."""
    _, checkpoint = terminal.paused()
    terminal.paused()
    assert terminal.json("checkpoints", "list", "--tenant", "other") == []
    assert terminal.json("checkpoints", "list", "--dag", "other") == []
    assert len(terminal.json("checkpoints", "list", "--limit", "1")) == 1
    terminal.ok("checkpoints", "approve", checkpoint)
    (approved,) = terminal.json("checkpoints", "list", "--status", "approved")
    assert approved["id"] == checkpoint
    assert len(terminal.json("checkpoints", "list", "--status", "all")) == 2


def test_what_is_overdue_is_listed_as_expired_before_any_sweep(terminal: Terminal) -> None:
    """Reads show the effective state."""
    _, checkpoint = terminal.paused()
    overdue(terminal, checkpoint)
    assert terminal.json("checkpoints", "list") == []
    (expired,) = terminal.json("checkpoints", "list", "--status", "expired")
    assert (expired["id"], expired["status"]) == (checkpoint, "expired")


def test_showing_names_the_request_and_its_digest(terminal: Terminal) -> None:
    """What is shown is what an approval will carry."""
    _, checkpoint = terminal.paused()
    shown = terminal.json("checkpoints", "show", checkpoint)
    assert shown["prompt"] == "Release 1.2?"
    assert shown["facts"] == [{"label": "build__version", "value": "1.2"}]
    assert shown["created_at"].endswith("Z")
    assert shown["request_digest"] in terminal.ok("checkpoints", "show", checkpoint)


def test_secret_facts_are_masked(terminal: Terminal) -> None:
    """A terminal is scrolled back and logged: secrets do not appear on it."""
    file = terminal.write("secret.yml", SECRET)
    (checkpoint,) = terminal.json("run", str(file))["checkpoints"]
    assert "hunter2" not in terminal.ok("checkpoints", "show", checkpoint["id"])
    assert "hunter2" not in terminal.ok("checkpoints", "show", checkpoint["id"], "--json")


def test_an_approval_prints_what_was_approved_and_what_follows(terminal: Terminal) -> None:
    """The request is restated before it is approved, and the consequence after."""
    run, checkpoint = terminal.paused()
    said = terminal.ok("checkpoints", "approve", checkpoint, "--reason", "looks good")
    assert "Release 1.2?" in said
    assert said.endswith("The run goes on.\n")
    assert terminal.ok("resume", run).endswith("succeeded\n")
    assert outputs(terminal, run)["release"]["reason"] == "looks good"


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param(["--kv", "region=eu", "--kv", "note=a=b c"], id="repeated"),
        pytest.param(["--kv", "region=eu", "note=a=b c"], id="several to one flag"),
        pytest.param(["--kv=region=eu", "note=a=b c"], id="glued to the flag"),
    ],
)
def test_inputs_are_given_as_pairs(terminal: Terminal, pairs: list[str]) -> None:
    """Every way of writing `--kv` gives the same inputs, before or after the id."""
    for order in ([*pairs, "ID"], ["ID", *pairs]):
        run, checkpoint = terminal.paused(FORM)
        args = [checkpoint if arg == "ID" else arg for arg in order]
        terminal.ok("checkpoints", "approve", *args)
        given = outputs(terminal, run)["release"]
        assert (given["region"], given["note"]) == ("eu", "a=b c")


@pytest.mark.parametrize("pairs", [["--kv", "region"], ["--kv", "a=1", "--kv", "a=2"]])
def test_a_pair_that_is_none_is_wrong_usage(terminal: Terminal, pairs: list[str]) -> None:
    """A missing `=` or a doubled key changes nothing and exits 2."""
    _, checkpoint = terminal.paused(FORM)
    assert terminal.run("checkpoints", "approve", checkpoint, *pairs).exit_code == 2
    assert terminal.json("checkpoints", "show", checkpoint)["status"] == "pending"


def test_wrong_inputs_are_refused_by_name(terminal: Terminal) -> None:
    """The refusal goes to stderr, names the field, and exits 1."""
    _, checkpoint = terminal.paused(FORM)
    result = terminal.run("checkpoints", "approve", checkpoint, "--kv", "region=mars")
    assert result.exit_code == 1
    assert "region must be one of: eu, us" in result.stderr


def test_a_rejection_ends_the_run_with_its_own_code(terminal: Terminal) -> None:
    """A run that people said no to exits 5, so that a script can tell it from a failure."""
    run, checkpoint = terminal.paused()
    terminal.ok("checkpoints", "reject", checkpoint, "--reason", "too risky")
    result = terminal.run("resume", run)
    assert result.exit_code == 5
    assert "was rejected" in result.stdout


def test_a_rejection_wants_a_reason(terminal: Terminal) -> None:
    """Without one it is refused."""
    _, checkpoint = terminal.paused()
    result = terminal.run("checkpoints", "reject", checkpoint)
    assert result.exit_code == 1
    assert "reason" in result.stderr


def test_a_viewer_may_not_approve(terminal: Terminal) -> None:
    """The refusal says which role is needed; the attempt is in the trail."""
    _, checkpoint = terminal.paused()
    terminal.roles(**{me(): "admin", OTHER: "viewer"})
    terminal.become(OTHER)
    result = terminal.run("checkpoints", "approve", checkpoint)
    assert result.exit_code == 1
    assert "Operator" in result.stderr
    assert "decision_refused" in terminal.ok("audit", "export")


def test_the_requester_may_not_approve_where_that_is_forbidden(terminal: Terminal) -> None:
    """Self-approval is off unless the DAG allows it, for Admins too."""
    _, checkpoint = terminal.paused("required_role: Operator")
    assert terminal.run("checkpoints", "approve", checkpoint).exit_code == 1
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    terminal.become(OTHER)
    terminal.ok("checkpoints", "approve", checkpoint)


def test_a_refusal_as_json_gives_the_rules(terminal: Terminal) -> None:
    """A script reads which rule said no."""
    _, checkpoint = terminal.paused("required_role: Operator")
    refused = terminal.json("checkpoints", "approve", checkpoint)
    assert refused["ruling"] == "refused"
    assert [reason["rule"] for reason in refused["reasons"]] == ["self_approval"]


def test_an_unknown_id_is_one_sentence(terminal: Terminal) -> None:
    """Every verb on a checkpoint that does not exist exits 1 and says which."""
    for verb in (["show"], ["approve"], ["reject", "--reason", "x"], ["expire"]):
        result = terminal.run("checkpoints", *verb, "cp_none")
        assert (result.exit_code, result.stderr) == (
            1,
            "error: there is no checkpoint 'cp_none'\n",
        )


def test_two_accounts_of_this_machine_reach_a_quorum(terminal: Terminal) -> None:
    """The first vote is checked again when the second comes, and counts."""
    run, checkpoint = terminal.paused(TWO)
    assert "1 of 2" in terminal.ok("checkpoints", "approve", checkpoint)
    assert "1 of 2" in terminal.ok("checkpoints", "approve", checkpoint)
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    terminal.become(OTHER)
    assert "The run goes on." in terminal.ok("checkpoints", "approve", checkpoint)
    assert terminal.json("runs", "show", run)["tasks"][1]["state"] == "approved"


def test_a_vote_from_slack_does_not_count_here_and_that_is_said(terminal: Terminal) -> None:
    """A Slack account cannot be looked up from a terminal."""
    _, checkpoint = terminal.paused(TWO)
    vote(terminal, checkpoint, Identity(IdentityKind.SLACK, "T0HOME", "U0ANA"), "U0ANA")
    result = terminal.run("checkpoints", "approve", checkpoint)
    assert result.exit_code == 0
    assert "1 of 2" in result.stdout
    assert "1 earlier of the same kind did not count here" in result.stderr


def test_a_vote_on_another_machine_counts_here(terminal: Terminal) -> None:
    """There is nobody to look a user up with but the record, there as here."""
    _, checkpoint = terminal.paused(TWO.replace("2", "3"))
    vote(terminal, checkpoint, Identity(IdentityKind.OS, "far-1", "ana"), "os:ana")
    result = terminal.run("checkpoints", "approve", checkpoint)
    assert "2 of 3" in result.stdout
    assert "did not count" not in result.stderr


def vote(terminal: Terminal, checkpoint_id: str, account: Identity, granted: str) -> None:
    """Approve with another account, which is an Operator's."""
    import asyncio  # noqa: PLC0415

    roles = f'[tenants.local-dev.roles]\nadmin = ["os:{me()}"]\noperator = ["{granted}"]\n'
    terminal.write("signoff.toml", roles)
    terminal.ok("roles", "sync")

    async def approve() -> None:
        store = Store.open(f"sqlite:///{terminal.folder / 'signoff.db'}")
        surface = Surface.SLACK if account.kind is IdentityKind.SLACK else Surface.CLI
        ana = Caller(identity=account, surface=surface, name="Ana")
        view = await store.read(lambda tx: checkpoint_view(tx, checkpoint_id))
        assert view is not None
        answer = Answer(choice=Choice.APPROVE, request_digest=view.checkpoint.request_digest)
        await store.write(lambda tx: decide(tx, checkpoint_id, ana, answer))
        store.close()

    asyncio.run(approve())


def test_expiring_needs_an_operator_and_never_approves(terminal: Terminal) -> None:
    """An Operator ends it early; the run fails as expired."""
    run, checkpoint = terminal.paused()
    terminal.become(OTHER)
    assert terminal.run("checkpoints", "expire", checkpoint).exit_code == 1
    terminal.become(me())
    assert "Expired" in terminal.ok("checkpoints", "expire", checkpoint)
    assert terminal.run("resume", run).exit_code == 5


def test_a_sweep_ends_what_is_overdue_and_nothing_else(terminal: Terminal) -> None:
    """`--due` is idempotent and leaves what is not due."""
    _, late = terminal.paused()
    _, early = terminal.paused()
    overdue(terminal, late)
    assert terminal.json("checkpoints", "expire", "--due") == {"expired": 1}
    assert terminal.json("checkpoints", "expire", "--due") == {"expired": 0}
    assert terminal.json("checkpoints", "show", early)["status"] == "pending"
    assert terminal.json("checkpoints", "show", late)["cause"] == "deadline"


def test_expire_wants_an_id_or_due_but_not_both(terminal: Terminal) -> None:
    """Neither and both are wrong usage."""
    assert terminal.run("checkpoints", "expire").exit_code == 2
    assert terminal.run("checkpoints", "expire", "cp_x", "--due").exit_code == 2
