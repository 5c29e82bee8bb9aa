"""Trying rules out before anybody is asked, and a run that a rule approves."""

import json
from pathlib import Path

import pytest

from tests.bot.cli.terminal import Terminal

DAG = """
name: infra
params: {env: {default: test}}
tasks:
  - {id: plan, run: "echo '{\\"deletes\\": 0, \\"key\\": \\"s3cret-value\\"}' > $SIGNOFF_OUTPUT"}
  - id: apply
    type: checkpoint
    depends_on: plan
    show: [{label: Key, from: plan__key, secret: true}]
    auto:
      - {when: "params.env == 'test' && outputs.plan.deletes == 0", then: approve}
      - {when: "outputs.plan.deletes > 9", require: {required_role: Admin, quorum: 2}}
"""


@pytest.fixture
def file(terminal: Terminal) -> Path:
    """A DAG file with two rules."""
    return terminal.write("infra.yml", DAG)


def outputs(terminal: Terminal, deletes: int) -> str:
    return str(terminal.write("left.json", json.dumps({"plan": {"deletes": deletes}})))


def test_rules_that_hold_are_said_with_what_follows(terminal: Terminal, file: Path) -> None:
    """With the parameters' defaults where none are given."""
    told = terminal.ok("policy", "auto", str(file), "--outputs", outputs(terminal, 0))
    assert "apply: approved without people, by rule 1" in told
    left = outputs(terminal, 12)
    told = terminal.ok("policy", "auto", str(file), "--params", "env=prod", "--outputs", left)
    assert "apply: people are asked: Admin, 2 to approve, more than without rules" in told


def test_the_same_as_json(terminal: Terminal, file: Path) -> None:
    """One object for each checkpoint that has rules."""
    said = terminal.json("policy", "auto", str(file), "--outputs", outputs(terminal, 0))
    [found] = said["checkpoints"]
    assert (found["task_id"], found["approved_by"]) == ("apply", "rule 1")
    assert [rule["came"] for rule in found["rules"]] == ["true", "false"]


def test_a_rule_that_fails_is_a_check_that_did_not_pass(terminal: Terminal, file: Path) -> None:
    """Exit 1, so that a repository's CI finds it."""
    result = terminal.run("policy", "auto", str(file))
    assert result.exit_code == 1
    assert "there is no 'plan'" in result.stdout
    assert "apply: people are asked: Operator, 1 to approve" in result.stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[]", "expected what each task left"),
        ('{"plan": 1}', "expected what each task left"),
        ('{"plans": {}}', "'plans' is no task of infra"),
    ],
)
def test_outputs_that_cannot_be_are_wrong_usage(
    terminal: Terminal, file: Path, content: str | None, why: str
) -> None:
    """Exit 2, and what was expected."""
    name = "nowhere.json" if content is None else str(terminal.write("o.json", content))
    result = terminal.run("policy", "auto", str(file), "--outputs", name)
    assert result.exit_code == 2
    assert why in result.stderr


def test_a_dag_without_rules_says_so(terminal: Terminal) -> None:
    """There is nothing to try."""
    file = terminal.write("plain.yml", "name: d\ntasks: [{id: ok, type: checkpoint}]\n")
    assert "No checkpoint of this DAG has rules" in terminal.ok("policy", "auto", str(file))


def test_a_run_that_a_rule_approves_is_told_as_such(terminal: Terminal, file: Path) -> None:
    """Everywhere that tells of a checkpoint; nowhere is there a person who decided."""
    terminal.ok("run", str(file))
    [ended] = terminal.json("checkpoints", "list", "--status", "all")
    assert (ended["status"], ended["cause"]) == ("approved", "auto")
    shown = terminal.ok("checkpoints", "show", ended["id"])
    assert "✅ Approved by rule: infra · apply" in shown
    assert "Rule 1 approves: params.env == 'test' && outputs.plan.deletes == 0" in shown
    assert "outputs.plan.deletes: 0" in shown
    assert terminal.json("checkpoints", "show", ended["id"])["decisions"] == []
    timeline = terminal.ok("runs", "show", ended["run_id"])
    assert "rule 1 · nobody was asked" in timeline
    lines = terminal.ok("audit", "export", "--surface", "checkpoints").splitlines()
    end = json.loads(lines[-1])
    assert (end["status"], end["approved_by"]) == ("approved", "rule 1")
