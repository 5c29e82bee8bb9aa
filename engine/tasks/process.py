"""A child process that waits for a word before it becomes the command.

Its process group can so be recorded first: a command never runs that nobody could
find and end. When whoever started it dies before the word, it runs nothing at all.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence

import psutil

from engine.liveness import start_of
from engine.tasks.groups import GRACE_S, end_group
from engine.tasks.printed import Printed, Sink

_GATE = 'IFS= read -r go && exec "$@" </dev/null'


class GatedProcess:
    """A started child, before and after the word. Call `end` however it went."""

    def __init__(self, process: asyncio.subprocess.Process, gate: int, printed: Printed) -> None:
        self._process = process
        self._gate: int | None = gate
        self._printed = printed
        self.pgid = process.pid  # it leads a session of its own
        self.started = started_at(process.pid)  # as `engine.liveness` tells it

    def go(self) -> None:
        """Let it become the command."""
        if self._gate is not None:
            with contextlib.suppress(BrokenPipeError):  # it is gone: `wait` will tell how
                os.write(self._gate, b"go\n")
        self._close_gate()

    async def wait(self, timeout_s: float | None) -> int | None:
        """The exit status, negative for a signal; None when the time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._process.wait()
        except TimeoutError:
            return None

    async def end(self, grace_s: float = GRACE_S) -> None:
        """End what is left of the group, and read its output to the last."""
        self._close_gate()
        try:
            await end_group(self.pgid, grace_s)
            await self._process.wait()
        finally:
            self._printed.close()

    def _close_gate(self) -> None:
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None


async def spawn(
    argv: Sequence[str], *, cwd: str, env: Mapping[str, str], log: Sink
) -> GatedProcess:
    """Start a child that waits for `go`. Raises `OSError` when it cannot be started."""
    printed = Printed(log)
    gate_end, gate = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _GATE, "sh", *argv),
            cwd=cwd,
            env=env,
            stdin=gate_end,
            stdout=printed.writable,
            stderr=printed.writable,
            start_new_session=True,
        )
    except BaseException:
        os.close(gate)
        printed.close()
        raise
    finally:
        os.close(gate_end)
        printed.close_writable()
    return GatedProcess(process, gate, printed)


def started_at(pid: int) -> float:
    """When a process started, as `engine.liveness` compares it; 0 when it is gone already."""
    try:
        return start_of(pid)
    except psutil.NoSuchProcess:
        return 0.0  # killed at once: there will be nothing to find
