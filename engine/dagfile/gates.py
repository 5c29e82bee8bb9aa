"""A checkpoint task: who may decide, by when, having seen what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.auto.language import read_expression
from engine.dag import Gate, Show
from engine.dagfile.fields import (
    Fields,
    MisreadError,
    each,
    text,
    truth,
    unexpected,
)
from engine.dagfile.forms import OF_CHECKPOINT, form_reader
from engine.dagfile.policies import POLICY_KEYS, read_rules
from engine.dagfile.yaml_nodes import Entries, Node, Scalar
from engine.errors import Problem
from engine.model import AutoRule, Policy
from engine.templates import PARAMS, references, split_reference, strays

MAX_SHOWN = 10

GATE_KEYS = ("prompt", *POLICY_KEYS, "inputs", "show", "channel")


@dataclass(frozen=True, slots=True)
class Reference:
    """An upstream output that a checkpoint names, `task__key`, and the line where it does."""

    name: str
    line: int
    key: str


def read_gate(fields: Fields, task_id: str, base: Policy) -> Gate:
    """Read the gate that a checkpoint task declares; what it does not say is as in `base`."""
    gate = Gate(
        prompt=fields.get("prompt", _prompt, f"Approve checkpoint {task_id}?"),
        policy=_policy(fields, base),
        show=fields.get("show", _show_reader(fields), ()),
        channel=fields.get("channel", text, None),
    )
    secrets = {show.source for show in gate.show if show.secret}
    for name in sorted(name for name in secrets if _is_param(name)):
        told = f"{name!r} cannot be secret: whoever sees the run sees its parameters"
        fields.wrong("show", told)
    for name in sorted(secrets.intersection(references(gate.prompt))):
        told = f"the prompt quotes {name!r}, which 'show' marks as secret: everybody would read it"
        fields.problems.add(fields.line_of("prompt"), told)
    return gate


def _is_param(name: str) -> bool:
    found = split_reference(name)
    return found is not None and found[0] == PARAMS


def gate_references(fields: Fields, gate: Gate) -> Iterator[Reference]:
    """Find every upstream output that the gate names."""
    for name in references(gate.prompt):
        yield Reference(name, fields.line_of("prompt"), "prompt")
    for show in gate.show:
        yield Reference(show.source, fields.line_of("show"), "show")
    if "auto" in fields:
        for name in _read_by_rules(gate.policy.auto):
            yield Reference(name, fields.line_of("auto"), "auto")


def _read_by_rules(rules: Sequence[AutoRule]) -> Iterator[str]:
    for table, *keys in (path for rule in rules for path in read_expression(rule.when).reads):
        if table == "outputs" and keys:
            yield f"{keys[0]}__{keys[1] if len(keys) > 1 else '*'}"
        elif table == PARAMS and keys:
            yield f"{PARAMS}__{keys[0]}"


def _prompt(node: Node) -> str:
    prompt = text(node)
    if strays(prompt):
        raise unexpected(node, "nothing in braces but {{ task__key }}")
    return prompt


def _policy(fields: Fields, base: Policy) -> Policy:
    reader = form_reader(OF_CHECKPOINT, fields.where, fields.problems)
    inputs = fields.get("inputs", reader, base.inputs)
    return read_rules(fields, replace(base, inputs=inputs))


def _show_reader(fields: Fields) -> Callable[[Node], tuple[Show, ...]]:
    where = f"'show' of {fields.where}"

    def one(node: Node) -> Show:
        if not isinstance(node, Entries):
            source = _source(node)
            return Show(label=source, source=source)
        return _labelled(Fields(node, where, fields.problems))

    def read(node: Node) -> tuple[Show, ...]:
        shown = each(node, one, "a list of outputs")
        if len(shown) > MAX_SHOWN:
            raise MisreadError(Problem(f"expected at most {MAX_SHOWN} outputs", node.line))
        return shown

    return read


def _labelled(fields: Fields) -> Show:
    fields.refuse_unknown(("label", "from", "secret"))
    source = fields.need("from", _source, "")
    return Show(
        label=fields.get("label", text, source),
        source=source,
        secret=fields.get("secret", truth, default=False),
    )


def _source(node: Node) -> str:
    if isinstance(node, Scalar) and split_reference(node.text):
        return node.text
    raise unexpected(node, "an upstream output: task__key, or a mapping with 'from'")
