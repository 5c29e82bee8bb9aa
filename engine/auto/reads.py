"""What an expression reads: the paths in its syntax tree, without evaluating anything.

The tree is read from the serialised form of the language, the protocol buffers message
`cel.expr.CheckedExpr` in an `Any`: only the fields that lead to names are looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

Path = tuple[str, ...]
"""`("outputs", "plan", "deletes")`: a name, and the keys that lead on from it."""

_Message = Mapping[int, list[bytes]]

_VALUE_OF_ANY, _EXPRESSION_OF_CHECKED = 2, 4
_CONSTANT, _NAME, _SELECT, _CALL, _LIST, _STRUCT, _COMPREHENSION = range(3, 10)
_TEXT_OF_CONSTANT = 6
_OPERAND, _FIELD = 1, 2
_TARGET, _FUNCTION, _ARGUMENTS = 1, 2, 3
_ENTRIES, _KEY, _ENTRY_VALUE = 2, 3, 4
_VARIABLES = (1, 3, 8)  # of a comprehension; the last where it walks keys and values
_RANGE, _START = 2, 4
_WITHIN = (5, 6, 7)  # what is evaluated with the variables of a comprehension in sight
_INDEX = b"_[_]"


class _Place(NamedTuple):
    tree: bytes
    variables: frozenset[str]  # of the comprehensions around: no names of ours


def paths_read(serialised: bytes) -> tuple[Path, ...]:
    """Every path that an expression reads, each once, in the order they are written."""
    found: dict[Path, None] = {}
    checked = _fields(_first(_fields(serialised), _VALUE_OF_ANY))
    left = [_Place(_first(checked, _EXPRESSION_OF_CHECKED), frozenset())]
    while left:  # not a recursion: a chain of keys may be hundreds long
        place = left.pop()
        path = _path(place.tree)
        if path is None:
            left.extend(reversed(list(_below(place))))
        elif path[0] not in place.variables:
            found[path] = None
    return tuple(found)


def _path(tree: bytes) -> Path | None:
    """The path that this is, where it is a name followed by nothing but known keys."""
    keys: list[str] = []
    while True:
        node = _fields(tree)
        if name := node.get(_NAME):
            keys.append(_text(_fields(name[0]), 1).removeprefix("."))
            return tuple(reversed(keys))
        if select := node.get(_SELECT):
            keys.append(_text(_fields(select[0]), _FIELD))
            tree = _first(_fields(select[0]), _OPERAND)
        elif (indexed := _indexed(node)) is not None:
            tree, key = indexed
            keys.append(key)
        else:
            return None


def _indexed(node: _Message) -> tuple[bytes, str] | None:
    """What `map["key"]` looks into, and for which key, where that is written out."""
    if _CALL not in node:
        return None
    call = _fields(node[_CALL][0])
    arguments = call.get(_ARGUMENTS, [])
    if _first(call, _FUNCTION) != _INDEX or len(arguments) != 2:  # noqa: PLR2004 (what, and where)
        return None
    constant = _fields(arguments[1]).get(_CONSTANT)
    if constant is None or _TEXT_OF_CONSTANT not in (key := _fields(constant[0])):
        return None
    return arguments[0], _text(key, _TEXT_OF_CONSTANT)


def _below(place: _Place) -> Iterator[_Place]:
    """The parts of an expression that is no path."""
    node = _fields(place.tree)
    for part in (*_operands(node), *_items(node)):
        yield _Place(part, place.variables)
    for loop in map(_fields, node.get(_COMPREHENSION, [])):
        inside = place.variables.union(_text(loop, number) for number in _VARIABLES)
        yield _Place(_first(loop, _RANGE), place.variables)
        yield _Place(_first(loop, _START), place.variables)
        for number in _WITHIN:
            yield _Place(_first(loop, number), inside)


def _operands(node: _Message) -> Iterator[bytes]:
    for select in map(_fields, node.get(_SELECT, [])):
        yield _first(select, _OPERAND)
    for call in map(_fields, node.get(_CALL, [])):
        yield from (*call.get(_TARGET, []), *call.get(_ARGUMENTS, []))


def _items(node: _Message) -> Iterator[bytes]:
    for items in map(_fields, node.get(_LIST, [])):
        yield from items.get(1, [])
    for struct in map(_fields, node.get(_STRUCT, [])):
        for entry in map(_fields, struct.get(_ENTRIES, [])):
            yield from (*entry.get(_KEY, []), *entry.get(_ENTRY_VALUE, []))


def _first(message: _Message, number: int) -> bytes:
    return message.get(number, [b""])[0]


def _text(message: _Message, number: int) -> str:
    return _first(message, number).decode()


def _fields(message: bytes) -> _Message:
    """The fields that hold texts or messages, by number. Raises `ValueError` for anything else."""
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _varint(message, at)
                found[tag >> 3].append(message[at : at + size])
                at += size
            case 5:
                at += 4
            case kind:
                raise ValueError(f"a field of kind {kind}")
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 (the top bit says that more follows)
            return number, at
