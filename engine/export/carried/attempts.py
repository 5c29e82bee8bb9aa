"""Commands and functions, each in a process group of its own: values in, values out."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

DAG_FOLDER = "."
PYTHON = sys.executable

# ---- Commands and functions

OUTPUT_LIMIT = 1 << 20  # bytes of what a task puts out
LOG_LIMIT = 1 << 20  # characters of what a task prints
SHORTEST_SECRET = 6  # a shorter one would take half of every line with it
LONGEST_VARIABLE, ALL_VARIABLES = 1024, 64 * 1024  # bytes
GRACE_S = 2.0  # from a polite TERM to KILL
PASSED_ON = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"}

# Calls a function of the DAG's folder with the inputs it has arguments for.
CALL = """\
import asyncio, importlib, inspect, json, os, sys

with open(os.environ.pop("SIGNOFF_INPUT"), encoding="utf-8") as file:
    given = json.load(file)
left = os.environ.pop("SIGNOFF_OUTPUT")
module, _, name = sys.argv[1].partition(":")
function = getattr(importlib.import_module(module), name)
known = inspect.signature(function).parameters.values()
if not any(one.kind is one.VAR_KEYWORD for one in known):
    named = {one.name for one in known if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    given["inputs"] = {key: value for key, value in given["inputs"].items() if key in named}
result = function(**{**given["inputs"], **given["params"]})
if hasattr(result, "__await__"):
    async def finish():
        return await result
    result = asyncio.run(finish())
if result is not None:
    with open(left, "w", encoding="utf-8") as file:
        json.dump(result, file, allow_nan=False)
"""


@dataclass
class AtWork:
    """The programs that run now. Once `is_ending`, none is started, and none tried again."""

    programs: set["subprocess.Popen[str]"] = field(default_factory=set)
    is_ending: bool = False


at_work = AtWork()


class Unsuccessful(Exception):
    """An attempt that did not end well; the text says how."""


def attempt(
    argv: list[str],
    given: Mapping[str, Any],
    *,
    variables: Mapping[str, str],
    cwd: str,
    timeout_s: float | None,
    hidden: Collection[str],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Run a program, and end all it started; the JSON object in `$SIGNOFF_OUTPUT` comes back.

    `given` is what it finds in `$SIGNOFF_INPUT`; `hidden` is taken out of what it prints.
    """
    if at_work.is_ending:
        raise Unsuccessful("the run is ending")
    with tempfile.TemporaryDirectory(prefix="signoff-") as folder:
        input_file, output_file = Path(folder, "input.json"), Path(folder, "output.json")
        input_file.write_text(json.dumps(given), encoding="utf-8")
        files = {"SIGNOFF_INPUT": str(input_file), "SIGNOFF_OUTPUT": str(output_file)}
        process = subprocess.Popen(
            argv,
            cwd=Path(DAG_FOLDER, cwd),
            env={**passed_on(), **variables, **files},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        at_work.programs.add(process)
        log = threading.Thread(target=tell, args=(process.stdout, say, hidden))
        log.start()
        try:
            if at_work.is_ending:
                raise Unsuccessful("the run is ending")
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Unsuccessful(f"timed out after {timeout_s:g} s and was ended") from None
        finally:
            end_group(process)
            log.join()
            at_work.programs.discard(process)
        if status != 0:
            raise Unsuccessful(f"ended with exit status {status}")
        return read_output(output_file)


def passed_on() -> dict[str, str]:
    """The variables of this process that tasks may see: an allow-list."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith("LC_")
    }


def as_variables(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Small plain values as environment variables; the input file has everything."""
    variables: dict[str, str] = {}
    room = ALL_VARIABLES
    for name, value in inputs.items():
        is_plain = value is None or isinstance(value, str | bool | int | float)
        if not is_plain or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            continue
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        size = len(text.encode())
        if "\0" not in text and size <= LONGEST_VARIABLE and size + len(name) <= room:
            variables[name] = text
            room -= size + len(name)
    return variables


def tell(printed: IO[str], say: Callable[[str], None], hidden: Collection[str]) -> None:
    """Pass on what a program prints, line by line, up to the limit."""
    room = LOG_LIMIT
    for line in iter(lambda: printed.readline(8192), ""):
        shown = line.rstrip("\n")
        for secret in hidden:
            if len(secret) >= SHORTEST_SECRET:
                shown = shown.replace(secret, "[redacted]")
        if room > 0:
            say(shown if room > len(line) else "[cut: more was printed than is kept]")
        room -= len(line)


def read_output(file: Path) -> dict[str, Any]:
    """What a program left in its output file; nothing is no output."""
    content = file.read_bytes() if file.exists() else b""
    if len(content) > OUTPUT_LIMIT:
        raise Unsuccessful("the output is larger than 1 MiB: write a file elsewhere and name it")
    if not content.strip():
        return {}
    try:
        found = json.loads(content, parse_constant=_refuse)
    except ValueError as error:
        raise Unsuccessful(f"the output is not JSON ({error}): expected one object") from None
    if not isinstance(found, dict):
        raise Unsuccessful("the output is not one JSON object")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def end_group(process: "subprocess.Popen[str]") -> None:
    """End a program and everything it started: TERM, then KILL."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        patience = time.monotonic() + GRACE_S
        while time.monotonic() < patience:
            process.poll()  # one that has ended is in its group until it is asked for
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
