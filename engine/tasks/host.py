"""The task host: calls one function of the user's, in the user's interpreter.

Run by path and never imported, with the standard library only: what the function
sees is its own folder and its own packages, none of Signoff's.
"""

from __future__ import annotations

import sys

# Our folder goes first: its modules would hide the user's, or the library's.
sys.path[:] = [folder for folder in sys.path if folder != __file__.rpartition("/")[0]]

import importlib  # noqa: E402
import inspect  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence  # noqa: E402
from inspect import Parameter  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

_FAILED = 1
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class Unusable(Exception):
    """A reference, a signature or a result that cannot be used; the text says why."""


def main(request_path: str) -> int:
    """Answer the request in this file; returns the exit status."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    sys.path.insert(0, request["directory"])
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    if "check" in request:
        checked = (_check(**wanted, given=request["given"]) for wanted in request["check"])
        _write(request["output"], json.dumps([problem for found in checked for problem in found]))
        return 0
    try:
        output = _call(**request["call"])
    except BaseException as error:  # noqa: BLE001 (a task that calls sys.exit has failed, too)
        _write(request["error"], _told(error))
        return _FAILED
    _write(request["output"], output)
    return 0


def _call(ref: str, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    function = _resolve(ref)
    result = function(**{**_accepted(function, inputs), **params})
    return _as_json(ref, _awaited(result) if inspect.isawaitable(result) else result)


def _resolve(ref: str) -> Callable[..., Any]:
    module_name, _, name = ref.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except BaseException as error:  # noqa: BLE001 (whatever a module does while it is imported)
        _print(error)
        raise Unusable(f"{ref} cannot be imported: {_last_line(error)}") from None
    if not callable(found):
        raise Unusable(f"{ref} cannot be called: it is {_kind(found)}")
    function: Callable[..., Any] = found
    return function


def _accepted(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """All inputs for a function that takes any keyword; otherwise those it declares."""
    parameters = _parameters(function) or ()
    if _takes_any(parameters):
        return inputs
    named = _names(parameters)
    return {name: value for name, value in inputs.items() if name in named}


def _parameters(function: Callable[..., Any]) -> Sequence[Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a few built-in functions do not tell
        return None


def _takes_any(parameters: Sequence[Parameter]) -> bool:
    return any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters)


def _names(parameters: Sequence[Parameter]) -> set[str]:
    return {parameter.name for parameter in parameters if parameter.kind in _NAMED}


def _awaited(awaitable: Awaitable[Any]) -> Any:
    import asyncio  # noqa: PLC0415 (most functions are not async)

    async def finish() -> Any:
        return await awaitable

    return asyncio.run(finish())


def _as_json(ref: str, result: Any) -> str:
    if result is None:
        return "{}"
    if not isinstance(result, dict):
        raise Unusable(f"{ref} returned {_kind(result)}: expected a JSON object (dict) or None")
    try:
        return json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"{ref} returned what JSON cannot carry: {error}") from None


def _check(
    task: str, ref: str, params: Mapping[str, Any], parents: Sequence[str], given: Sequence[str]
) -> Iterator[dict[str, str]]:
    """What is wrong with one reference, found without calling it."""
    try:
        parameters = _parameters(_resolve(ref))
    except Unusable as problem:
        yield {"task": task, "message": str(problem)}
        return
    if parameters is None:
        return
    unknown = [name for name in params if name not in _names(parameters)]
    if unknown and not _takes_any(parameters):
        yield {"task": task, "message": f"{ref} takes no {_listed(unknown)}, which params gives"}
    missing = [
        parameter.name
        for parameter in parameters
        if _is_needed(parameter) and not _is_given(parameter, {*params, *given}, parents)
    ]
    if missing:
        message = f"{ref} needs {_listed(missing)}: give it in params, or depend on a task whose "
        yield {"task": task, "message": message + f"output it is (named task__key){_hint(missing)}"}


def _is_needed(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty and parameter.kind not in _VARIABLE


def _hint(missing: Sequence[str]) -> str:
    if not any(name.startswith("params__") for name in missing):
        return ""
    return "; a parameter of the DAG counts if it is required or has a default"


def _is_given(parameter: Parameter, given: set[str], parents: Sequence[str]) -> bool:
    name = parameter.name
    upstream = any(name.startswith(f"{parent}__") for parent in parents)
    return parameter.kind in _NAMED and (name in given or upstream)


def _told(error: BaseException) -> str:
    if isinstance(error, Unusable):
        sys.stderr.write(f"{error}\n")
        return str(error)
    _print(error)
    return _last_line(error)


def _print(error: BaseException) -> None:
    """The traceback, from the user's first line on."""
    below = error.__traceback__
    while below is not None and below.tb_frame.f_code.co_filename == __file__:
        below = below.tb_next
    traceback.print_exception(type(error), error, below)


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(type(error), error)[-1].strip()


def _kind(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
