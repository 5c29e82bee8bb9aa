"""Whether the configuration names anybody by e-mail address; only then may Slack be asked."""

from collections.abc import Iterator

from bot.config import Settings
from engine import Principal, PrincipalKind


def names_by_email(settings: Settings) -> bool:
    """Whether a grant, an approver list or the accounts of a backend hold an address.

    DAG files are not looked at: who names approvers by address only there says `--email`.
    """
    return any(who.kind is PrincipalKind.EMAIL for who in _named(settings))


def _named(settings: Settings) -> Iterator[Principal]:
    for want in settings.wanted_grants:
        yield want.principal
    for rule in settings.policies:
        yield from rule.policy.approvers
    for backend in settings.backends:
        yield from backend.plan.users.values()
        for gates in backend.plan.rules:
            yield from gates.policy.approvers
