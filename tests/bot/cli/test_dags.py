"""`signoff dags`, and starting a DAG of the folder by its name."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.bot.cli.terminal import Terminal, me

TASKS = "tasks: [{id: a, run: 'true'}]\n"


@pytest.fixture
def shelf(terminal: Terminal) -> Terminal:
    """A terminal with a folder of two DAGs, one of them by schedule."""
    toml = (terminal.folder / "signoff.toml").read_text()
    terminal.write("signoff.toml", f'[dags]\nfolder = "dags"\n{toml}\n')
    (terminal.folder / "dags").mkdir()
    schedule = '{cron: "0 6 * * mon-fri", timezone: Asia/Kathmandu}'
    terminal.write("dags/nightly.yml", f"name: nightly report\nschedule: {schedule}\n{TASKS}")
    terminal.write("dags/deploy.yaml", f"name: deploy\n{TASKS}")
    return terminal


def test_the_dags_of_the_folder_are_listed(shelf: Terminal) -> None:
    """With the schedule in words, the next tick in both zones, and the last run."""
    shelf.ok("run", "deploy")
    head, deploy, nightly = shelf.ok("dags", "list").splitlines()
    assert head.split() == ["DAG", "TENANT", "FILE", "LAST", "RUN", "NEXT", "SCHEDULE"]
    assert "dags/deploy.yaml" in deploy
    assert "succeeded" in deploy
    assert "At 06:00 on Monday through Friday (Asia/Kathmandu)" in nightly
    assert "06:00 +0545 (" in nightly
    assert "00:15 UTC)" in nightly


def test_a_script_gets_the_ticks_that_follow(shelf: Terminal) -> None:
    """Three of them, in UTC and as the clock on the wall will say."""
    deploy, nightly = shelf.json("dags", "list")["dags"]
    assert (deploy["schedule"], deploy["next"], deploy["last_run"]) == (None, [], None)
    assert nightly["schedule"]["cron"] == "0 6 * * mon-fri"
    assert nightly["schedule"]["catch_up"] == "none"
    assert nightly["file"] == str(shelf.folder / "dags/nightly.yml")
    moments = [datetime.fromisoformat(tick["at"]) for tick in nightly["next"]]
    assert len(moments) == 3
    assert moments == sorted(moments)
    assert moments[0] > datetime.now(UTC)
    assert all(tick["local"].endswith("T06:00:00+05:45") for tick in nightly["next"])


def test_broken_files_are_listed_with_their_problems(shelf: Terminal) -> None:
    """The good ones are there; the exit code says that not all is well, and the doctor agrees."""
    shelf.write("dags/bad.yml", 'name: bad\nschedule: "0 6 * *"\ntasks: []\n')
    result = shelf.run("dags", "list")
    assert result.exit_code == 1
    assert "nightly report" in result.stdout
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{shelf.folder}/dags/bad.yml:2: 'schedule' in the DAG: '0 6 * *'")
    assert second.startswith(f"{shelf.folder}/dags/bad.yml:3: 'tasks' in the DAG")
    (broken,) = shelf.json("dags", "list")["broken"]
    assert [problem["line"] for problem in broken["problems"]] == [2, 3]
    checks = [c for c in shelf.json("doctor")["checks"] if c["name"] == "dags"]
    assert [check["status"] for check in checks] == ["fail", "ok"]
    assert "bad.yml:2" in checks[0]["found"]
    assert checks[1]["found"] == "2 DAGs, 1 by schedule"


def test_without_a_folder_it_is_said_what_to_set(terminal: Terminal) -> None:
    """The key and the file it belongs to."""
    result = terminal.run("dags", "list")
    assert result.exit_code == 2
    assert f'say [dags] folder = "dags" in {terminal.folder}/signoff.toml' in result.stderr


def test_a_dag_is_run_by_its_name(shelf: Terminal) -> None:
    """In any letter case; a file of that name goes before."""
    assert shelf.json("run", "Nightly Report")["dag"] == "nightly report"
    shelf.write("deploy", f"name: from a file\n{TASKS}")
    assert shelf.json("run", "deploy")["dag"] == "from a file"


def test_a_name_that_nothing_has_is_met_with_what_was_meant(shelf: Terminal) -> None:
    """And with where to look; a path is still a path."""
    result = shelf.run("run", "deploi")
    assert result.exit_code == 1
    assert "no DAG of that name in the folder; did you mean 'deploy'?" in result.stderr
    assert "`signoff dags list`" in result.stderr
    assert "gone.yml: cannot be read" in shelf.run("run", "gone.yml").stderr


def test_a_name_in_several_tenants_wants_the_file(shelf: Terminal) -> None:
    """Which is meant is not guessed."""
    shelf.write("dags/other.yml", f"name: deploy\ntenant_id: acme\n{TASKS}")
    result = shelf.run("run", "deploy")
    assert result.exit_code == 2
    assert "name the file of the one you mean" in result.stderr
    assert "dags/other.yml" in result.stderr


def test_what_a_dag_says_of_its_runs_is_shown(shelf: Terminal) -> None:
    """`dag check` and `dag show` tell schedule, timeout and how much runs at once, as JSON."""
    file = shelf.write(
        "limits.yml", f'name: d\nschedule: "0 6 * * *"\ntimeout: 2h\nmax_parallel: 2\n{TASKS}'
    )
    for shown in (shelf.json("dag", "check", str(file)), _stored(shelf, str(file))):
        assert shown["schedule"] == {"cron": "0 6 * * *", "timezone": "UTC", "catch_up": "none"}
        assert (shown["timeout"], shown["max_parallel"]) == (7200, 2)


def _stored(shelf: Terminal, file: str) -> Any:
    return json.loads(shelf.ok("dag", "show", file, "--format", "json"))


def test_a_run_by_a_viewer_is_refused(shelf: Terminal) -> None:
    """A name gives nobody a role."""
    shelf.roles(**{me(): "viewer"})
    toml = (shelf.folder / "signoff.toml").read_text()
    shelf.write("signoff.toml", f'[dags]\nfolder = "dags"\n{toml}\n')
    assert shelf.run("run", "deploy").exit_code == 1
