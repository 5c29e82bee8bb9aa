"""The parts of a runtime module that a file needs, so that it carries no others."""

import ast
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Parts:
    """What is copied: imports for the head of the file, and definitions in their own order."""

    imports: str
    definitions: str
    names: frozenset[str]  # everything that is used, also what the file gives itself


@dataclass(frozen=True, slots=True)
class _Module:
    source: str
    tree: ast.Module

    def text(self, node: ast.stmt) -> str:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        lines = self.source.splitlines()
        while lines[first - 2].startswith("#"):  # what is said above a definition belongs to it
            first -= 1
        return "\n".join(lines[first - 1 : node.end_lineno])


def parts_for(runtime: str, code: str, given: Collection[str]) -> Parts:
    """What of the module `engine.export.RUNTIME` this code uses, down to the last import.

    The names in `given` are defined by the file itself.
    """
    body = _module(runtime).tree.body
    definitions = {name: node for node in body if (name := _name(node)) and name not in given}
    used = _names(ast.parse(code))
    waiting = list(used)
    while waiting:
        node = definitions.get(waiting.pop())
        new = _names(node) - used if node else set()
        used |= new
        waiting += new
    kept = [_module(runtime).text(node) for name, node in definitions.items() if name in used]
    return Parts(
        imports=_imports(body, used),
        definitions="\n\n\n".join(_together(kept)),
        names=frozenset(used),
    )


def names_in(runtime: str) -> frozenset[str]:
    """Every name that the module defines or imports at its top."""
    body = _module(runtime).tree.body
    imported = {alias.name for node in body for alias in _aliases(node)}
    return frozenset(imported | {_name(node) for node in body})


@lru_cache
def _module(runtime: str) -> _Module:
    source = files("engine.export").joinpath(f"{runtime}.py").read_text("utf-8")
    return _Module(source, ast.parse(source))


def _together(texts: Iterable[str]) -> list[str]:
    """Definitions; constants that follow each other stand together."""
    grouped: list[str] = []
    for text in texts:
        is_constant = not text.startswith(("class ", "def ", "@"))
        if is_constant and grouped and not grouped[-1].startswith(("class ", "def ", "@")):
            grouped[-1] += f"\n{text}"
        else:
            grouped.append(text)
    return grouped


def _name(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def _names(node: ast.AST) -> set[str]:
    """The names it refers to, but for what it imports itself."""
    found = list(ast.walk(node))
    own = {alias.name for part in found if isinstance(part, ast.stmt) for alias in _aliases(part)}
    return {part.id for part in found if isinstance(part, ast.Name)} - own


def _aliases(node: ast.stmt) -> list[ast.alias]:
    return node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []


def _imports(body: list[ast.stmt], used: Collection[str]) -> str:
    """The imports of what is used; those of other packages below those of Python's own."""
    lines: list[str] = []
    is_own = True
    for node in body:
        kept = [alias.name for alias in _aliases(node) if alias.name in used]
        if not kept:
            continue
        module = node.module or "" if isinstance(node, ast.ImportFrom) else kept[0]
        if is_own and module.partition(".")[0] not in sys.stdlib_module_names:
            lines.append("")
            is_own = False
        names = ", ".join(kept)
        line = f"from {module} import {names}" if module != kept[0] else f"import {names}"
        lines.append(line)
    return "\n".join(lines)
