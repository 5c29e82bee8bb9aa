"""The list of the older system's tests, to be ticked by name."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent

OLDER = {
    "test_store": """
        create_and_list_checkpoint approve_checkpoint reject_checkpoint
        expire_pending_checkpoints rbac_approval_authorization multiple_checkpoints
        jsonl_integrity get_nonexistent_checkpoint expire_with_no_old_checkpoints
    """,
    "test_runner": """
        dag_pauses_at_checkpoint resume_after_approval resume_without_approval_fails
        approval_data_passed_to_downstream_task multiple_checkpoints_in_sequence
        dag_without_checkpoint_completes_normally dry_run_with_checkpoint
    """,
    "test_cli": """
        list_command_shows_pending list_command_with_tenant_filter list_command_no_pending
        approve_command_success approve_command_insufficient_role
        approve_command_admin_can_approve_any reject_command_success
        approve_nonexistent_checkpoint approve_with_multiple_kv_pairs default_role_is_viewer
    """,
    "test_expiry": """
        expire_pending_basic expire_pending_with_custom_expiration
        expire_pending_does_not_affect_recent expire_pending_mixed_checkpoints
        expire_pending_does_not_affect_approved scheduler_emits_checkpoint_expired_event
        expire_pending_idempotent expire_pending_with_no_checkpoints
        expire_pending_boundary_condition
    """,
}


@pytest.mark.parametrize("module", OLDER)
def test_every_older_test_has_its_heir(module: str) -> None:
    """Each test of the older system is here under its own name, in its own module."""
    tree = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node.name for node in tree.body if isinstance(node, functions)]
    wanted = {f"test_{name}" for name in OLDER[module].split()}
    assert {name for name in found if name.startswith("test_")} == wanted
    assert len(found) == len(set(found))


def test_there_are_thirty_five() -> None:
    """The list itself is whole: 35 names, none twice."""
    names = [name for listed in OLDER.values() for name in listed.split()]
    assert len(names) == len(set(names)) == 35
