"""The older command line's tests, by their names, against the real one.

The role of whoever sits at the terminal comes from `USER_RBAC_ROLE`, as it did: that
counts on a machine whose owner says so (`SIGNOFF_LOCAL_MODE`).
"""

from typing import Any

import pytest

from engine.identity import Role
from tests.bot.cli.terminal import Terminal

FORM = """\
self_approval: true
inputs:
  region: {type: choice, options: [eu, us], required: true}
  replicas: {type: number}
  note: {type: string}"""


@pytest.fixture
def local(bare: Terminal) -> Terminal:
    """The terminal of an Operator on a machine in local mode."""
    bare.patch.setenv("SIGNOFF_LOCAL_MODE", "true")
    become(bare, Role.OPERATOR)
    return bare


def become(local: Terminal, role: Role | None) -> None:
    """Say which role the user has, or nothing about it."""
    if role is None:
        local.patch.delenv("USER_RBAC_ROLE")
    else:
        local.patch.setenv("USER_RBAC_ROLE", role.label)


def shown(local: Terminal, checkpoint: str) -> Any:
    """A checkpoint as it is shown."""
    return local.json("checkpoints", "show", checkpoint)


def test_list_command_shows_pending(local: Terminal) -> None:
    """A pending checkpoint is listed with its id, its question, its role and its deadline."""
    _, checkpoint = local.paused()
    listed = local.ok("checkpoints", "list")
    for part in (checkpoint, "Release 1.2?", "Operator", "in 2 d 23 h"):
        assert part in listed
    assert [found["id"] for found in local.json("checkpoints", "list")] == [checkpoint]


def test_list_command_with_tenant_filter(local: Terminal) -> None:
    """Only checkpoints of the tenant that was named are listed."""
    _, here = local.paused()
    other = (local.folder / "deploy.yml").read_text(encoding="utf-8")
    file = local.write("other.yml", other.replace("name: deploy", "name: deploy\ntenant_id: acme"))
    [there] = local.json("run", str(file))["checkpoints"]
    for tenant, wanted in (("local-dev", [here]), ("acme", [there["id"]]), ("globex", [])):
        found = local.json("checkpoints", "list", "--tenant", tenant)
        assert [checkpoint["id"] for checkpoint in found] == wanted
    assert len(local.json("checkpoints", "list")) == 2


def test_list_command_no_pending(local: Terminal) -> None:
    """With nothing pending the list says so and succeeds."""
    assert local.ok("checkpoints", "list") == "No pending checkpoints.\n"
    _, checkpoint = local.paused()
    local.ok("checkpoints", "approve", checkpoint)
    assert local.ok("checkpoints", "list") == "No pending checkpoints.\n"
    assert local.json("checkpoints", "list") == []


def test_approve_command_success(local: Terminal) -> None:
    """An Operator approves: it exits 0, the record says who, and the run goes on to its end."""
    run, checkpoint = local.paused()
    assert "The run goes on." in local.ok("checkpoints", "approve", checkpoint)
    found = shown(local, checkpoint)
    assert found["status"] == "approved"
    [decision] = found["decisions"]
    assert (decision["choice"], decision["role"]) == ("approve", "Operator")
    assert decision["account"].startswith("os:")
    local.ok("resume", run)
    assert local.json("runs", "show", run)["state"] == "succeeded"


def test_approve_command_insufficient_role(local: Terminal) -> None:
    """A role below the required one is refused with exit code 1, on stderr, and changes nothing."""
    _, checkpoint = local.paused("self_approval: true\nrequired_role: Admin")
    for role in (Role.OPERATOR, Role.VIEWER):
        become(local, role)
        result = local.run("checkpoints", "approve", checkpoint)
        assert result.exit_code == 1
        assert "Admin" in result.stderr
    assert shown(local, checkpoint)["status"] == "pending"


def test_approve_command_admin_can_approve_any(local: Terminal) -> None:
    """An Admin approves what asks for an Operator as well as what asks for an Admin."""
    become(local, Role.ADMIN)
    for role in ("Operator", "Admin"):
        _, checkpoint = local.paused(f"self_approval: true\nrequired_role: {role}")
        local.ok("checkpoints", "approve", checkpoint)
        assert shown(local, checkpoint)["status"] == "approved"


def test_reject_command_success(local: Terminal) -> None:
    """A rejection exits 0, keeps its reason, and ends the run as rejected."""
    run, checkpoint = local.paused()
    local.ok("checkpoints", "reject", checkpoint, "--reason", "the build is old")
    found = shown(local, checkpoint)
    assert (found["status"], found["decisions"][0]["reason"]) == ("rejected", "the build is old")
    assert local.run("resume", run).exit_code == 5
    ended = local.json("runs", "show", run)
    assert (ended["state"], ended["cause"], ended["because"]) == ("failed", "rejected", "release")


def test_approve_nonexistent_checkpoint(local: Terminal) -> None:
    """An unknown id exits 1 and is named on stderr; nothing is said on stdout."""
    result = local.run("checkpoints", "approve", "cp_nonexistent")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: there is no checkpoint 'cp_nonexistent'\n"


def test_approve_with_multiple_kv_pairs(local: Terminal) -> None:
    """Several pairs to one `--kv` arrive as typed data, also where a value holds a `=`."""
    pairs = ("region=eu", "replicas=3", "note=a=b c")
    run, checkpoint = local.paused(FORM)
    local.ok("checkpoints", "approve", checkpoint, "--kv", *pairs)
    tasks = {task["id"]: task for task in local.json("runs", "show", run)["tasks"]}
    given = {key: tasks["release"]["output"][key] for key in ("region", "replicas", "note")}
    assert given == {"region": "eu", "replicas": 3, "note": "a=b c"}


def test_default_role_is_viewer(local: Terminal) -> None:
    """Without a word about the role the user is a Viewer, who looks but decides nothing."""
    _, checkpoint = local.paused()
    become(local, None)
    assert checkpoint in local.ok("checkpoints", "list")
    for verb in (["approve"], ["reject", "--reason", "no"], ["expire"]):
        result = local.run("checkpoints", verb[0], checkpoint, *verb[1:])
        assert result.exit_code == 1
        assert "Viewer" in result.stderr
    assert shown(local, checkpoint)["status"] == "pending"
