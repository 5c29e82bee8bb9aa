"""Task hosts: interpreters that stand ready to call functions, one at a time each.

A run keeps its hosts while it is driven, so that a function costs a message and not the
start of an interpreter. What a function leaves going on, and a host that is in doubt,
ends with its whole process group.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from engine.dag import PythonCall
from engine.tasks.attempt import ERROR_LIMIT, Attempt, Failed, Outcome, Succeeded, timed_out
from engine.tasks.commands import ended_with
from engine.tasks.environment import environment, own_variables, passed_on
from engine.tasks.groups import end_group
from engine.tasks.logs import BoundedLog
from engine.tasks.printed import Printed, Sink
from engine.tasks.process import started_at

_SCRIPT = Path(__file__).with_name("host.py")
_LONGEST_ANSWER = 8 << 20  # bytes: an output at its limit, every character of it escaped
_REST_S = 0.05  # before another spare is made: first the task that took the last one
_LEAVE_S = 1.0  # for an idle host to end by itself


class HostLost(Exception):
    """The host ended, or answered nothing that could be read."""


class TaskHost:
    """One host. Ask it one thing at a time; end it however that went."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        printed: Printed,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._printed = printed
        self._reader = reader
        self._writer = writer
        self.pgid = process.pid  # it leads a session of its own
        self.started = started_at(process.pid)  # as `engine.liveness` tells it
        self.is_spent = False

    @classmethod
    async def start(cls, python: str | None, directory: str) -> Self:
        """Start a host with the DAG's interpreter: a path from its folder, or a command.

        Raises `OSError` or `ValueError` when it cannot be started.
        """
        ours, theirs = socket.socketpair()
        printed = Printed()
        process = None
        try:
            # By path: nothing of ours is imported there.
            process = await asyncio.create_subprocess_exec(
                *(python or sys.executable, str(_SCRIPT), str(theirs.fileno())),
                cwd=directory,
                env=passed_on(os.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed.writable,
                stderr=printed.writable,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_ANSWER)
        except BaseException:
            printed.close()
            ours.close()
            if process is not None:  # started, and not wanted any more
                process.kill()
                await process.wait()
            raise
        finally:
            theirs.close()
            printed.close_writable()
        return cls(process, printed, reader, writer)

    async def ask(self, request: Mapping[str, Any], sink: Sink) -> Mapping[str, Any]:
        """Send a request, and return the answer; what is printed meanwhile goes to `sink`.

        Raises `HostLost`. A host that was not waited for is spent.
        """
        self._printed.sink = sink
        spent, self.is_spent = self.is_spent, True  # unless it answers
        try:
            self._writer.write(json.dumps(request).encode() + b"\n")
            await self._writer.drain()
            answer = _read(await self._reader.readline())
        except (OSError, ValueError) as error:
            raise HostLost(str(error)) from error
        finally:
            self._printed.drain()
            self._printed.sink = None
        self.is_spent = spent or bool(answer.get("spent"))
        return answer

    async def status(self) -> int:
        """How it ended. Only for one that did."""
        return await self._process.wait()

    async def leave(self) -> None:
        """Let an idle host end by itself, so that what it registered for its exit is done."""
        self._writer.close()
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            await self.end()

    async def end(self) -> None:
        """End it, and everything in its group."""
        self.is_spent = True
        self._writer.close()
        try:
            await end_group(self.pgid)
            await self._process.wait()
        finally:
            self._printed.close()


def _read(line: bytes) -> Mapping[str, Any]:
    if not line.endswith(b"\n"):
        raise HostLost("the process ended before the function returned")
    answer = json.loads(line)
    if b"\\ud" in line:  # perhaps half a character, which no database stores
        json.dumps(answer, ensure_ascii=False).encode()
    if not isinstance(answer, dict):
        raise HostLost("the process answered something unreadable")
    return answer


class ReadyCall:
    """A function that is about to be called in a host that stands ready."""

    def __init__(self, attempt: Attempt, call: PythonCall, host: TaskHost, hosts: "Hosts") -> None:
        self._attempt = attempt
        self._call = call
        self._host = host
        self._hosts = hosts
        self.pgid = host.pgid
        self.started = host.started

    async def run(self) -> Outcome:
        """Call it, and wait for its end. Cancelling ends the host first."""
        log = BoundedLog(self._attempt.log_path, self._attempt.secrets)
        try:
            return await self._ask(log)
        finally:
            log.finish()
            await self._hosts.give_back(self._host)

    async def drop(self) -> None:
        """Never call it."""
        await self._hosts.give_back(self._host)

    async def _ask(self, log: BoundedLog) -> Outcome:
        try:
            async with asyncio.timeout(self._attempt.timeout_s):
                answer = await self._host.ask(self._request(), log)
        except TimeoutError:
            await self._host.end()
            return Failed(timed_out(self._attempt.timeout_s), log.finish())
        except HostLost as lost:
            await self._host.end()
            status = await self._host.status()
            return Failed(str(lost) if status == 0 else ended_with(status), log.finish())
        match answer:
            case {"output": dict(output)}:
                return Succeeded(output, log.finish())
            case {"error": str(error)}:
                said = log.clean(error)[:ERROR_LIMIT]
                return Failed(said.replace("\0", "\N{REPLACEMENT CHARACTER}"), log.finish())
            case _:
                return Failed("the process answered something unreadable", log.finish())

    def _request(self) -> dict[str, Any]:
        attempt = self._attempt
        own = own_variables(attempt.run_id, attempt.task.id, attempt.number)
        return {
            "directory": attempt.directory,
            "environment": environment(attempt.passed, attempt.inputs, declared={}, own=own),
            "call": {
                "ref": self._call.ref,
                "params": dict(self._call.params),
                "inputs": dict(attempt.inputs),
            },
        }


class Spare:
    """A host that stands ready for whichever run needs one next: one idle interpreter."""

    def __init__(self) -> None:
        self._host: TaskHost | None = None
        self._making: asyncio.Task[None] | None = None

    def make(self) -> None:
        """Have one made, unless there is one."""
        if self._host is None and (self._making is None or self._making.done()):
            self._making = asyncio.create_task(self._make())

    def take(self) -> TaskHost | None:
        """The one that stands ready, if any; another is made in its place."""
        host, self._host = self._host, None
        self.make()
        return host

    async def close(self) -> None:
        """End it."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        if self._host is not None:
            await self._host.end()

    async def _make(self) -> None:
        await asyncio.sleep(_REST_S)
        with suppress(OSError):  # whoever needs a host finds out why, and says so
            self._host = await TaskHost.start(None, "/")


class Hosts:
    """The hosts of one run, in its folder and with its interpreter."""

    def __init__(self, python: str | None, directory: str, spare: Spare | None = None) -> None:
        self._python = python
        self._directory = directory
        self._spare = spare if python is None else None
        self._idle: list[TaskHost] = []
        self._all: set[TaskHost] = set()

    def idle(self) -> TaskHost | None:
        """A host that stands ready, if there is one. Give it back."""
        return self._idle.pop() if self._idle else None

    async def start(self) -> TaskHost:
        """One more host. Give it back. Raises `OSError` or `ValueError`."""
        host = self._spare.take() if self._spare else None
        if host is None:
            host = await TaskHost.start(self._python, self._directory)
        self._all.add(host)
        return host

    async def give_back(self, host: TaskHost) -> None:
        """It stands ready again, or is ended when its last task left something behind."""
        if not host.is_spent:
            self._idle.append(host)
            return
        await host.end()
        self._all.discard(host)

    async def close(self) -> None:
        """End them all."""
        hosts, self._all, self._idle = self._all, set(), []
        await asyncio.gather(*(host.leave() for host in hosts))
