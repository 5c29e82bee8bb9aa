"""YAML text to a tree of plain nodes that know their lines; anything clever is refused."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from engine.dagfile.problems import Problems
from engine.json_values import is_storable

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
_TOO_DEEP = f"nested too deeply: expected at most {MAX_DEPTH} levels"

# libyaml where it is there: ten times as quick, and the same events.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as it was written."""

    text: str
    line: int
    quoted: bool = False

    @property
    def is_null(self) -> bool:
        """Whether nothing was written, or `null`."""
        return not self.quoted and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    nodes: tuple["Node", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping. Keys are text; each keeps the line it stands on."""

    nodes: Mapping[str, "Node"]
    key_lines: Mapping[str, int]
    line: int


Node = Scalar | Items | Entries


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    line: int
    is_mapping: bool
    children: list[Node] = field(default_factory=list)


_TOO_DEEP = f"nested too deeply: expected at most {MAX_DEPTH} levels"


def compose(text: str, problems: Problems) -> Node | None:
    """Read the one document of a YAML text; None when what was found leaves nothing to read."""
    text = text.removeprefix("\ufeff")
    if not _is_readable(text, problems):
        return None
    try:
        return _build(yaml.parse(text, Loader=_LOADER), problems)
    except yaml.MarkedYAMLError as error:
        problems.add(*_explain(error, text))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        problems.add(None, f"this is not YAML: {error}")
    return None


def _is_readable(text: str, problems: Problems) -> bool:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        problems.add(None, f"the file is too big: expected at most {MAX_BYTES // 1024} KiB")
        return False
    if match := _FORBIDDEN.search(text):
        line = text.count("\n", 0, match.start()) + 1
        problems.add(line, f"the character U+{ord(match[0]):04X} does not belong in a text file")
        return False
    return True


def _build(events: Iterator[yaml.Event], problems: Problems) -> Node | None:
    # A stack instead of recursion, so that no nesting can exhaust Python's.
    stack = [_Open(line=1, is_mapping=False)]
    is_plain = True
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if end := _unreadable(event, stack):
            problems.add(line, end)
            return None
        if refusal := _refusal(event):
            problems.add(line, refusal)
            is_plain = False
        _grow(stack, event, line, problems)
    return _root(stack[0].children, problems) if is_plain else None


def _grow(stack: list[_Open], event: yaml.Event, line: int, problems: Problems) -> None:
    match event:
        case yaml.ScalarEvent():
            stack[-1].children.append(_scalar(event, line))
        case yaml.AliasEvent():
            stack[-1].children.append(Scalar("", line))
        case yaml.CollectionStartEvent():
            stack.append(_Open(line, isinstance(event, yaml.MappingStartEvent)))
        case yaml.CollectionEndEvent():
            finished = stack.pop()
            stack[-1].children.append(_close(finished, problems))


def _root(documents: list[Node], problems: Problems) -> Node | None:
    if documents and not (isinstance(documents[0], Scalar) and documents[0].is_null):
        return documents[0]
    problems.add(1, "the file is empty: expected a mapping with 'name' and 'tasks'")
    return None


def _unreadable(event: yaml.Event, stack: list[_Open]) -> str | None:
    if isinstance(event, yaml.DocumentStartEvent) and stack[0].children:
        return "a second document starts here: expected one DAG a file"
    if isinstance(event, yaml.CollectionStartEvent) and len(stack) > MAX_DEPTH:
        return _TOO_DEEP
    return None


def _refusal(event: yaml.Event) -> str | None:
    match event:
        case yaml.AliasEvent():
            return f"an alias (*{event.anchor}) is not allowed: write the value out"
        case yaml.NodeEvent(anchor=str(anchor)):
            return f"an anchor (&{anchor}) is not allowed: write the value out where it is needed"
        case yaml.ScalarEvent(tag=str(tag)) | yaml.CollectionStartEvent(tag=str(tag)):
            return f"a tag ({_short_tag(tag)}) is not allowed: write the plain value"
        # Escapes can spell what the text itself may not hold.
        case yaml.ScalarEvent(value=str(value)) if not is_storable(value):
            return "a NUL or half a character stands here: expected text that can be stored"
    return None


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _scalar(event: yaml.ScalarEvent, line: int) -> Scalar:
    return Scalar(event.value, line, quoted=event.style is not None and event.style != "")


def _close(finished: _Open, problems: Problems) -> Node:
    if not finished.is_mapping:
        return Items(tuple(finished.children), finished.line)
    nodes: dict[str, Node] = {}
    key_lines: dict[str, int] = {}
    for key, value in zip(finished.children[::2], finished.children[1::2], strict=True):
        if not isinstance(key, Scalar):
            problems.add(key.line, f"expected a key of plain text, got {describe(key)}")
        elif key.text in nodes:
            first = key_lines[key.text]
            problems.add(key.line, f"key {key.text!r} is written twice, first on line {first}")
        else:
            nodes[key.text] = value
            key_lines[key.text] = key.line
    return Entries(nodes, key_lines, finished.line)


def _explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int | None, str]:
    mark = error.problem_mark or error.context_mark
    # At the end of a text the parser stands one line below it.
    line = None if mark is None else min(mark.line + 1, len(text.splitlines()) or 1)
    if mark is not None and _is_tab(text, mark):
        return line, "a tab stands where YAML allows only spaces"
    if "nesting depth" in (error.problem or ""):  # newer parsers give up before we do
        return line, _TOO_DEEP
    if error.context == "while scanning an alias":  # a cron text, more often than not
        return line, "a value that begins with * must stand in quotes"
    parts = [part for part in (error.context, error.problem) if part]
    if any("nesting depth" in part for part in parts):  # libyaml has a limit of its own
        return line, _TOO_DEEP
    return line, f"this is not YAML: {', '.join(parts)}"


def _is_tab(text: str, mark: yaml.Mark) -> bool:
    lines = text.splitlines()
    written = lines[mark.line] if mark.line < len(lines) else ""
    return written.lstrip(" ").startswith("\t") or written[mark.column : mark.column + 1] == "\t"


def describe(node: Node) -> str:
    """Say what stands there, short enough for a message."""
    match node:
        case Items():
            return "a list"
        case Entries():
            return "a mapping"
        case Scalar() if node.is_null:
            return "nothing"
        case Scalar():
            return repr(node.text if len(node.text) <= _SHOWN else node.text[:_SHOWN] + "…")


_SHOWN = 60
