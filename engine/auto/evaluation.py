"""Evaluating rules apart: in a child that can be lost, with bounds of time and memory.

CEL ends by itself, but not soon, and not small: a few nested macros can take gigabytes. So
neither the writer's thread, nor the bot, nor a worker ever evaluates anything itself.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from engine.auto.host import CPU_S
from engine.model import JsonObject

_log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""Seconds after which an expression is given up, however little of them it was at work."""

MOST_READ = 1 << 20
"""Characters that the values of one expression may have as JSON."""

_PASSED = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TZ")


@dataclass(frozen=True, slots=True)
class Question:
    """An expression, and the values it may read, by name."""

    expression: str
    values: JsonObject


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be told; `why` is the end of a sentence, and quotes no value."""

    why: str


Told = bool | Failed


async def evaluate(questions: Sequence[Question], patience_s: float = PATIENCE_S) -> list[Told]:
    """Whether each expression holds. One that fails fails alone."""
    host = _Host(patience_s)
    try:
        return [await host.ask(question) for question in questions]
    finally:
        await host.close()


class _Host:
    """A child that answers; a new one in its place when it is lost."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, question: Question) -> Told:
        asked = {"expression": question.expression, "values": dict(question.values)}
        line = json.dumps(asked)
        if len(line) > MOST_READ:
            return Failed(f"what it reads is larger than {MOST_READ >> 20} MB")
        try:
            answer = await asyncio.wait_for(self._exchange(line), self._patience_s)
        except TimeoutError:
            await self.close()
            return Failed(f"it took longer than {self._patience_s:g} s")
        except OSError as trouble:
            _log.error("rules cannot be evaluated: %s", trouble)
            await self.close()
            return Failed("no process could be had to evaluate it")
        return await self._read(answer)

    async def close(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _exchange(self, line: str) -> bytes:
        """The answer to a line; nothing when the child is gone."""
        process = self._process = self._process or await _started()
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the child was started without pipes")
        with suppress(BrokenPipeError, ConnectionResetError):  # gone: it answers nothing
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
        return await process.stdout.readline()

    async def _read(self, answer: bytes) -> Told:
        if not answer.endswith(b"\n"):
            return Failed(await self._how_it_was_lost())
        told = json.loads(answer)
        return Failed(told["failed"]) if "failed" in told else bool(told["held"])

    async def _how_it_was_lost(self) -> str:
        process = self._process
        if process is None:
            raise AssertionError("nobody was asked")
        # It has closed its end: it is about to be gone, or it never will be by itself.
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), self._patience_s)
        await self.close()
        if process.returncode == -signal.SIGXCPU:
            return f"it is at work for longer than {CPU_S} s"
        return f"its evaluation was ended ({process.returncode})"


async def _started() -> asyncio.subprocess.Process:
    # What it may print of its own troubles would quote values: nobody hears it.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "engine.auto.host"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED if name in os.environ},
    )
