"""Where in a DAG file a key stands, for what is said about a DAG that has loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from engine.dagfile.problems import Problems
from engine.dagfile.yaml_nodes import Entries, Items, Scalar, compose


@dataclass(frozen=True, slots=True)
class Places:
    """The keys that were written, with their lines; of the DAG itself under the empty id."""

    _written: Mapping[str, Entries]

    @classmethod
    def of(cls, text: str) -> Self:
        """Find them in the text of a file that loads."""
        root = compose(text, Problems())
        written: dict[str, Entries] = {}
        if isinstance(root, Entries):
            written[""] = root
            tasks = root.nodes.get("tasks")
            for node in tasks.nodes if isinstance(tasks, Items) else ():
                if isinstance(node, Entries) and isinstance(task_id := node.nodes["id"], Scalar):
                    written[task_id.text] = node
        return cls(written)

    def line(self, task_id: str, key: str = "") -> int | None:
        """The line of a key, else of its task, else None."""
        node = self._written.get(task_id)
        return None if node is None else node.key_lines.get(key, node.line)

    def says(self, task_id: str, key: str) -> bool:
        """Whether the key was written, rather than left to its default."""
        node = self._written.get(task_id)
        return node is not None and key in node.nodes
