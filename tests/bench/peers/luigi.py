"""Luigi with its local scheduler. A task is done when its `complete` says so: here, in memory."""

import time
from collections.abc import Iterator
from typing import Any

import luigi

from tests.bench.telling import Reading, Sizes, answer

_done: set[str] = set()


class NoOp(luigi.Task):
    """Does nothing, once."""

    number = luigi.IntParameter()

    def run(self) -> None:
        """Nothing."""
        _done.add(self.task_id)

    def complete(self) -> bool:
        """Whether it has run."""
        return self.task_id in _done


class Link(NoOp):
    """A task after the one before it."""

    def requires(self) -> Any:
        """The one before."""
        return [Link(number=self.number - 1)] if self.number else []


class All(luigi.WrapperTask):
    """Everything, side by side."""

    tasks = luigi.IntParameter()

    def requires(self) -> Any:
        """Every one."""
        return [NoOp(number=number) for number in range(self.tasks)]


def fan_out(sizes: Sizes) -> Iterator[Reading]:
    """Tasks side by side."""
    return _timed(All(tasks=sizes["tasks"]), sizes)


def chain(sizes: Sizes) -> Iterator[Reading]:
    """Tasks one after the other."""
    return _timed(Link(number=sizes["tasks"] - 1), sizes)


def _timed(task: luigi.Task, sizes: Sizes) -> Iterator[Reading]:
    began = time.perf_counter()
    is_done = luigi.build([task], local_scheduler=True, workers=1, log_level="ERROR")
    took = time.perf_counter() - began
    assert is_done, "the tasks did not all run"
    assert len(_done) == sizes["tasks"], _done
    yield Reading(sizes["row"], "s", (took,), sizes["tasks"])


if __name__ == "__main__":
    answer({"fan-out": fan_out, "chain": chain})
