"""What `signoff policy check` says of each checkpoint of a DAG. Pure: all was looked up before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bot.cli.findings import Check, Status
from bot.cli.policy_people import Found, mentioned
from engine import Dag, Gate, Grant, Policy, Principal, Reach, Task, reach

_MOST_NAMED = 10


def examine(
    dag: Dag, grants: Sequence[Grant], found: Found, max_notified: int | None
) -> list[Check]:
    """Every check of every checkpoint, in the order of the file."""
    checks = [
        check
        for task, gate in dag.gates
        for check in _of_gate(dag, task, gate, grants, found, max_notified)
    ]
    if found.trouble:
        advice = "check SLACK_BOT_TOKEN, or leave it out: then nobody is looked up"
        told = f"could not be asked: {found.trouble}"
        checks.insert(0, Check("Slack", Status.WARN, told, advice))
    return checks or [Check(dag.name, Status.OK, "no checkpoints")]


def _of_gate(
    dag: Dag,
    task: Task,
    gate: Gate,
    grants: Sequence[Grant],
    found: Found,
    max_notified: int | None,
) -> Iterator[Check]:
    yield _asked(task, gate, found)
    for name, policy in _policies(task, gate.policy):
        reached = reach(policy, grants, found.members)
        yield _decided(name, policy, reached, dag.tenant)
    yield from _unreachable(task, gate.policy, found)
    if max_notified is not None:
        yield from _notified(task, gate.policy, grants, found, max_notified)


def _asked(task: Task, gate: Gate, found: Found) -> Check:
    name = f"{task.id}: asks"
    channel = found.channels[task.id]
    told = ", ".join(map(str, gate.policy.notify)) or "nobody"
    if channel is None:
        advice = "say `channel` in the file, or set SIGNOFF_CHANNEL or signoff.toml"
        return Check(name, Status.WARN, f"no channel is known here; mentions {told}", advice)
    if channel in found.missing_channels:
        advice = "correct the name, or invite the bot there"
        return Check(name, Status.FAIL, f"the bot does not see {channel}", advice)
    return Check(name, Status.OK, f"in {channel}; mentions {told}")


def _policies(task: Task, policy: Policy) -> Iterator[tuple[str, Policy]]:
    """The policy as it is written, and as each rule of `auto` may raise it."""
    yield f"{task.id}: may decide", policy
    for number, rule in enumerate(policy.auto, start=1):
        if not rule.approves:
            raised = replace(
                policy,
                required_role=max(policy.required_role, rule.required_role or policy.required_role),
                quorum=max(policy.quorum, rule.quorum or 1),
            )
            yield f"{task.id}: may decide, by rule {number}", raised


def _decided(name: str, policy: Policy, reached: Reach, tenant: str) -> Check:
    needed = max(policy.quorum, policy.reject_quorum)
    persons = _listed(sorted(reached.persons)) or "nobody for certain"
    through = _listed(dict.fromkeys(str(one.principal) for one in reached.grants)) or "nobody"
    told = f"{needed} needed: {persons} ({policy.required_role.label} in {tenant}: {through})"
    match reached.suffices(needed):
        case False:
            advice = f"grant {policy.required_role.label} in {tenant} to more people"
            if policy.approvers:
                advice += ", or name others in `approvers`"
            return Check(name, Status.FAIL, f"cannot be reached: {told}", advice)
        case None:
            unsure = _listed(map(str, reached.unknown))
            advice = f"only Slack knows of {unsure}: set SLACK_BOT_TOKEN to look them up"
            return Check(name, Status.WARN, f"cannot be told for certain: {told}", advice)
    if not policy.self_approval and reached.suffices(needed + 1) is False:
        advice = "name one more, so that whoever starts the run is not needed"
        return Check(name, Status.WARN, f"not when one of them starts the run: {told}", advice)
    return Check(name, Status.OK, told)


def _unreachable(task: Task, policy: Policy, found: Found) -> Iterator[Check]:
    targets = () if policy.escalate is None else policy.escalate.to
    principals, _, channels = mentioned(targets)
    named = {"approvers": policy.approvers, "notify": policy.notify, "escalate": principals}
    for key, whom in named.items():
        for principal in whom:
            if why := found.unreachable.get(principal):
                advice = f"take {principal} out of `{key}`, or name somebody else"
                yield Check(f"{task.id}: {key}", Status.FAIL, f"{principal}: {why}", advice)
    for channel in channels:
        if channel in found.missing_channels:
            advice = "correct the name, or invite the bot there"
            told = f"the bot does not see {channel}"
            yield Check(f"{task.id}: escalate", Status.FAIL, told, advice)


def _notified(
    task: Task, policy: Policy, grants: Sequence[Grant], found: Found, most: int
) -> Iterator[Check]:
    yield _mentions(f"{task.id}: notify", policy.notify, found, most)
    if policy.escalate is None:
        return
    principals, roles, _ = mentioned(policy.escalate.to)
    holders = [grant.principal for grant in grants if grant.role in roles]
    yield _mentions(f"{task.id}: escalate", [*principals, *holders], found, most)


def _mentions(name: str, whom: Iterable[Principal], found: Found, most: int) -> Check:
    accounts: set[str] = set()
    unknown: list[str] = []
    for principal in whom:
        members = found.members.of(principal)
        if members is None:
            unknown.append(str(principal))
        else:
            accounts |= members
    told = f"mentions {len(accounts)}, at most {most} are allowed"
    if len(accounts) > most:
        return Check(name, Status.FAIL, told, "name fewer people, or a smaller group")
    if unknown:
        advice = f"only Slack knows how many are in {_listed(unknown)}"
        return Check(name, Status.WARN, f"{told}, besides {_listed(unknown)}", advice)
    return Check(name, Status.OK, told)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else ""
    return ", ".join(every[:_MOST_NAMED]) + more
