"""Where the attempts of one run are made ready: behind a gate, or beside an idle host."""

from typing import assert_never

from engine.dag import Dag, Gate, PythonCall, Shell
from engine.tasks.attempt import Attempt, Ready, Unstartable
from engine.tasks.commands import ReadyCommand
from engine.tasks.hosts import Hosts, ReadyCall, Spare


class Workshop:
    """Makes attempts of one run ready."""

    def __init__(self, dag: Dag, spare: Spare | None = None) -> None:
        self._hosts = Hosts(dag.python, dag.directory, spare=spare)

    def at_once(self, attempt: Attempt) -> Ready | None:
        """The attempt ready to run, where that takes no time; None where it does."""
        call = attempt.task.work
        host = self._hosts.idle() if isinstance(call, PythonCall) else None
        if host is None or not isinstance(call, PythonCall):
            return None
        return ReadyCall(attempt, call, host, self._hosts)

    async def prepare(self, attempt: Attempt) -> Ready:
        """The attempt ready to run, or to fail with the reason why it cannot."""
        try:
            match attempt.task.work:
                case Shell() as command:
                    return await ReadyCommand.prepare(attempt, command)
                case PythonCall() as call:
                    host = await self._hosts.start()
                    return ReadyCall(attempt, call, host, self._hosts)
                case Gate():
                    raise AssertionError("a checkpoint is decided, not run")
                case _:
                    assert_never(attempt.task.work)
        except (OSError, ValueError) as error:
            return Unstartable(f"could not be started: {error}")

    async def close(self) -> None:
        """End what stands ready and is not needed any more."""
        await self._hosts.close()
