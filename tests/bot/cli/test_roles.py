"""Granting and revoking roles from a terminal, and which file rules them."""

from pathlib import Path

import pytest

from tests.bot.cli.terminal import OTHER, Terminal, me


def granted(terminal: Terminal) -> set[tuple[str, str, str]]:
    """Every grant in force: principal, role, source."""
    found = terminal.json("roles", "list")
    return {(g["principal"], g["role"], g["source"]) for g in found}


def test_the_first_grant_of_a_tenant_is_open_and_the_next_needs_an_admin(bare: Terminal) -> None:
    """Whoever can open the database may begin; then Admins decide."""
    bare.ok("roles", "grant", f"os:{me()}", "admin", "--tenant", "acme")
    bare.become(OTHER)
    result = bare.run("roles", "grant", f"os:{OTHER}", "Admin", "--tenant", "acme")
    assert result.exit_code == 1
    assert "Admin" in result.stderr
    assert granted(bare) == {(f"os:{me()}", "Admin", "signoff roles")}


def test_revoking_takes_back_what_was_granted(bare: Terminal) -> None:
    """A second time there is nothing to take back, which is said."""
    bare.ok("roles", "grant", f"os:{me()}", "Admin", "--tenant", "acme")
    bare.ok("roles", "grant", "U012AB", "Operator", "--tenant", "acme")
    said = bare.ok("roles", "revoke", "U012AB", "--tenant", "acme")
    assert said == "U012AB is no longer Operator in acme.\n"
    assert bare.run("roles", "revoke", "U012AB", "--tenant", "acme").exit_code == 1


def test_revoking_needs_an_admin(terminal: Terminal) -> None:
    """Somebody without the role is refused."""
    terminal.ok("roles", "grant", "U012AB", "Operator", "--tenant", "local-dev")
    terminal.become(OTHER)
    assert terminal.run("roles", "revoke", "U012AB", "--tenant", "local-dev").exit_code == 1


def test_what_the_file_still_gives_is_said(terminal: Terminal) -> None:
    """Revoking does not reach what `signoff.toml` gives."""
    result = terminal.run("roles", "revoke", f"os:{me()}", "--tenant", "local-dev")
    assert result.exit_code == 1
    assert f"os:{me()} still is Admin in local-dev through signoff.toml" in result.stderr


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["bob", "Admin"], "'bob' names nobody"),
        (["U012AB", "Boss"], "'Boss' is no role"),
    ],
)
def test_what_names_nobody_or_nothing_is_wrong_usage(
    terminal: Terminal, args: list[str], part: str
) -> None:
    """A mistyped principal or role exits 2 and changes nothing."""
    result = terminal.run("roles", "grant", *args, "--tenant", "local-dev")
    assert result.exit_code == 2
    assert part in result.stderr


def test_who_says_which_role_and_why(terminal: Terminal) -> None:
    """By default it is about the OS user; the reason is the grant."""
    assert terminal.json("roles", "who")["roles"] == [
        {"tenant": "local-dev", "role": "Admin", "because": f"signoff.toml: os:{me()}"}
    ]
    assert terminal.ok("roles", "who", f"os:{OTHER}") == f"os:{OTHER} has no role anywhere.\n"


@pytest.mark.parametrize("principal", ["U012AB", "S012AB", "bob@example.com", "os:bob@elsewhere"])
def test_who_answers_for_every_kind_of_principal(terminal: Terminal, principal: str) -> None:
    """A grant to exactly this principal is found."""
    terminal.ok("roles", "grant", principal, "Operator", "--tenant", "local-dev")
    (held,) = terminal.json("roles", "who", principal)["roles"]
    assert (held["role"], held["because"]) == ("Operator", f"signoff roles: {principal}")


def test_the_default_role_counts_only_in_local_mode(bare: Terminal) -> None:
    """USER_RBAC_ROLE is shown with its source, and only with SIGNOFF_LOCAL_MODE."""
    bare.patch.setenv("USER_RBAC_ROLE", "Operator")
    assert bare.json("roles", "who")["roles"] == []
    bare.patch.setenv("SIGNOFF_LOCAL_MODE", "true")
    assert bare.json("roles", "who")["roles"] == [
        {"tenant": "local-dev", "role": "Operator", "because": "USER_RBAC_ROLE"}
    ]


def test_the_default_role_is_viewer(bare: Terminal) -> None:
    """In local mode an OS user who was granted nothing may look, not run."""
    bare.patch.setenv("SIGNOFF_LOCAL_MODE", "true")
    assert bare.json("roles", "who")["roles"][0]["role"] == "Viewer"


def test_the_file_is_brought_in_and_what_left_it_is_taken_back(terminal: Terminal) -> None:
    """The database follows the file at the next command."""
    assert granted(terminal) == {(f"os:{me()}", "Admin", "signoff.toml")}
    terminal.roles(**{me(): "admin", OTHER: "operator"})
    assert (f"os:{OTHER}", "Operator", "signoff.toml") in granted(terminal)
    terminal.roles(**{me(): "admin"})
    assert granted(terminal) == {(f"os:{me()}", "Admin", "signoff.toml")}


def test_a_command_in_a_folder_without_a_file_takes_nothing_back(
    terminal: Terminal, tmp_path: Path
) -> None:
    """No file is not an empty file."""
    before = granted(terminal)
    (tmp_path / "elsewhere").mkdir()
    terminal.patch.chdir(tmp_path / "elsewhere")
    assert granted(terminal) == before


def test_another_folders_file_does_not_rule_until_told(terminal: Terminal, tmp_path: Path) -> None:
    """A second signoff.toml changes nothing but a note, until `roles sync`."""
    before = granted(terminal)
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "signoff.toml").write_text(f'[tenants.x.roles]\nadmin = ["os:{OTHER}"]\n')
    terminal.patch.chdir(other)
    assert granted(terminal) == before
    assert "signoff roles sync" in terminal.run("roles", "list").stderr
    assert terminal.ok("roles", "sync") == "1 given, 1 taken back.\n"
    assert granted(terminal) == {(f"os:{OTHER}", "Admin", "signoff.toml")}


def test_syncing_without_a_file_is_refused(bare: Terminal) -> None:
    """There is nothing to sync from."""
    assert bare.run("roles", "sync").exit_code == 1
