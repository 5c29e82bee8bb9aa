"""What a policy says of later: reminders, escalation, and rules that hold without people."""

import re
from datetime import timedelta

from engine.auto.language import MAX_EXPRESSION, read_expression
from engine.dagfile.fields import (
    Fields,
    MisreadError,
    each,
    one_of,
    text,
    unexpected,
    whole,
)
from engine.dagfile.fields import duration as read_duration
from engine.dagfile.problems import Problems
from engine.dagfile.yaml_nodes import Entries, Node, Scalar
from engine.errors import InvalidExpression, InvalidPrincipal, Problem
from engine.identity import Principal, Role
from engine.inputs import parse_inputs
from engine.model import AutoRule, Escalation, Nudge, Policy

MAX_NUDGES = 5
MAX_TARGETS = 5
MAX_AUTO = 10

Requirement = tuple[Role | None, int | None]

_BEFORE = re.compile(r"(?P<duration>\S+)\s+before")
_CHANNEL = re.compile(r"#[^\s#@<>,|&]{1,80}")
_NONE = "none"
_DECIDING = {role.label: role for role in (Role.OPERATOR, Role.ADMIN)}
_MOST_PEOPLE = 50


def read_nudges(node: Node) -> tuple[Nudge, ...]:
    """Read `none`, or a list such as `[2h, 1h before]`."""
    if isinstance(node, Scalar) and node.text == _NONE:
        return ()
    nudges = each(node, _nudge, "none, or a list such as [2h, 1h before]")
    if len(nudges) > MAX_NUDGES:
        raise MisreadError(Problem(f"expected at most {MAX_NUDGES} reminders", node.line))
    return nudges


def _nudge(node: Node) -> Nudge:
    found = _BEFORE.fullmatch(node.text.strip()) if isinstance(node, Scalar) else None
    if found is None:
        return Nudge(after=_positive(node))
    return Nudge(before=_positive(Scalar(found["duration"], node.line)))


def _positive(node: Node) -> timedelta:
    length = read_duration(node)
    if length <= timedelta():
        raise unexpected(node, "a duration above 0")
    return length


def read_escalation(node: Node) -> Escalation:
    """Read `{after: 4h, to: [Admin, S012AB, "#incidents"]}`; without `after`, at the deadline."""
    if not isinstance(node, Entries):
        raise unexpected(node, "a mapping with 'to', and 'after' or on_expire: escalate")
    problems = Problems()
    fields = Fields(node, "'escalate'", problems)
    fields.refuse_unknown(("to", "after"))
    found = Escalation(
        to=fields.need("to", _targets, ()),
        after=fields.get("after", _positive, None),
    )
    if problems:
        raise MisreadError(*problems.in_order())
    return found


def _targets(node: Node) -> tuple[str, ...]:
    expected = "a list of roles, users, groups, e-mails or channels"
    targets = each(node, _target, expected)
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise unexpected(node, f"{expected}: 1 to {MAX_TARGETS} of them")
    return tuple(dict.fromkeys(targets))


def _target(node: Node) -> str:
    named = text(node).strip()
    if named in _DECIDING or _CHANNEL.fullmatch(named):
        return named
    try:
        return str(Principal.parse(named))
    except InvalidPrincipal as nobody:
        told = f"{nobody}, a role (Operator, Admin) or a channel (#incidents)"
        raise MisreadError(Problem(told, node.line)) from nobody


def read_auto(node: Node) -> tuple[AutoRule, ...]:
    """Read the rules that hold without people."""
    rules = each(node, _rule, "a list of mappings with 'when', and 'then: approve' or 'require'")
    if len(rules) > MAX_AUTO:
        raise MisreadError(Problem(f"expected at most {MAX_AUTO} rules", node.line))
    return rules


def _rule(node: Node) -> AutoRule:
    if not isinstance(node, Entries):
        raise unexpected(node, "a mapping with 'when', and 'then: approve' or 'require'")
    problems = Problems()
    fields = Fields(node, "'auto'", problems)
    fields.refuse_unknown(("when", "then", "require"))
    when = fields.need("when", _expression, "")
    if ("then" in fields) == ("require" in fields):
        fields.wrong("when", "expected either 'then: approve' or 'require' beside it")
    fields.get("then", one_of({"approve": True}), None)
    nothing: Requirement = (None, None)
    role, quorum = fields.get("require", _requirement, nothing)
    if problems:
        raise MisreadError(*problems.in_order())
    return AutoRule(when, approves="then" in fields, required_role=role, quorum=quorum)


def _expression(node: Node) -> str:
    written = text(node)
    if len(written) > MAX_EXPRESSION:
        raise unexpected(node, f"an expression of at most {MAX_EXPRESSION} characters")
    try:
        read = read_expression(written)
    except InvalidExpression as invalid:
        raise MisreadError(Problem(f"not an expression: {invalid}", node.line)) from None
    if ("outputs",) in read.reads:
        raise MisreadError(Problem("expected outputs of a task: outputs.TASK.KEY", node.line))
    return written


def check_auto(fields: Fields, policy: Policy) -> None:
    """Note a form that no rule could fill in."""
    wanted = parse_inputs(policy.inputs, {}).errors
    if "auto" in fields and wanted and any(rule.approves for rule in policy.auto):
        named = ", ".join(wanted)
        fields.wrong("auto", f"'then: approve' fills in no form; give {named} a default")


def _requirement(node: Node) -> Requirement:
    if not isinstance(node, Entries):
        raise unexpected(node, "a mapping with 'required_role', 'quorum' or both")
    problems = Problems()
    fields = Fields(node, "'require'", problems)
    fields.refuse_unknown(("required_role", "quorum"))
    role = fields.get("required_role", one_of(_DECIDING), None)
    quorum = fields.get("quorum", whole(2, _MOST_PEOPLE), None)
    if role is None and quorum is None and not problems:
        problems.add(node.line, "'require' must raise the role or the quorum")
    if problems:
        raise MisreadError(*problems.in_order())
    return role, quorum
