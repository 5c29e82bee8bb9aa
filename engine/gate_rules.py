"""Who is asked about the gates of a backend, and how: by pattern, from `signoff.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from engine.errors import InvalidPrincipal
from engine.gates import BackendKind, GateRef, WaitingGate
from engine.identity import Principal, PrincipalKind
from engine.model import Elsewhere, InputField, InputType, Policy

REJECTING = ("Reject",)
"""The options that count as a no unless a rule names others: Airflow's own word."""

OPTION = "option"
"""The input that holds the choice, where more than one option approves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRule:
    """What holds for the gates whose DAG and task match the patterns (`*`, `?`, `[…]`)."""

    dag: str = "*"
    task: str = "*"
    tenant: str
    policy: Policy = field(default_factory=Policy)
    channel: str | None = None
    rejecting: tuple[str, ...] = REJECTING
    ignored: bool = False  # nobody is asked here: the gate is answered where it is

    def matches(self, ref: GateRef) -> bool:
        """Whether this rule is about a gate."""
        return fnmatchcase(ref.dag, self.dag) and fnmatchcase(ref.task, self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlan:
    """How the gates of one backend are asked about. The first rule that matches holds."""

    name: str
    kind: BackendKind
    rules: tuple[GateRule, ...]  # the last one matches everything
    users: Mapping[str, Principal] = field(default_factory=dict)  # accounts there -> people here

    def rule_for(self, ref: GateRef) -> GateRule:
        """The rule of a gate."""
        return next(rule for rule in self.rules if rule.matches(ref))

    def person(self, account: str) -> Principal | None:
        """Whose account this is: as the configuration says, or by an account that is an e-mail."""
        named = self.users.get(account)
        if named is not None:
            return named
        try:
            read = Principal.parse(account)
        except InvalidPrincipal:
            return None
        return read if read.kind is PrincipalKind.EMAIL else None


def elsewhere_of(plan: BackendPlan, rule: GateRule, gate: WaitingGate) -> Elsewhere:
    """What a checkpoint must know of the gate it answers."""
    approving = tuple(option for option in gate.options if option not in rule.rejecting)
    rejecting = next((option for option in gate.options if option in rule.rejecting), None)
    if not approving:  # nothing would be left to say yes with: then they are all choices
        approving, rejecting = gate.options, None
    started = plan.person(gate.starter.account) if gate.starter.account else None
    named = [plan.person(account) for account in gate.assigned]
    return Elsewhere(
        backend=plan.name,
        engine=plan.kind,
        key=gate.ref.key,
        options=gate.options,
        approving=approving,
        rejecting=rejecting,
        choosing=_choosing(gate, approving),
        started_by=() if started is None else (started,),
        assigned=tuple(who for who in named if who) if gate.assigned else None,
        url=gate.url,
    )


def form_of(gate: WaitingGate, there: Elsewhere) -> tuple[InputField, ...]:
    """What whoever approves fills in: the option, where several approve, and the gate's form."""
    if there.choosing is None:
        return gate.fields
    # No default: what the engine takes when its time is up is nobody's choice.
    choice = InputField(
        name=there.choosing,
        type=InputType.CHOICES if gate.multiple else InputType.CHOICE,
        description="one or more of them" if gate.multiple else "one of them",
        required=True,
        options=there.approving,
    )
    return (choice, *gate.fields)


def _choosing(gate: WaitingGate, approving: tuple[str, ...]) -> str | None:
    if len(approving) < 2:  # noqa: PLR2004 (nothing to choose between)
        return None
    taken = {one.name for one in gate.fields}
    name = OPTION
    while name in taken:
        name = f"_{name}"
    return name
