"""The outputs a driver remembers, so that handing them on asks no database."""

import json
from collections import OrderedDict
from collections.abc import Collection

from engine.model import JsonObject, TaskId

_MOST = 32 << 20  # characters, as JSON


class Outputs:
    """What tasks left, the latest used first. What is forgotten is read from the record again."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._held: OrderedDict[TaskId, tuple[JsonObject, int]] = OrderedDict()
        self._size = 0

    def put(self, task_id: TaskId, output: JsonObject) -> None:
        """Remember this."""
        if task_id in self._held:
            self._size -= self._held.pop(task_id)[1]
        size = len(json.dumps(dict(output)))
        self._held[task_id] = (output, size)
        self._size += size
        while self._size > self._most:
            _, (_, gone) = self._held.popitem(last=False)
            self._size -= gone

    def size(self, task_id: TaskId) -> int:
        """How many characters this is as JSON; 0 when it is not remembered."""
        return self._held[task_id][1] if task_id in self._held else 0

    def missing(self, task_ids: Collection[TaskId]) -> list[TaskId]:
        """Those of these that are not remembered."""
        return [task_id for task_id in task_ids if task_id not in self._held]

    def get(self, task_ids: Collection[TaskId]) -> dict[TaskId, JsonObject]:
        """Those of these that are remembered."""
        found: dict[TaskId, JsonObject] = {}
        for task_id in task_ids:
            if task_id in self._held:
                self._held.move_to_end(task_id)
                found[task_id] = self._held[task_id][0]
        return found
