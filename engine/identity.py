"""Who somebody is: accounts, the principals that rules name, and what a surface vouches for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType, Self

from engine.errors import InvalidPrincipal

PersonId = NewType("PersonId", str)
DelegationId = NewType("DelegationId", str)


class Role(IntEnum):
    """What a person may do in a tenant. A higher role includes the lower ones."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        """The name as people write it: `Viewer`, `Operator`, `Admin`."""
        return self.name.capitalize()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The role of this name, in any letter case; None when there is none."""
        return cls.__members__.get(text.strip().upper())


class IdentityKind(StrEnum):
    """Where an identity comes from."""

    SLACK = "slack"  # realm: enterprise or team id; subject: user id
    OS = "os"  # realm: host name; subject: user name
    EMAIL = "email"  # realm: empty; subject: the address, lower case
    AIRFLOW = "airflow"  # realm: the backend's name; subject: the user name
    PREFECT = "prefect"  # as for Airflow
    SCHEDULE = "schedule"  # realm: host or backend; subject: the DAG's name. Nobody


@dataclass(frozen=True, slots=True)
class Identity:
    """One of a person's ids. Equal identities are the same account."""

    kind: IdentityKind
    realm: str
    subject: str

    def __str__(self) -> str:
        return ":".join(part for part in (self.kind.value, self.realm, self.subject) if part)


class PrincipalKind(StrEnum):
    """Whom a grant or an approver list can name."""

    SLACK_USER = "slack_user"
    SLACK_GROUP = "slack_group"
    EMAIL = "email"
    OS_USER = "os_user"


_SLACK_ID = re.compile(r"(?:(?P<realm>[TE][A-Z0-9]{2,})/)?(?P<subject>[UWS][A-Z0-9]{2,})")


_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


_OS_USER = re.compile(r"os:(?P<subject>[^\s:@/]+)(?:@(?P<realm>[^\s@]+))?")


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """Whom a rule names: a Slack user, a user group, an e-mail or an OS user.

    An empty realm means "here": the workspace the bot is installed in, or any
    host that opens this database.
    """

    kind: PrincipalKind
    subject: str
    realm: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `U012AB`, `T012/U012AB`, `S012AB`, `ana@example.com`, `os:ana` or `os:ana@host`.

        Raises `InvalidPrincipal`.
        """
        text = text.strip()
        if match := _OS_USER.fullmatch(text):
            return cls(PrincipalKind.OS_USER, match["subject"], match["realm"] or "")
        if match := _SLACK_ID.fullmatch(text):
            is_group = match["subject"].startswith("S")
            kind = PrincipalKind.SLACK_GROUP if is_group else PrincipalKind.SLACK_USER
            return cls(kind, match["subject"], match["realm"] or "")
        if _EMAIL.fullmatch(text):
            return cls(PrincipalKind.EMAIL, text.lower())
        raise InvalidPrincipal(text)

    def __str__(self) -> str:
        if self.kind is PrincipalKind.OS_USER:
            return f"os:{self.subject}@{self.realm}" if self.realm else f"os:{self.subject}"
        return f"{self.realm}/{self.subject}" if self.realm else self.subject


class Standing(StrEnum):
    """What the surface says an account is."""

    MEMBER = "member"
    GUEST = "guest"
    EXTERNAL = "external"  # of another workspace, through a shared channel
    BOT = "bot"
    DEACTIVATED = "deactivated"


class Surface(StrEnum):
    """Where an action came in."""

    SLACK = "slack"
    CLI = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a surface vouches for about whoever acts. Roles are not among it."""

    identity: Identity
    surface: Surface
    name: str
    standing: Standing = Standing.MEMBER
    at_home: bool = True  # of the bot's own workspace, or on this host
    email: str | None = None
    groups: frozenset[str] = frozenset()
    # Seconds since the surface said who is in each of them; a cached word is no younger than that.
    group_ages: Mapping[str, float] = field(default_factory=dict, hash=False, compare=False)

    def age_of(self, principal: Principal | None) -> str:
        """`, as of 12 s ago` for a group whose members were looked up then; else nothing."""
        if principal is None or principal.kind is not PrincipalKind.SLACK_GROUP:
            return ""
        age = self.group_ages.get(principal.subject)
        return "" if age is None else f", as of {age:.0f} s ago"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """The highest role found for a person in a tenant, and where it came from."""

    role: Role
    source: str  # for example "signoff.toml: S0RELEASE", "granted by os:root", "USER_RBAC_ROLE"
    by_id: bool = False  # granted to this very account, not through a group or an e-mail
    principal: Principal | None = None  # whom the grant names; None where it is no grant
    grant_number: int = field(default=0, compare=False)
    granted_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A caller as the deciding transaction found them."""

    person_id: PersonId
    caller: Caller
    entitlement: Entitlement | None
    kinds: frozenset[tuple[IdentityKind, str]] = frozenset()  # (kind, realm) of all identities
    accounts: frozenset[Identity] = frozenset()  # all that are known to be theirs
    formerly: frozenset[PersonId] = frozenset()  # other persons, since found to be this one
    disabled_at: datetime | None = None  # an Admin stopped them: they decide nothing, anywhere
    lent: tuple["Lending", ...] = ()  # delegations to them, as they stand now

    def is_person(self, person_id: PersonId) -> bool:
        """Whether this is the person meant, by their id of today or an earlier one."""
        return person_id == self.person_id or person_id in self.formerly


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One person lends another their place on approver lists, from then until then (UTC)."""

    id: DelegationId
    delegator: PersonId
    delegate: PersonId
    starts_at: datetime
    ends_at: datetime  # as it was made; it ends with this instant
    reason: str = ""
    ended_at: datetime | None = None  # by somebody, before its time

    @property
    def over_at(self) -> datetime:
        """When it ends, or did."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)

    def holds_at(self, at: datetime) -> bool:
        """Whether it lends anything at this instant."""
        return self.starts_at <= at < self.over_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Lending:
    """A delegation as the deciding transaction found it."""

    delegation: Delegation
    name: str  # what the delegator is called
    delegator: Candidate | None  # looked up again just now; None where nobody could
    at: datetime  # the instant it is judged at
