"""The DAG file: YAML in, a `Dag` out, or every problem it has with the line it is on."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.dag import Dag
from engine.dagfile.defaults import Defaults, PolicyRule
from engine.dagfile.fields import Fields, duration, matching, text, unexpected, whole
from engine.dagfile.forms import OF_DAG, form_reader
from engine.dagfile.graph import check_graph
from engine.dagfile.problems import Problems, TooManyProblemsError
from engine.dagfile.schedules import schedule_reader
from engine.dagfile.tasks import Draft, read_task
from engine.dagfile.yaml_nodes import MAX_BYTES, Entries, Items, Node, compose, describe
from engine.errors import InvalidDag, Problem
from engine.model import InputField, Policy

__all__ = ["Defaults", "PolicyRule", "load", "parse", "read", "read_text"]

DEFAULT_TENANT = "local-dev"

_NO_PARAMS: tuple[InputField, ...] = ()
_KEYS = (
    "name",
    "tenant_id",
    "params",
    "python",
    "schedule",
    "timeout",
    "max_parallel",
    "tasks",
)
MOST_PARALLEL = 1000
_NAME = re.compile(r"(?! )[A-Za-z0-9 _.-]{1,80}(?<! )")
_TENANT = re.compile(r"(?!\s)[^\x00-\x1f\x7f]{1,80}(?<!\s)")


def load(path: Path, defaults: Defaults) -> Dag:
    """Read the DAG of a file; commands will run in the file's folder. Raises `InvalidDag`."""
    directory = str(path.absolute().parent)
    return parse(read_text(path), source=str(path), directory=directory, defaults=defaults)


def read_text(path: Path) -> str:
    """The text of a DAG file, or as much of it as shows that it is too big. Raises `InvalidDag`."""
    source = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidDag(source, [Problem(f"cannot be read: {error.strerror}")]) from error
    return _decode(content, source)


def parse(text: str, *, source: str, directory: str, defaults: Defaults) -> Dag:
    """Read the DAG of a YAML text. `source` is what problems are reported against.

    Raises `InvalidDag` with every problem found, up to a hundred, top of the file first.
    """
    return read(partial(compose, text), source=source, directory=directory, defaults=defaults)


def read(
    root_of: Callable[[Problems], Node | None], *, source: str, directory: str, defaults: Defaults
) -> Dag:
    """Read the DAG of a tree of nodes, however it came to be. Raises `InvalidDag` as `parse`."""
    problems = Problems()
    try:
        dag = _read(root_of(problems), str(Path(directory).absolute()), defaults, problems)
    except TooManyProblemsError:
        dag = None
    if dag is None or problems:
        raise InvalidDag(source, problems.in_order())
    return dag


def _decode(content: bytes, source: str) -> str:
    if len(content) > MAX_BYTES:  # cut short, perhaps within a character: its size is the problem
        return content.decode("utf-8", "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidDag(source, [Problem("this is not UTF-8 text", line)]) from error


def _read(root: Node | None, directory: str, defaults: Defaults, problems: Problems) -> Dag | None:
    if root is None:
        return None
    if not isinstance(root, Entries):
        told = f"expected a mapping with 'name' and 'tasks', got {describe(root)}"
        problems.add(root.line, told)
        return None
    return _dag(Fields(root, "the DAG", problems), directory, defaults)


def _dag(fields: Fields, directory: str, defaults: Defaults) -> Dag:
    fields.refuse_unknown(_KEYS)
    name = fields.need("name", _name, "")
    params = fields.get("params", form_reader(OF_DAG, fields.where, fields.problems), _NO_PARAMS)
    tenant = fields.get("tenant_id", _tenant, DEFAULT_TENANT)
    base = defaults.policy_for(tenant, name)
    drafts = _drafts(fields.need("tasks", _tasks, ()), base, fields.problems)
    check_graph(drafts, [param.name for param in params], fields.problems)
    schedule = fields.get("schedule", schedule_reader(fields.where, fields.problems), None)
    _check_unattended(fields, params)
    return Dag(
        name=name,
        tasks=tuple(draft.task for draft in drafts),
        params=params,
        schedule=schedule,
        timeout=fields.get("timeout", duration, None),
        max_parallel=fields.get("max_parallel", whole(1, MOST_PARALLEL), None),
        tenant=tenant,
        directory=directory,
        python=fields.get("python", text, None),
    )


def _check_unattended(fields: Fields, params: tuple[InputField, ...]) -> None:
    """Nobody is there to give a scheduled run its parameters."""
    if "schedule" not in fields:
        return
    for param in params:
        if param.required and param.default is None:
            told = (
                f"a run by schedule has nobody to give parameter {param.name!r}; give it a default"
            )
            fields.wrong("schedule", told)


_name = matching(_NAME, "letters, digits, spaces, _, - or ., at most 80")
_tenant = matching(_TENANT, "text of at most 80 characters")


def _tasks(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Items) and node.nodes:
        return node.nodes
    raise unexpected(node, "a list of at least one task")


def _drafts(nodes: tuple[Node, ...], base: Policy, problems: Problems) -> list[Draft]:
    drafts: list[Draft] = []
    for position, node in enumerate(nodes, start=1):
        if isinstance(node, Entries):
            drafts.append(read_task(node, position, base, problems))
        else:
            told = f"task number {position}: expected a mapping, got {describe(node)}"
            problems.add(node.line, told)
    return drafts
