"""What exported files carry with them: text that goes into the file, never imported here.

These are modules so that the tools read them like any other. What stands below the line of
dashes is carried; imports are gathered at the top of the exported file.
"""

import ast
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

_BELOW = re.compile(r"^# ---- .*$", re.MULTILINE)
_NOQA = re.compile(r"  # noqa: .*$", re.MULTILINE)
_WIDTH = 88


def carried(names: Sequence[str], more_imports: str) -> tuple[str, str]:
    """The imports that these modules and `more_imports` need, and the modules' text."""
    sources = [files(__name__).joinpath(f"{name}.py").read_text(encoding="utf-8") for name in names]
    texts = [source[_start(source) :].strip() for source in sources]
    return _imports([*sources, more_imports]), _NOQA.sub("", "\n\n\n".join(texts))


def _start(source: str) -> int:
    found = _BELOW.search(source)
    if found is None:
        raise AssertionError("a carried module has no line of dashes")
    return found.start()


def _imports(sources: Iterable[str]) -> str:
    plain: set[str] = set()
    named: dict[str, set[str]] = {}
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Import):
                plain |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named.setdefault(node.module, set()).update(alias.name for alias in node.names)
    known = {module: names for module, names in named.items() if not module.startswith("engine")}
    theirs = [_from(m, names) for m, names in sorted(known.items()) if m.startswith(_THEIRS)]
    ours = [_from(m, names) for m, names in sorted(known.items()) if not m.startswith(_THEIRS)]
    return "\n".join([*(f"import {name}" for name in sorted(plain)), *ours, "", *theirs])


_THEIRS = ("airflow", "prefect", "pydantic")


def _from(module: str, names: Iterable[str]) -> str:
    listed = sorted(names, key=lambda name: (name[0].islower(), name))
    line = f"from {module} import {', '.join(listed)}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in listed), ")"])
