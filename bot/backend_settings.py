"""One engine elsewhere, as it is configured."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from bot.toml_reader import path_of
from engine import BackendPlan


class SecretKind(StrEnum):
    """What lets us in, by the key of the file that names its variable."""

    PASSWORD = "password_from"  # noqa: S105 (a key, not a password)
    TOKEN = "token_from"  # noqa: S105
    KEY = "key_from"
    AUTH = "auth_from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where the secret for an engine is found; the secret itself is not here."""

    kind: SecretKind
    variable: str  # of the environment
    username: str = ""  # with a password


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSettings:
    """One engine elsewhere, as it is configured. Safe to print: it holds no secret."""

    plan: BackendPlan
    url: str
    login: Login | None  # None: a Prefect server without authentication
    every: timedelta  # how often it is read
    ca_file: Path | None = None  # absolute; None: what the system trusts

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.plan.name

    @property
    def key(self) -> str:
        """The path of its table in the file."""
        return path_of(("backends", self.name))
