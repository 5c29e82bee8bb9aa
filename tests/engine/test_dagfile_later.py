"""What a checkpoint says of later: reminders, escalation, rules without people; and of one tap."""

from datetime import timedelta
from textwrap import dedent, indent
from typing import Any

import pytest

from engine.dag import Gate, dag_from_json, dag_to_json, policy_from_json, policy_to_json
from engine.dagfile import Defaults, parse
from engine.dagfile.policies import read_policy
from engine.declaration import checkpoint, declare
from engine.errors import InvalidDag
from engine.identity import Principal, Role
from engine.model import AutoRule, Confirm, Escalation, Nudge, OnExpire, Policy

HOUR = timedelta(hours=1)
ADMIN = Escalation(to=("Admin",))


def text_of(keys: str) -> str:
    """A DAG file whose checkpoint `ok`, behind `plan`, has these keys from line 5 on."""
    body = indent(dedent(keys).strip("\n"), "    ")
    head = "name: d\ntasks:\n  - id: ok\n    type: checkpoint\n"
    behind = "    depends_on: plan\n  - {id: plan, run: make}\nparams: {n: {type: number}}\n"
    return f"{head}{body}\n{behind}"


def policy_of(keys: str) -> Policy:
    dag = parse(text_of(keys), source="f.yml", directory="/srv", defaults=Defaults())
    [(_, gate)] = dag.gates
    return gate.policy


def problems_of(keys: str) -> list[str]:
    with pytest.raises(InvalidDag) as caught:
        policy_of(keys)
    return str(caught.value).splitlines()


GOOD = {
    "confirm: modal": Policy(),
    "confirm: dialog": Policy(confirm=Confirm.DIALOG),
    "confirm: dialog\nreason: {approve: none}\nreject_quorum: 2": Policy(
        confirm=Confirm.DIALOG,
        approve_reason=Policy().approve_reason.NONE,
        reject_quorum=2,
    ),
    "notify: [U012AB, S012AB, Ana@example.com, U012AB]": Policy(
        notify=tuple(map(Principal.parse, ("U012AB", "S012AB", "ana@example.com")))
    ),
    "remind: none": Policy(remind=()),
    "remind: []": Policy(remind=()),
    "remind: [2h, 1h before, 90]": Policy(
        remind=(Nudge(after=2 * HOUR), Nudge(before=HOUR), Nudge(after=timedelta(seconds=90)))
    ),
    "remind: [1h30m   before]": Policy(remind=(Nudge(before=1.5 * HOUR),)),
    "escalate: {after: 4h, to: [Admin, S012AB, '#incidents', Admin]}": Policy(
        escalate=Escalation(to=("Admin", "S012AB", "#incidents"), after=4 * HOUR)
    ),
    "on_expire: escalate\nescalate: {to: [Admin]}": Policy(
        on_expire=OnExpire.ESCALATE, escalate=ADMIN
    ),
    "on_expire: escalate\nescalate: {to: [Admin], after: 1h}": Policy(
        on_expire=OnExpire.ESCALATE, escalate=Escalation(to=("Admin",), after=HOUR)
    ),
    "auto: []": Policy(),
    "auto: [{when: 'outputs.plan.deletes == 0', then: approve}]": Policy(
        auto=(AutoRule("outputs.plan.deletes == 0", approves=True),)
    ),
    "auto:\n  - when: params.n > 9\n    require: {required_role: Admin, quorum: 2}": Policy(
        auto=(AutoRule("params.n > 9", required_role=Role.ADMIN, quorum=2),)
    ),
}


@pytest.mark.parametrize(("keys", "expected"), GOOD.items(), ids=GOOD)
def test_what_may_be_written(keys: str, expected: Policy) -> None:
    """Each key as it is read; what is written twice counts once."""
    assert policy_of(keys) == expected


@pytest.mark.parametrize("keys", GOOD)
def test_it_is_stored_with_the_run(keys: str) -> None:
    """A policy comes back from the store as it was, and a DAG file's DAG, too."""
    dag = parse(text_of(keys), source="f.yml", directory="/srv", defaults=Defaults())
    assert dag_from_json(dag_to_json(dag)) == dag
    assert policy_from_json(policy_to_json(policy_of(keys))) == policy_of(keys)


