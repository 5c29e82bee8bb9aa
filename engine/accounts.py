"""Accounts as people write them: `U012AB`, `os:ana@build-1`, `airflow:prod/ana`. Pure."""

import re

from engine.errors import InvalidAccount
from engine.identity import Identity, IdentityKind, Principal, PrincipalKind

_ELSEWHERE = re.compile(r"(?P<kind>airflow|prefect):(?P<realm>[^\s/:]+)/(?P<subject>\S+)")


def read_account(text: str, *, host: str, home: str | None) -> Identity:
    """The account that a text names.

    `host` is meant where an OS user has none, `home` is the workspace of the bot, None where it
    is not known. Raises `InvalidAccount`, and `InvalidPrincipal` for what names nobody.
    """
    text = text.strip()
    if match := _ELSEWHERE.fullmatch(text):
        return Identity(IdentityKind(match["kind"]), match["realm"], match["subject"])
    principal = Principal.parse(text)
    match principal.kind:
        case PrincipalKind.OS_USER:
            return Identity(IdentityKind.OS, principal.realm or host, principal.subject)
        case PrincipalKind.EMAIL:
            return Identity(IdentityKind.EMAIL, "", principal.subject)
        case PrincipalKind.SLACK_USER if realm := principal.realm or home:
            return Identity(IdentityKind.SLACK, realm, principal.subject)
        case PrincipalKind.SLACK_USER:
            raise InvalidAccount(
                f"which workspace {text} belongs to is not known before the bot has run: "
                f"write T0123ABCD/{text}"
            )
        case PrincipalKind.SLACK_GROUP:
            raise InvalidAccount(f"{text} is a group: name one person")


def written(identity: Identity) -> str:
    """The account as `read_account` reads it."""
    match identity.kind:
        case IdentityKind.SLACK:
            return f"{identity.realm}/{identity.subject}"
        case IdentityKind.OS:
            return f"os:{identity.subject}@{identity.realm}"
        case IdentityKind.EMAIL:
            return identity.subject
        case _:
            return f"{identity.kind}:{identity.realm}/{identity.subject}"
