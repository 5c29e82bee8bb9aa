"""Typed fields: the form of a checkpoint (`inputs`), and the parameters of a DAG (`params`)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.dagfile.fields import (
    Fields,
    any_text,
    each,
    each_value,
    is_nothing,
    mapping,
    matching,
    one_of,
    text,
    truth,
    unexpected,
)
from engine.dagfile.problems import Problems
from engine.dagfile.yaml_nodes import Entries, Items, Node, Scalar
from engine.inputs import MAX_TEXT, Value, parse_value
from engine.json_values import MAX_NUMBER, Unfit
from engine.model import InputField, InputType

MAX_INPUTS = 20
MAX_OPTIONS = 100
MAX_OPTION = 75

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NO_OPTIONS: tuple[str, ...] = ()
_KEYS: tuple[str, ...] = ("type", "description", "required", "default", "min", "max", "options")
_NUMBER = re.compile(r"[+-]?[0-9]{1,16}(\.[0-9]{1,16})?")
# A form of another engine may ask for more; a DAG file is carried to other engines as it is.
_OF_DAG_FILES = (
    InputType.TEXT,
    InputType.NUMBER,
    InputType.BOOLEAN,
    InputType.CHOICE,
    InputType.DATE,
)
_TYPES = {
    **{kind.value: kind for kind in _OF_DAG_FILES},
    **dict.fromkeys(("string", "str"), InputType.TEXT),
    **dict.fromkeys(("int", "integer", "float"), InputType.NUMBER),
    "bool": InputType.BOOLEAN,
    **dict.fromkeys(("enum", "select"), InputType.CHOICE),
}


@dataclass(frozen=True, slots=True)
class Form:
    """What a set of fields is called, and the names it may not use."""

    key: str
    noun: str
    one: str
    taken: frozenset[str] = frozenset()


# A checkpoint's outputs carry these beside its inputs.
OF_CHECKPOINT = Form("inputs", "input", "an input", frozenset({"decision", "decided_by", "reason"}))
OF_DAG = Form("params", "parameter", "a parameter")


def form_reader(
    form: Form, where: str, problems: Problems
) -> Callable[[Node], tuple[InputField, ...]]:
    """Read the fields that `where` declares: a mapping by name, or a list of mappings."""

    def read(node: Node) -> tuple[InputField, ...]:
        if is_nothing(node):
            return ()
        named = _named(node, form, where, problems)
        if len(named) > MAX_INPUTS:
            told = f"{form.key!r} in {where}: expected at most {MAX_INPUTS} {form.noun}s"
            problems.add(node.line, told)
        _check_names(named, form, where, problems)
        return tuple(_input(name, fields) for name, fields in named)

    return read


def _named(node: Node, form: Form, where: str, problems: Problems) -> list[tuple[str, Fields]]:
    if isinstance(node, Items):
        one = f"{form.one} of {where}"
        listed = [Fields(entry, one, problems) for entry in each(node, mapping)]
        every = [(fields.need("name", text, ""), fields) for fields in listed]
        named = [(name, fields) for name, fields in every if name]
        known = (*_KEYS, "name")
    elif isinstance(node, Entries):
        bodies = each_value(node, _body)
        named = [
            (name, Fields(body, where, problems, line=node.key_lines[name]))
            for name, body in bodies.items()
        ]
        known = _KEYS
    else:
        raise unexpected(node, f"a mapping of {form.noun} names")
    for name, fields in named:
        fields.where = f"{form.noun} {name!r} of {where}"
        fields.refuse_unknown(known)
    return named


def _body(node: Node) -> Entries:
    if isinstance(node, Entries):
        return node
    raise unexpected(node, "a mapping such as {type: text, required: true}")


def _check_names(
    named: list[tuple[str, Fields]], form: Form, where: str, problems: Problems
) -> None:
    seen: set[str] = set()
    for name, fields in named:
        field = f"{form.noun} {name!r} of {where}"
        if name in form.taken:
            problems.add(fields.line, f"{field}: this name is taken by Signoff")
        elif not _NAME.fullmatch(name):
            shape = "letters, digits and _, no digit first, at most 64"
            problems.add(fields.line, f"{field}: expected a name of {shape}")
        elif name in seen:
            problems.add(fields.line, f"{field} is declared twice")
        seen.add(name)


def _input(name: str, fields: Fields) -> InputField:
    kind = fields.get("type", one_of(_TYPES, any_case=True), InputType.TEXT)
    minimum = fields.get("min", _bound, None)
    maximum = fields.get("max", _bound, None)
    options = fields.get("options", _options, _NO_OPTIONS)
    description = fields.get("description", any_text, "")
    required = fields.get("required", truth, default=False)
    _check_bounds(fields, kind, minimum, maximum)
    if kind is InputType.CHOICE and "options" not in fields:
        fields.problems.add(fields.line, f"{fields.where} is a choice and needs 'options'")
    if kind is not InputType.CHOICE and "options" in fields:
        fields.wrong("options", f"only a choice has them, and this is a {kind}")
    bare = InputField(
        name=name,
        type=kind,
        description=description,
        required=required,
        minimum=minimum,
        maximum=maximum,
        options=options,
    )
    return replace(bare, default=_default(fields, bare))


def _default(fields: Fields, bare: InputField) -> Value | None:
    written = fields.get("default", _written, "")
    if not written.strip() or (bare.type is InputType.CHOICE and not bare.options):
        return None
    match parse_value(bare, written):
        case Unfit(sentence):
            fields.wrong("default", sentence)
            return None
        case value:
            return value


def _written(node: Node) -> str:
    return "" if is_nothing(node) else any_text(node)


def _check_bounds(
    fields: Fields, kind: InputType, minimum: float | None, maximum: float | None
) -> None:
    for key, bound in (("min", minimum), ("max", maximum)):
        if bound is None:
            continue
        if kind not in (InputType.NUMBER, InputType.TEXT):
            fields.wrong(key, f"only a number or a text has it, and this is a {kind}")
        elif kind is InputType.TEXT and not (isinstance(bound, int) and 0 <= bound <= MAX_TEXT):
            fields.wrong(key, f"expected a length from 0 to {MAX_TEXT}")
    if minimum is not None and maximum is not None and minimum > maximum:
        fields.wrong("min", "it is above 'max'")


def _bound(node: Node) -> float | None:
    if isinstance(node, Scalar) and not node.quoted and _NUMBER.fullmatch(node.text):
        number = float(node.text) if "." in node.text else int(node.text)
        if abs(number) <= MAX_NUMBER:
            return number
    raise unexpected(node, "a number")


def _options(node: Node) -> tuple[str, ...]:
    option = matching(re.compile(rf"(?=.*\S).{{1,{MAX_OPTION}}}"), f"1 to {MAX_OPTION} characters")
    options = each(node, option)
    if not 1 <= len(options) <= MAX_OPTIONS:
        raise unexpected(node, f"a list of 1 to {MAX_OPTIONS} options, each once")
    if len(set(options)) < len(options):
        raise unexpected(node, "a list of options that are all different")
    return options