WHEN = "a mapping with 'when', and 'then: approve' or 'require'"
TARGETS = "a list of roles, users, groups, e-mails or channels"
RULE = "'when' in 'auto': expected either 'then: approve' or 'require' beside it"
TAP = "'confirm' in task 'ok': expected modal, because one tap is not enough for"
BAD = {
    "confirm: yes": [
        "5: 'confirm' in task 'ok': expected one of modal, dialog, got 'yes'",
    ],
    "confirm: dialog\ninputs: {n: {}}": [f"5: {TAP} 'inputs'"],
    "confirm: dialog\nquorum: 2": [f"5: {TAP} a quorum above 1"],
    "confirm: dialog\nreason: required": [f"5: {TAP} a reason that is required"],
    "notify: U012AB": [
        "5: 'notify' in task 'ok': expected a list of users, groups or e-mails, got 'U012AB'"
    ],
    "notify: [here]": ["5: 'notify' in task 'ok': 'here'"],
    "remind: always": [
        "5: 'remind' in task 'ok': expected none, or a list such as [2h, 1h before], got 'always'"
    ],
    "remind:\n  - 2h\n  - after lunch\n  - 0 before": [
        "7: 'remind' in task 'ok': expected a duration",
        "8: 'remind' in task 'ok': expected a duration",
    ],
    "remind: [1, 2, 3, 4, 5, 6]": ["5: 'remind' in task 'ok': expected at most 5 reminders"],
    "escalate: Admin": ["5: 'escalate' in task 'ok': expected a mapping with 'to'"],
    "escalate: {after: 1h}": ["5: 'escalate' in task 'ok': 'escalate' needs the key 'to'"],
    "escalate:\n  after: 1h\n  to: [Viewer]\n  and: x": [
        "7: 'escalate' in task 'ok': 'to' in 'escalate': 'Viewer'",
        "8: 'escalate' in task 'ok': unknown key 'and' in 'escalate'",
    ],
    "escalate: {after: 1h, to: []}": [
        f"5: 'escalate' in task 'ok': 'to' in 'escalate': expected {TARGETS}: 1 to 5 of them"
    ],
    "escalate: {after: 0, to: [Admin]}": ["5: 'escalate' in task 'ok': 'after' in 'escalate'"],
    "escalate: {to: [Admin]}": [
        "5: 'escalate' in task 'ok': it says no time: add 'after', or 'on_expire: escalate'"
    ],
    "expires_in: 1h\nescalate: {to: [Admin], after: 1h}": [
        "6: 'escalate' in task 'ok': 'after' comes too late, 'expires_in' ends it before"
    ],
    "on_expire: escalate": ["5: 'on_expire' in task 'ok': 'escalate' must say whom to ask then"],
    "auto: {when: 'true', then: approve}": [
        "5: 'auto' in task 'ok': expected a list of mappings with 'when'"
    ],
    "auto:\n  - 'true'": [f"6: 'auto' in task 'ok': expected {WHEN}, got 'true'"],
    "auto:\n  - {then: approve}": ["6: 'auto' in task 'ok': 'auto' needs the key 'when'"],
    "auto:\n  - {when: 'true'}": [f"6: 'auto' in task 'ok': {RULE}"],
    "auto:\n  - {when: 'true', then: approve, require: {quorum: 2}}": [
        f"6: 'auto' in task 'ok': {RULE}"
    ],
    "auto:\n  - {when: 'true', then: reject}": [
        "6: 'auto' in task 'ok': 'then' in 'auto': expected one of approve, got 'reject'"
    ],
    "auto:\n  - {when: 'true', require: {}}": [
        "6: 'auto' in task 'ok': 'require' in 'auto': 'require' must raise the role or the quorum"
    ],
    "auto:\n  - {when: 'true', require: {quorum: 1}}": [
        "6: 'auto' in task 'ok': 'require' in 'auto': 'quorum' in 'require': expected a whole"
    ],
    "auto:\n  - {when: 'true', require: {required_role: Viewer}}": [
        "6: 'auto' in task 'ok': 'require' in 'auto': 'required_role' in 'require': expected one of"
    ],
    "auto: [" + "{when: 'true', then: approve}, " * 11 + "]": [
        "5: 'auto' in task 'ok': expected at most 10 rules"
    ],
    "auto:\n  - {when: 'params.n >', then: approve}": [
        "6: 'auto' in task 'ok': 'when' in 'auto': not an expression: mismatched input '<EOF>'"
    ],
    "auto:\n  - when: now > 1\n    then: approve": [
        "6: 'auto' in task 'ok': 'when' in 'auto': not an expression: there is no 'now', only"
    ],
    "auto:\n  - {when: 'size(outputs) == 0', then: approve}": [
        "6: 'auto' in task 'ok': 'when' in 'auto': expected outputs of a task: outputs.TASK.KEY"
    ],
    "auto:\n  - {when: 'params.m > 1', then: approve}": [
        "5: 'auto' in task 'ok': 'params__m' names no parameter 'm' of the DAG"
    ],
    "auto:\n  - {when: 'outputs.plans.x == 1', then: approve}": [
        "5: 'auto' in task 'ok': 'plans__x' names no task 'plans'; did you mean 'plan'?"
    ],
    "auto:\n  - {when: 'size(outputs.ok) == 1', then: approve}": [
        "5: 'auto' in task 'ok': 'ok__*' is no upstream output; depend on 'ok'"
    ],
    "inputs: {a: {required: true}}\nauto:\n  - {when: 'true', then: approve}": [
        "6: 'auto' in task 'ok': 'then: approve' fills in no form; give a a default"
    ],
    f"auto:\n  - {{when: '{'x' * 1_001}', then: approve}}": [
        "6: 'auto' in task 'ok': 'when' in 'auto': expected an expression of at most 1000"
    ],
}


