"""The task host: calls functions of the user's, one at a time, in the user's interpreter.

Run by path and never imported, with the standard library only: what a function sees is
its own folder and its own packages, none of Signoff's. What is not always needed is
imported late: a host should stand ready in a few milliseconds.

It reads requests from a socket and answers each, a line of JSON for a line of JSON, and
ends when the other side does.
"""

from __future__ import annotations

import sys

# Our folder goes first: its modules would hide the user's, or the library's.
sys.path[:] = [folder for folder in sys.path if folder != __file__.rpartition("/")[0]]

import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from inspect import Parameter
    from typing import Any

LIMIT = 1 << 20  # bytes of an output
_CHUNK = 1 << 16
_PLAIN_FUNCTION = type(lambda: None)
_TAKES_MORE = 0x04 | 0x08  # code flags: *args, **kwargs


class Unusable(Exception):
    """A reference, a signature or a result that cannot be used; the text says why."""


def main(channel: int) -> None:
    """Answer what comes through this socket until it is closed."""
    os.set_inheritable(channel, False)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    for request in _requests(channel):
        answer = _answer(request)
        _flush()
        _send(channel, answer)


def _requests(channel: int) -> Iterator[Mapping[str, Any]]:
    line = bytearray()
    while chunk := os.read(channel, _CHUNK):
        line += chunk
        if chunk.endswith(b"\n"):  # one request at a time: the next one waits for our answer
            yield json.loads(line)
            line.clear()


def _send(channel: int, answer: Mapping[str, Any]) -> None:
    content = json.dumps(answer).encode() + b"\n"
    while content:
        content = content[os.write(channel, content) :]


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        _enter(request["directory"], request["environment"])
        if "check" in request:
            given = request["given"]
            found = (_check(**wanted, given=given) for wanted in request["check"])
            return {"problems": [problem for problems in found for problem in problems]}
        return {"output": _call(**request["call"]), "spent": _is_spent()}
    except BaseException as error:  # noqa: BLE001 (a task that calls sys.exit has failed, too)
        return {"error": _told(error), "spent": _is_spent()}


def _enter(directory: str, environment: Mapping[str, str]) -> None:
    """Stand where the task should: each finds what it would find in a process of its own."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)
    if sys.meta_path[0] is not _UsersFirst:
        sys.meta_path.insert(0, _UsersFirst)


class _UsersFirst:
    """Finds the user's own `bot` or `engine` where the interpreter has ours, too.

    A folder without `__init__.py` would lose to any package further down the path.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, _target: object = None) -> Any:
        if path is not None or name not in ("bot", "engine"):
            return None
        from importlib.machinery import PathFinder  # noqa: PLC0415 (rarely asked for)

        return PathFinder.find_spec(name, sys.path[:1])


def _is_spent() -> bool:
    """Whether the task left something going on, which must end with it: threads, children."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return True
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:  # one that has ended is nothing that goes on
            pass
    except ChildProcessError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # the task closed it
            pass


def _call(ref: str, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    function = _resolve(ref)
    result = function(**{**_accepted(function, inputs), **params})
    if hasattr(result, "__await__"):
        result = _awaited(result)
    return _checked(ref, result)


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
    if not inputs:
        return inputs
    if type(function) is _PLAIN_FUNCTION and not hasattr(function, "__wrapped__"):
        code = function.__code__
        if not code.co_flags & _TAKES_MORE and not code.co_posonlyargcount:
            declared = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            return {name: inputs[name] for name in declared if name in inputs}
    parameters = _parameters(function) or ()
    if _takes_any(parameters):
        return inputs
    named = _names(parameters)
    return {name: value for name, value in inputs.items() if name in named}


def _parameters(function: Callable[..., Any]) -> Sequence[Parameter] | None:
    import inspect  # noqa: PLC0415 (slow to import, and most functions tell without it)

    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a few built-in functions do not tell
        return None


def _takes_any(parameters: Sequence[Parameter]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _names(parameters: Sequence[Parameter]) -> set[str]:
    return {parameter.name for parameter in parameters if _is_named(parameter)}


def _is_named(parameter: Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _awaited(awaitable: Awaitable[Any]) -> Any:
    import asyncio  # noqa: PLC0415 (most functions are not async)

    async def finish() -> Any:
        return await awaitable

    return asyncio.run(finish())


def _checked(ref: str, result: Any) -> Any:
    if result is None:
        return {}
    if not isinstance(result, dict):
        raise Unusable(f"{ref} returned {_kind(result)}: expected a JSON object (dict) or None")
    try:
        content = json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeError:
        raise Unusable(f"{ref} returned text that is not UTF-8") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"{ref} returned what JSON cannot carry: {error}") from None
    if len(content) > LIMIT:
        raise Unusable(
            f"{ref} returned more than 1 MiB: write a file elsewhere and return its name"
        )
    return result


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
    variable = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variable


def _hint(missing: Sequence[str]) -> str:
    if not any(name.startswith("params__") for name in missing):
        return ""
    return "; a parameter of the DAG counts if it is required or has a default"


def _is_given(parameter: Parameter, given: set[str], parents: Sequence[str]) -> bool:
    name = parameter.name
    upstream = any(name.startswith(f"{parent}__") for parent in parents)
    return _is_named(parameter) and (name in given or upstream)


def _told(error: BaseException) -> str:
    if isinstance(error, Unusable):
        sys.stderr.write(f"{error}\n")
        return str(error)
    _print(error)
    return _last_line(error)


def _print(error: BaseException) -> None:
    """The traceback, from the user's first line on."""
    import traceback  # noqa: PLC0415 (slow to import, and most tasks do not fail)

    below = error.__traceback__
    while below is not None and below.tb_frame.f_code.co_filename == __file__:
        below = below.tb_next
    traceback.print_exception(type(error), error, below)


def _last_line(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 (as above)

    return traceback.format_exception_only(type(error), error)[-1].strip()


def _kind(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


if __name__ == "__main__":
    main(int(sys.argv[1]))
