"""Who may decide, by when, with what reason: the keys of a policy, wherever they stand."""

from collections.abc import Mapping
from dataclasses import replace

from engine.dagfile.fields import (
    Fields,
    MisreadError,
    Read,
    duration,
    each,
    each_value,
    one_of,
    text,
    truth,
    unexpected,
    whole,
)
from engine.dagfile.later import check_auto, read_auto, read_escalation, read_nudges
from engine.dagfile.problems import Problems, TooManyProblemsError, did_you_mean
from engine.dagfile.values import node_of
from engine.dagfile.yaml_nodes import Entries, Node
from engine.errors import InvalidPrincipal, Problem
from engine.identity import Principal, PrincipalKind, Role
from engine.model import Choice, Confirm, OnExpire, Policy, ReasonRule

MAX_QUORUM = 50

POLICY_KEYS = (
    "required_role",
    "approvers",
    "quorum",
    "reject_quorum",
    "self_approval",
    "reason",
    "expires_in",
    "on_expire",
    "confirm",
    "notify",
    "remind",
    "escalate",
    "auto",
)

Reasons = tuple[ReasonRule, ReasonRule]

_LINE = 1  # values of another file know no lines
_ROLES = {role.label: role for role in Role}
_RULES = {rule.value: rule for rule in ReasonRule}
_CHOICES = tuple(choice.value for choice in Choice)
_ENDS = {end.value: end for end in OnExpire}
_CONFIRMS = {kind.value: kind for kind in Confirm}
_ONE_PERSON = frozenset({PrincipalKind.SLACK_USER, PrincipalKind.EMAIL})


def read_policy(
    keys: Mapping[str, object], base: Policy, where: str
) -> tuple[Policy, tuple[str, ...]]:
    """The policy that plain values make, and every problem they have, as `where.key: what`.

    Keys and values are those of a checkpoint in a DAG file; what is not there is as in `base`.
    Keys that are none of a policy's are not looked at.
    """
    problems = Problems()
    try:
        policy = _of_values(keys, base, where, problems)
    except TooManyProblemsError:
        policy = base
    return policy, tuple(problem.message for problem in problems.in_order())


def _of_values(keys: Mapping[str, object], base: Policy, where: str, problems: Problems) -> Policy:
    nodes: dict[str, Node] = {}
    for key in (key for key in POLICY_KEYS if key in keys):
        wrong = Problems()
        node = node_of(keys[key], _LINE, wrong)
        for problem in wrong.in_order():
            problems.add(_LINE, f"{where}.{key}: {problem.message}")
        if not wrong:
            nodes[key] = node
    fields = _Path(Entries(nodes, dict.fromkeys(nodes, _LINE), _LINE), where, problems)
    return read_rules(fields, base)


class _Path(Fields):
    """Keys of a file that names them by their path."""

    def told(self, key: str, message: str) -> str:
        return f"{self.where}.{key}: {message}"


def read_rules(fields: Fields, base: Policy) -> Policy:
    """Read the policy that some keys make; what is not there is as in `base`."""
    reasons = (base.approve_reason, base.reject_reason)
    approve_reason, reject_reason = fields.get("reason", _reasons_reader(base), reasons)
    policy = replace(
        base,
        required_role=fields.get("required_role", read_role, base.required_role),
        approvers=fields.get("approvers", _approvers, base.approvers),
        quorum=fields.get("quorum", whole(1, MAX_QUORUM), base.quorum),
        reject_quorum=fields.get("reject_quorum", whole(1, MAX_QUORUM), base.reject_quorum),
        self_approval=fields.get("self_approval", truth, base.self_approval),
        approve_reason=approve_reason,
        reject_reason=reject_reason,
        expires_in=fields.get("expires_in", duration, base.expires_in),
        on_expire=fields.get("on_expire", one_of(_ENDS), base.on_expire),
        confirm=fields.get("confirm", one_of(_CONFIRMS), base.confirm),
        notify=fields.get("notify", _approvers, base.notify),
        remind=fields.get("remind", read_nudges, base.remind),
        escalate=fields.get("escalate", read_escalation, base.escalate),
        auto=fields.get("auto", read_auto, base.auto),
    )
    _check_quorum(fields, policy)
    _check_escalation(fields, policy)
    _check_dialog(fields, policy)
    check_auto(fields, policy)
    return policy


def _check_quorum(fields: Fields, policy: Policy) -> None:
    if policy.quorum > 1 and policy.inputs:
        told = "expected 1, because a form ('inputs') has one author"
        by_default = "" if "quorum" in fields else f"; by default it is {policy.quorum} here"
        fields.wrong("quorum", told + by_default)
    if not policy.approvers or any(who.kind not in _ONE_PERSON for who in policy.approvers):
        return
    for key, needed in (("quorum", policy.quorum), ("reject_quorum", policy.reject_quorum)):
        if needed > len(policy.approvers) and (key in fields or "approvers" in fields):
            named = len(policy.approvers)
            fields.wrong(key, f"{needed} can never be reached, 'approvers' names only {named}")


def _check_escalation(fields: Fields, policy: Policy) -> None:
    if policy.on_expire is OnExpire.ESCALATE and policy.escalate is None:
        fields.wrong("on_expire", "'escalate' must say whom to ask then")
    if policy.escalate is None or "escalate" not in fields:
        return
    after = policy.escalate.after
    if after is None and policy.on_expire is not OnExpire.ESCALATE:
        fields.wrong("escalate", "it says no time: add 'after', or 'on_expire: escalate'")
    if after is not None and after >= policy.expires_in:
        fields.wrong("escalate", "'after' comes too late, 'expires_in' ends it before")


def _check_dialog(fields: Fields, policy: Policy) -> None:
    if policy.confirm is not Confirm.DIALOG or "confirm" not in fields:
        return
    asks = {
        "'inputs'": bool(policy.inputs),
        "a quorum above 1": policy.quorum > 1,
        "a reason that is required": policy.approve_reason is ReasonRule.REQUIRED,
    }
    for what in (what for what, is_asked in asks.items() if is_asked):
        fields.wrong("confirm", f"expected modal, because one tap is not enough for {what}")


def read_role(node: Node) -> Role:
    """Read a role that may decide."""
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


def _reasons_reader(base: Policy) -> Read[Reasons]:
    """One word for both choices, or a word for each; one that is not there stays as in `base`."""
    rule = one_of(_RULES)

    def read(node: Node) -> Reasons:
        if not isinstance(node, Entries):
            both = rule(node)
            return both, both
        unknown = [
            Problem(f"unknown key {key!r}{did_you_mean(key, _CHOICES)}", node.key_lines[key])
            for key in node.nodes
            if key not in _CHOICES
        ]
        if unknown:
            raise MisreadError(*unknown)
        rules = each_value(node, rule)
        approve = rules.get(Choice.APPROVE, base.approve_reason)
        return approve, rules.get(Choice.REJECT, base.reject_reason)

    return read