@pytest.mark.parametrize(("keys", "expected"), BAD.items(), ids=[keys[:60] for keys in BAD])
def test_what_is_refused_and_where(keys: str, expected: list[str]) -> None:
    """A mistake is told with its line and what was expected; nothing is guessed."""
    found = problems_of(keys)
    assert len(found) == len(expected), found
    for problem, beginning in zip(found, expected, strict=True):
        assert problem.startswith(f"f.yml:{beginning}")


def test_a_default_of_one_tap_gives_way() -> None:
    """Only a checkpoint that says `dialog` itself is told that it cannot be."""
    base = Policy(confirm=Confirm.DIALOG)
    policy, problems = read_policy({"quorum": 2}, base, "rules")
    assert (policy.quorum, problems) == (2, ())


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        pytest.param({"remind": [Nudge()]}, "expected a duration", id="a reminder without a time"),
        pytest.param(
            {"remind": [Nudge(after=HOUR, before=HOUR)]}, "expected a duration", id="two times"
        ),
        pytest.param({"auto": [AutoRule("true")]}, "expected either", id="a rule for nothing"),
    ],
)
def test_a_value_of_the_model_that_says_too_little_is_refused(
    keys: dict[str, Any], told: str
) -> None:
    """In Python, too, a reminder has one time and a rule one outcome."""
    with pytest.raises(InvalidDag, match=told):
        declare("d", checkpoint("ok", **keys))


def test_in_python_it_is_plain_values_or_those_of_the_model() -> None:
    """Both ways to say it make the same policy."""
    plain = checkpoint(
        "ok",
        confirm="dialog",
        notify=["U012AB"],
        remind=["2h", "1h before"],
        escalate={"to": ["Admin"], "after": "1h"},
        auto=[{"when": "true", "require": {"quorum": 2}}],
    )
    valued = checkpoint(
        "ok",
        confirm=Confirm.DIALOG,
        notify=[Principal.parse("U012AB")],
        remind=[Nudge(after=2 * HOUR), Nudge(before=HOUR)],
        escalate=Escalation(to=("Admin",), after=HOUR),
        auto=[AutoRule("true", quorum=2)],
    )
    one, other = (declare("d", task, directory="/srv").tasks[0].work for task in (plain, valued))
    assert isinstance(one, Gate)
    assert one == other


def test_no_reminders_in_python() -> None:
    """`"none"` is never; what is left out is as by default."""
    [(_, gate)] = declare("d", checkpoint("ok", remind="none")).gates
    assert gate.policy.remind == ()
    [(_, gate)] = declare("d", checkpoint("ok", remind=None)).gates
    assert gate.policy.remind is None
