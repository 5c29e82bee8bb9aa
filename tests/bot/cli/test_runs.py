"""Running DAGs from a terminal."""

from pathlib import Path

import pytest

from tests.bot.cli.terminal import OTHER, Terminal

PLAIN = "name: plain\ntasks:\n  - {id: one, run: 'true'}\n  - {id: two, run: 'true'}\n"
FAILING = "name: failing\ntasks:\n  - id: one\n    run: echo the-reason >&2; exit 3\n"


def test_a_dag_without_a_checkpoint_runs_to_its_end(terminal: Terminal) -> None:
    """With no worker on this machine the command drives the run itself, and exits 0."""
    file = terminal.write("plain.yml", PLAIN)
    assert terminal.ok("run", str(file)).endswith("✅ Run of plain succeeded\n")


def test_a_failed_task_is_told_with_what_it_said(terminal: Terminal) -> None:
    """The log's end is shown and the code is 1."""
    result = terminal.run("run", str(terminal.write("failing.yml", FAILING)))
    assert result.exit_code == 1
    assert "the-reason" in result.stdout


def test_a_pause_says_what_waits_and_how_to_answer(terminal: Terminal) -> None:
    """The command ends with code 3 and prints what to type next."""
    terminal.paused()
    result = terminal.run("run", str(terminal.folder / "deploy.yml"))
    assert result.exit_code == 3
    assert "Release 1.2?" in result.stdout
    assert "signoff checkpoints approve cp_" in result.stdout
    assert "signoff resume run_" in result.stdout


def test_resuming_what_is_not_approved_is_refused(terminal: Terminal) -> None:
    """An open checkpoint is named with the role it waits for, and nothing happens."""
    run, checkpoint = terminal.paused()
    result = terminal.run("resume", run)
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: not approved: {checkpoint} waits for Operator\n",
    )


def test_resuming_an_unknown_run_is_one_sentence(terminal: Terminal) -> None:
    """It exits 1 and says which."""
    result = terminal.run("resume", "run_none")
    assert (result.exit_code, result.stderr) == (1, "error: there is no run 'run_none'\n")
    assert terminal.run("runs", "show", "run_none").exit_code == 1


def test_a_run_that_ended_is_only_reported(terminal: Terminal) -> None:
    """Resuming it a second time runs nothing again."""
    run, checkpoint = terminal.paused()
    terminal.ok("checkpoints", "approve", checkpoint)
    terminal.ok("resume", run)
    before = terminal.json("runs", "show", run)
    terminal.ok("resume", run)
    assert terminal.json("runs", "show", run) == before


def test_a_dry_run_prints_the_plan_and_writes_nothing(terminal: Terminal) -> None:
    """No run, no row of the trail, not even a database."""
    terminal.paused()
    missing = terminal.folder / "never.db"
    terminal.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{missing}")
    plan = terminal.ok("run", str(terminal.folder / "deploy.yml"), "--dry-run")
    drawn = [line.split()[:2] for line in plan.splitlines()[1:]]
    assert drawn == [["●", "build"], ["│"], ["⏸", "release"], ["│"], ["●", "ship"]]
    assert not missing.exists()


def test_detached_runs_are_only_queued(terminal: Terminal) -> None:
    """Without a worker the command says that it stays queued."""
    file = terminal.write("plain.yml", PLAIN)
    result = terminal.run("run", str(file), "--detach")
    assert result.exit_code == 0
    assert "stays queued" in result.stderr
    (run,) = terminal.json("runs", "list")
    assert (run["id"], run["state"]) == (result.stdout.strip(), "queued")
    terminal.ok("resume", run["id"])


def test_every_problem_of_a_dag_is_told_with_its_line(terminal: Terminal) -> None:
    """An invalid file exits 2 before anything runs."""
    bad = "name: bad\ntasks:\n  - {id: one, typ: checkpoint}\n  - {id: one, run: 'true'}\n"
    file = terminal.write("bad.yml", bad)
    result = terminal.run("run", str(file))
    assert result.exit_code == 2
    assert all(line.startswith(f"{file}:") for line in result.stderr.splitlines())
    assert len(result.stderr.splitlines()) >= 2


def test_a_missing_file_is_told(terminal: Terminal) -> None:
    """It is a problem of the DAG like any other."""
    result = terminal.run("run", str(Path("nowhere.yml")))
    assert result.exit_code == 2
    assert "nowhere.yml: cannot be read: No such file or directory" in result.stderr


def test_a_callable_that_is_not_there_is_told_before_anything_runs(terminal: Terminal) -> None:
    """The check happens before the submission."""
    dag = "name: calls\ntasks:\n  - {id: one, workflow_ref: 'no_such_module:f'}\n"
    result = terminal.run("run", str(terminal.write("calls.yml", dag)))
    assert result.exit_code == 2
    assert "one" in result.stderr
    assert terminal.json("runs", "list") == []


def test_running_needs_a_role(terminal: Terminal) -> None:
    """Somebody without Operator is refused, and the refusal is audited."""
    terminal.become(OTHER)
    result = terminal.run("run", str(terminal.write("plain.yml", PLAIN)))
    assert result.exit_code == 1
    assert "Operator" in result.stderr
    assert "run_refused" in terminal.ok("audit", "export")


def test_detach_and_wait_contradict_each_other(terminal: Terminal) -> None:
    """Both at once is wrong usage."""
    file = terminal.write("plain.yml", PLAIN)
    assert terminal.run("run", str(file), "--detach", "--wait").exit_code == 2


def test_ctrl_c_says_what_becomes_of_the_run(terminal: Terminal) -> None:
    """An interrupted watch leaves the run where it is, to be resumed."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    terminal.patch.setattr("bot.cli.running.follow", interrupt)
    result = terminal.run("run", str(terminal.write("plain.yml", PLAIN)))
    assert result.exit_code == 130
    (run,) = terminal.json("runs", "list")
    assert f"{run['id']} stands still now" in result.stderr


@pytest.mark.parametrize("state", ["succeeded", "paused"])
def test_runs_can_be_listed_by_state(terminal: Terminal, state: str) -> None:
    """Only runs of that state are listed."""
    terminal.paused()
    terminal.ok("run", str(terminal.write("plain.yml", PLAIN)))
    assert [run["state"] for run in terminal.json("runs", "list", "--state", state)] == [state]
    assert terminal.json("runs", "list", "--tenant", "other") == []
