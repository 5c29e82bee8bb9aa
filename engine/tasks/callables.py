"""Asking a task host: the request it reads, and the command that starts it."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.dag import Dag, PythonCall, Task
from engine.inputs import is_certain
from engine.model import JsonObject
from engine.templates import PARAMS

_HOST = Path(__file__).with_name("host.py")


def host_command(python: str | None, request: Path) -> tuple[str, ...]:
    """Start the host with the DAG's interpreter. It is run by path: nothing of ours is imported."""
    return (python or sys.executable, str(_HOST), str(request))


def call_request(
    call: PythonCall, inputs: JsonObject, *, directory: str, output: Path, error: Path
) -> str:
    """The request to call one function."""
    return _text(
        {
            "directory": directory,
            "output": str(output),
            "error": str(error),
            "call": {"ref": call.ref, "params": dict(call.params), "inputs": dict(inputs)},
        }
    )


def check_request(dag: Dag, calls: Sequence[tuple[Task, PythonCall]], output: Path) -> str:
    """The request to find every function, and to tell which cannot be called so."""
    return _text(
        {
            "directory": dag.directory,
            "output": str(output),
            "given": [f"{PARAMS}__{field.name}" for field in dag.params if is_certain(field)],
            "check": [
                {
                    "task": task.id,
                    "ref": call.ref,
                    "params": dict(call.params),
                    "parents": list(task.depends_on),
                }
                for task, call in calls
            ],
        }
    )


def _text(request: Mapping[str, Any]) -> str:
    return json.dumps(request)
