"""Commands as tasks: what they get, what they leave, and what is kept of their words."""

import json
import sys
from pathlib import Path

import pytest

from engine.dag import PythonCall, Shell
from engine.tasks import Succeeded
from engine.tasks.environment import environment
from engine.tasks.logs import LIMIT
from tests.engine.attempts import error, output, run_once


class TestCommands:
    async def test_output_is_the_json_object_the_command_wrote(self, tmp_path: Path) -> None:
        """A command hands on what it writes to $SIGNOFF_OUTPUT."""
        outcome = await run_once(
            tmp_path, """echo '{"version": "1.4", "n": 2}' > "$SIGNOFF_OUTPUT" """
        )
        assert output(outcome) == {"version": "1.4", "n": 2}

    async def test_output_is_empty_when_nothing_was_written(self, tmp_path: Path) -> None:
        """A command that writes no output hands on an empty object."""
        assert output(await run_once(tmp_path, ("true",))) == {}

    async def test_inputs_come_as_a_file_and_small_ones_as_variables(self, tmp_path: Path) -> None:
        """Every input is in $SIGNOFF_INPUT; only small scalars are variables."""
        inputs = {"a__big": "x" * 2000, "a__ok": True, "a__list": [1], "a__text": "$(false) 'q'"}
        script = """
import json, os
seen = {
    "file": json.load(open(os.environ["SIGNOFF_INPUT"])),
    "env": {name: value for name, value in os.environ.items() if name.startswith("a__")},
    "ids": [os.environ["SIGNOFF_" + name] for name in ("RUN_ID", "TASK_ID", "ATTEMPT")],
}
json.dump(seen, open(os.environ["SIGNOFF_OUTPUT"], "w"))
"""
        command = (sys.executable, "-c", script)
        found = output(await run_once(tmp_path, command, inputs))
        assert found["file"] == inputs
        assert found["env"] == {"a__ok": "true", "a__text": "$(false) 'q'"}
        assert found["ids"] == ["run_1", "build", "1"]

    async def test_secrets_of_the_worker_do_not_reach_a_task(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only the allow-list and the task's own variables are passed on."""
        monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
        monkeypatch.setenv("SIGNOFF_DATABASE_URL", "postgresql://u:p@h/d")
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        work = Shell(command="env > env.txt", env={"COLOUR": "blue"})
        output(await run_once(tmp_path, work))
        seen = (tmp_path / "env.txt").read_text()
        assert "xoxb-1" not in seen
        assert "postgresql" not in seen
        assert {"COLOUR=blue", "LC_ALL=C.UTF-8"} <= set(seen.splitlines())

    async def test_command_runs_in_its_own_folder(self, tmp_path: Path) -> None:
        """A relative cwd is taken from the DAG's folder."""
        (tmp_path / "sub").mkdir()
        output(await run_once(tmp_path, Shell(command="pwd > here", cwd="sub")))
        assert (tmp_path / "sub/here").read_text().strip() == str(tmp_path / "sub")

    async def test_arguments_are_passed_as_they_are(self, tmp_path: Path) -> None:
        """A list is no shell text: nothing in it is expanded."""
        outcome = await run_once(tmp_path, ("printf", "%s|", "$HOME", "a b", "*"))
        assert isinstance(outcome, Succeeded)
        assert outcome.log_tail == "$HOME|a b|*|"

    async def test_command_has_no_input_to_wait_for(self, tmp_path: Path) -> None:
        """Reading standard input ends at once."""
        assert output(await run_once(tmp_path, "cat")) == {}

    @pytest.mark.parametrize(
        ("command", "expected"),
        [
            ("exit 3", "ended with exit status 3"),
            ("kill -9 $$", "was killed by SIGKILL"),
            (("no-such-program",), "ended with exit status 127: a command was not found"),
        ],
    )
    async def test_failure_says_how_it_ended(
        self, tmp_path: Path, command: str | tuple[str, ...], expected: str
    ) -> None:
        """A command that does not exit with 0 has failed, and says with what."""
        assert error(await run_once(tmp_path, command)) == expected

    async def test_missing_folder_fails_the_attempt(self, tmp_path: Path) -> None:
        """A cwd that has gone since the run began fails the task, not the worker."""
        assert "could not be started" in error(
            await run_once(tmp_path, Shell(command="true", cwd="no"))
        )

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("echo nope", "the output is not JSON"),
            ("echo '[1]'", "the output is a list"),
            ("""echo '{"a": NaN}'""", "NaN is no JSON number"),
            ("printf '\\377'", "not UTF-8"),
            ("""echo '{"a": "\\ud800"}'""", "not UTF-8"),
            ("head -c 1100000 /dev/zero", "larger than 1 MiB"),
        ],
    )
    async def test_unusable_output_fails_clearly(
        self, tmp_path: Path, written: str, expected: str
    ) -> None:
        """An output that is no JSON object of at most 1 MiB fails the task with a sentence."""
        assert expected in error(await run_once(tmp_path, f'{written} > "$SIGNOFF_OUTPUT"'))

    async def test_named_pipe_as_output_does_not_hang(self, tmp_path: Path) -> None:
        """Only a regular file is read."""
        outcome = await run_once(tmp_path, 'mkfifo "$SIGNOFF_OUTPUT"')
        assert error(outcome) == "the output is not a regular file"

    async def test_large_output_is_handed_on(self, tmp_path: Path) -> None:
        """An output just below the limit arrives whole."""
        command = (
            'head -c 1000000 /dev/zero | tr "\\0" x > big; '
            """{ printf '{"v":"'; cat big; printf '"}'; } > "$SIGNOFF_OUTPUT" """
        )
        assert len(output(await run_once(tmp_path, command))["v"]) == 1_000_000


