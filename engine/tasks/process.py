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
from engine.tasks.logs import BoundedLog

_GATE = 'IFS= read -r go && exec "$@" </dev/null'
_CHUNK = 1 << 16
_DRAIN_S = 1.0  # for output that is still in the pipe when the group has ended


class GatedProcess:
    """A started child, before and after the word. Call `end` however it went."""

    def __init__(
        self, process: asyncio.subprocess.Process, gate: int, printed: "_Printed", log: BoundedLog
    ) -> None:
        self._process = process
        self._gate: int | None = gate
        self._printed = printed
        self._pumping = asyncio.create_task(printed.pump(log))
        self.pgid = process.pid  # it leads a session of its own
        self.started = _start_of(process.pid)  # as `engine.liveness` tells it

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
            await asyncio.wait([self._pumping], timeout=_DRAIN_S)
        finally:
            self._pumping.cancel()
            self._printed.close()
            await asyncio.gather(self._pumping, return_exceptions=True)

    def _close_gate(self) -> None:
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None


async def spawn(
    argv: Sequence[str], *, cwd: str, env: Mapping[str, str], log: BoundedLog
) -> GatedProcess:
    """Start a child that waits for `go`. Raises `OSError` when it cannot be started."""
    printed = _Printed()
    await printed.open()
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
        os.close(printed.writable)
    return GatedProcess(process, gate, printed, log)


def _start_of(pid: int) -> float:
    try:
        return start_of(pid)
    except psutil.NoSuchProcess:
        return 0.0  # killed at once: there will be nothing to find


class _Printed:
    """The pipe a child prints into.

    Ours rather than asyncio's: a grandchild that keeps it open must not keep us from
    seeing that the child has ended.
    """

    def __init__(self) -> None:
        self._readable, self.writable = os.pipe()
        self._reader = asyncio.StreamReader()
        self._transport: asyncio.BaseTransport | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader),
            os.fdopen(self._readable, "rb", buffering=0),
        )

    async def pump(self, log: BoundedLog) -> None:
        while chunk := await self._reader.read(_CHUNK):
            log.write(chunk)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
