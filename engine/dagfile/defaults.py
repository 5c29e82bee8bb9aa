"""What a checkpoint says when its DAG file does not say it: by tenant and DAG, else for all."""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from engine.identity import Role
from engine.model import Policy


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """The policy by default of a tenant's DAGs whose name fits a pattern (`*`, `?`, `[…]`)."""

    tenant: str
    dag: str
    policy: Policy

    def holds_for(self, tenant: str, dag: str) -> bool:
        """Whether this rule is about a DAG."""
        return tenant == self.tenant and fnmatchcase(dag, self.dag)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where a DAG file says nothing. The first rule that fits a DAG holds for it."""

    required_role: Role = Role.OPERATOR
    expires_in: timedelta = timedelta(hours=72)
    rules: tuple[PolicyRule, ...] = ()

    @property
    def policy(self) -> Policy:
        """The policy beneath all others."""
        return Policy(required_role=self.required_role, expires_in=self.expires_in)

    def policy_for(self, tenant: str, dag: str) -> Policy:
        """The policy of a checkpoint that says nothing, in this DAG."""
        found = (rule.policy for rule in self.rules if rule.holds_for(tenant, dag))
        return next(found, self.policy)
