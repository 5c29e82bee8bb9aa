"""A checkpoint task: who may decide, by when, having seen what."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from engine.dag import Gate, Show
from engine.dagfile.fields import (
    Fields,
    MisreadError,
    duration,
    each,
    each_value,
    one_of,
    text,
    truth,
    unexpected,
    whole,
)
from engine.dagfile.forms import OF_CHECKPOINT, form_reader
from engine.dagfile.problems import did_you_mean
from engine.dagfile.yaml_nodes import Entries, Node, Scalar
from engine.errors import InvalidPrincipal, Problem
from engine.identity import Principal, PrincipalKind, Role
from engine.model import Choice, OnExpire, Policy, ReasonRule
from engine.templates import PARAMS, references, split_reference, strays

MAX_QUORUM = 50
MAX_SHOWN = 10

GATE_KEYS = (
    "prompt",
    "required_role",
    "approvers",
    "quorum",
    "reject_quorum",
    "self_approval",
    "reason",
    "inputs",
    "show",
    "expires_in",
    "on_expire",
    "channel",
)

_ROLES = {role.label: role for role in Role}
_RULES = {rule.value: rule for rule in ReasonRule}
_ENDS = {end.value: end for end in OnExpire}
_ONE_PERSON = frozenset({PrincipalKind.SLACK_USER, PrincipalKind.EMAIL})


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a checkpoint says when it does not say it itself."""

    required_role: Role = Role.OPERATOR
    expires_in: timedelta = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Reference:
    """An upstream output that a checkpoint names, `task__key`, and the line where it does."""

    name: str
    line: int
    key: str


def read_gate(fields: Fields, task_id: str, defaults: Defaults) -> Gate:
    """Read the gate that a checkpoint task declares."""
    gate = Gate(
        prompt=fields.get("prompt", _prompt, f"Approve checkpoint {task_id}?"),
        policy=_policy(fields, defaults),
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


def _prompt(node: Node) -> str:
    prompt = text(node)
    if strays(prompt):
        raise unexpected(node, "nothing in braces but {{ task__key }}")
    return prompt


def _policy(fields: Fields, defaults: Defaults) -> Policy:
    approve_reason, reject_reason = fields.get("reason", _reasons, _NO_REASONS)
    policy = Policy(
        required_role=fields.get("required_role", _role, defaults.required_role),
        approvers=fields.get("approvers", _approvers, ()),
        quorum=fields.get("quorum", whole(1, MAX_QUORUM), 1),
        reject_quorum=fields.get("reject_quorum", whole(1, MAX_QUORUM), 1),
        self_approval=fields.get("self_approval", truth, default=False),
        approve_reason=approve_reason,
        reject_reason=reject_reason,
        inputs=fields.get("inputs", form_reader(OF_CHECKPOINT, fields.where, fields.problems), ()),
        expires_in=fields.get("expires_in", duration, defaults.expires_in),
        on_expire=fields.get("on_expire", one_of(_ENDS), OnExpire.FAIL),
    )
    _check_quorum(fields, policy)
    return policy


def _check_quorum(fields: Fields, policy: Policy) -> None:
    if policy.quorum > 1 and policy.inputs:
        fields.wrong("quorum", "expected 1, because a form ('inputs') has one author")
    if not policy.approvers or any(who.kind not in _ONE_PERSON for who in policy.approvers):
        return
    for key, needed in (("quorum", policy.quorum), ("reject_quorum", policy.reject_quorum)):
        if needed > len(policy.approvers):
            named = len(policy.approvers)
            fields.wrong(key, f"{needed} can never be reached, 'approvers' names only {named}")


def _role(node: Node) -> Role:
    role = Role.parse(text(node))
    if role is None:
        near = did_you_mean(text(node), _ROLES)
        raise MisreadError(
            Problem(f"expected Operator or Admin, got {text(node)!r}{near}", node.line)
        )
    if role is Role.VIEWER:
        raise MisreadError(Problem("expected Operator or Admin: Viewers decide nothing", node.line))
    return role


def _approvers(node: Node) -> tuple[Principal, ...]:
    approvers = each(node, _principal, "a list of users, groups or e-mails")
    if not approvers:
        raise unexpected(node, "at least one; leave the key out to let anyone with the role")
    return tuple(dict.fromkeys(approvers))


def _principal(node: Node) -> Principal:
    try:
        return Principal.parse(text(node))
    except InvalidPrincipal as nobody:
        raise MisreadError(Problem(str(nobody), node.line)) from nobody


_NO_REASONS = (Policy().approve_reason, Policy().reject_reason)


def _reasons(node: Node) -> tuple[ReasonRule, ReasonRule]:
    rule = one_of(_RULES)
    if not isinstance(node, Entries):
        both = rule(node)
        return both, both
    choices = [choice.value for choice in Choice]
    unknown = [
        Problem(f"unknown key {key!r}{did_you_mean(key, choices)}", node.key_lines[key])
        for key in node.nodes
        if key not in choices
    ]
    if unknown:
        raise MisreadError(*unknown)
    rules = each_value(node, rule)
    approve, reject = _NO_REASONS
    return rules.get(Choice.APPROVE, approve), rules.get(Choice.REJECT, reject)


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