class TestLogs:
    async def test_both_streams_are_kept(self, tmp_path: Path) -> None:
        """What a command prints goes into the log and its tail."""
        outcome = await run_once(tmp_path, "echo out; echo err >&2; exit 1")
        assert outcome.log_tail == "out\nerr\n"
        assert (tmp_path / "logs/run_1/build.1.log").read_text() == "out\nerr\n"

    async def test_log_is_bounded_and_says_where_it_was_cut(self, tmp_path: Path) -> None:
        """A flood fills at most 1 MiB, and the last words are kept all the same."""
        outcome = await run_once(
            tmp_path, 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo the end'
        )
        log = (tmp_path / "logs/run_1/build.1.log").read_bytes()
        assert len(log) == LIMIT
        assert b"cut here" in log[-100:]
        assert outcome.log_tail.endswith("x\nthe end\n")
        assert len(outcome.log_tail) == 2000

    async def test_secrets_are_taken_out(self, tmp_path: Path) -> None:
        """Neither the log, nor its tail, nor the error tells a secret that the task was given."""
        outcome = await run_once(
            tmp_path,
            Shell(command="echo token:; printf hun; sleep 0.05; echo ter2-hunter2; exit 1"),
            secrets={"hunter2-hunter2", "s3cr3t-s3cr3t"},
        )
        assert outcome.log_tail == "token:\n[redacted]\n"
        assert (tmp_path / "logs/run_1/build.1.log").read_text() == outcome.log_tail
        (tmp_path / "jobs.py").write_text("def f(): raise ValueError('no s3cr3t-s3cr3t')\n")
        said = await run_once(tmp_path, PythonCall(ref="jobs:f"), secrets={"s3cr3t-s3cr3t"})
        assert error(said) == "ValueError: no [redacted]"
        assert "s3cr3t" not in said.log_tail

    async def test_secrets_behind_the_cut_are_taken_out(self, tmp_path: Path) -> None:
        """The last words of a flood are searched, too."""
        flood = "yes 'filling hunter2-hunter2' | head -c 3000000; echo; echo hunter2-hunter2 end"
        outcome = await run_once(tmp_path, flood, secrets={"hunter2-hunter2"})
        assert outcome.log_tail.endswith("[redacted] end\n")
        assert "hunter2" not in outcome.log_tail
        assert b"hunter2" not in (tmp_path / "logs/run_1/build.1.log").read_bytes()

    async def test_what_looks_like_a_secret_is_taken_out(self, tmp_path: Path) -> None:
        """Tokens are known by their shape, whether or not anybody declared them."""
        outcome = await run_once(tmp_path, "echo xoxb-1234567890-abcdefghijklmnop")
        assert outcome.log_tail == "[redacted]\n"

    async def test_log_is_private(self, tmp_path: Path) -> None:
        """Only the owner may read a log."""
        await run_once(tmp_path, "echo secret")
        assert (tmp_path / "logs/run_1/build.1.log").stat().st_mode & 0o077 == 0

    async def test_tail_can_be_stored_anywhere(self, tmp_path: Path) -> None:
        """Bytes that a database refuses are replaced."""
        assert (await run_once(tmp_path, "printf 'a\\000b\\377c'")).log_tail == "a�b�c"


def test_many_inputs_do_not_overflow_the_environment() -> None:
    """Variables are a convenience and stay below what the system allows."""
    inputs = {f"a__{n}": "x" * 1000 for n in range(500)} | {"a__late": 1}
    variables = environment({}, inputs, {}, {})
    assert sum(len(name) + len(value) for name, value in variables.items()) < 70_000
    assert json.dumps(inputs)
