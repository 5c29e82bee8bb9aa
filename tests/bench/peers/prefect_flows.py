"""The flows that are measured. Prefect reads its settings when this is imported.

`python -m tests.bench.peers.prefect_flows pause FILE...` runs one flow a file, side by side;
`… suspend` serves a deployment.
"""

import asyncio
import sys

from prefect import flow, pause_flow_run, suspend_flow_run, task

from tests.bench.functions.noop import starts as note_start


@task
def no_op(_number: int) -> None:
    """Does nothing."""


@task
def next_task(file: str) -> None:
    """Note when it starts."""
    note_start(file)


@flow
def fan_out(tasks: int) -> None:
    """Tasks side by side, in the default task runner's threads."""
    no_op.map(range(tasks)).wait()


@flow
def chain(tasks: int) -> None:
    """Tasks one after the other."""
    for number in range(tasks):
        no_op(number)


@flow
async def pauses(file: str) -> None:
    """Wait in this process for an answer, then note when the next task starts."""
    await pause_flow_run(timeout=600)
    next_task(file)


@flow(persist_result=True)
def suspends(file: str) -> None:
    """End this process to wait for an answer, then note when the next task starts."""
    suspend_flow_run(timeout=600)
    next_task(file)


async def _every(files: list[str]) -> None:
    await asyncio.gather(*(pauses(file) for file in files))


if __name__ == "__main__":
    if sys.argv[1] == "pause":
        asyncio.run(_every(sys.argv[2:]))
    else:
        suspends.serve(name="bench", print_starting_message=False)
