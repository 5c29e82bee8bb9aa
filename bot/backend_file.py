"""`[backends.NAME]` of `signoff.toml`: other engines whose gates are asked about here.

Secrets are not in the file: it names the variables that hold them, which are read when an engine
is connected to (`bot.backends`), so that other commands do without.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bot.backend_settings import BackendSettings, Login, SecretKind
from bot.rule_file import RULE_KEYS, RuleReader, known_keys
from bot.toml_reader import TomlReader, Where, did_you_mean
from engine import BackendKind, BackendPlan, Policy, Principal, PrincipalKind

# Every key there is, for the reader and for the page that documents them.
OWN_KEYS = ("engine", "url", "insecure_http", "ca_file", "poll_s", "users", "gates")
LOGIN_KEYS = {
    BackendKind.AIRFLOW: ("username", "password_from", "token_from"),
    BackendKind.PREFECT: ("key_from", "auth_from"),
}

DEFAULT_POLL_S = 3.0
_POLL_S = (1, 300)

_USERNAME_IS = "the name of a user of Airflow"
_LOGIN_IS = {
    BackendKind.AIRFLOW: "either username and password_from, or token_from",
    BackendKind.PREFECT: "either key_from or auth_from, or neither",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_TAKEN = "embedded"  # the engine that Signoff brings along
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,79}")  # capitals: a secret pasted here is seldom that


def read_backends(
    reader: TomlReader, value: object, defaults: Policy
) -> tuple[BackendSettings, ...]:
    """Every backend of the file, in its order. What is wrong is noted with the reader."""
    tables = reader.table(value, ("backends",))
    read = (_Backend(reader, name, table).settings(defaults) for name, table in tables.items())
    return tuple(settings for settings in read if settings is not None)


class _Backend:
    """Reads the table of one backend."""

    def __init__(self, reader: TomlReader, name: str, value: object) -> None:
        self.reader = reader
        self.name = name
        self.where = ("backends", name)
        self.value = value

    def settings(self, defaults: Policy) -> BackendSettings | None:
        """The backend; None when what is wrong leaves nothing of use."""
        self._check_name()
        kind = self._engine(self.value)
        engines = tuple(LOGIN_KEYS) if kind is None else (kind,)
        logins = (key for engine in engines for key in LOGIN_KEYS[engine])
        known = (*OWN_KEYS, *RULE_KEYS, *logins)
        table = known_keys(self.reader, self.value, self.where, known)
        url, every, ca_file = self._url(table), self._every(table), self._ca_file(table)
        rules = tuple(RuleReader(self.reader, self.where).rules(table, defaults))
        users = self._users(table)
        if kind is None:
            return None
        return BackendSettings(
            plan=BackendPlan(name=self.name, kind=kind, rules=rules, users=users),
            url=url,
            login=self._login(table, kind),
            every=every,
            ca_file=ca_file,
        )

    def _check_name(self) -> None:
        if not _NAME.fullmatch(self.name):
            self._wrong((), "expected a name of letters, digits, _ and -, at most 40")
        elif self.name == _TAKEN:
            self._wrong((), "this name is taken by Signoff's own engine; choose another")

    def _engine(self, value: object) -> BackendKind | None:
        if not isinstance(value, Mapping):
            return None  # told when the table is read
        named = value.get("engine")
        words = tuple(BackendKind)
        if named in words:
            return BackendKind(named)
        near = did_you_mean(named, words) if isinstance(named, str) else ""
        got = "nothing" if named is None else repr(named)
        self._wrong(("engine",), f"expected one of {', '.join(words)}, got {got}{near}")
        return None

    def _url(self, table: Mapping[str, Any]) -> str:
        """The address, without a slash at its end. Never repeated where it is wrong."""
        value = table.get("url")
        address = _split(value) if isinstance(value, str) else None
        if address is None or address.scheme not in ("http", "https") or not address.hostname:
            self._wrong(("url",), 'expected an address such as "https://airflow.example.com"')
            return ""
        if address.username is not None or address.query or address.fragment:
            told = "expected an address alone, without a user, a password, ? or #"
            self._wrong(("url",), told)
        insecure = self.reader.flag(table, self.where, "insecure_http")
        if address.scheme == "http" and not insecure and not _is_loopback(address.hostname):
            told = (
                "credentials and answers would be readable on their way: use https, or say "
                "insecure_http = true where the network is your own"
            )
            self._wrong(("url",), told)
        return str(value).rstrip("/")

    def _login(self, table: Mapping[str, Any], engine: BackendKind) -> Login | None:
        named = [kind for kind in SecretKind if kind in table]
        if len(named) > 1 or (engine is BackendKind.AIRFLOW and not named):
            self._wrong((), f"expected {_LOGIN_IS[engine]}")
            return None
        username = self.reader.text(table, self.where, "username", _USERNAME_IS)
        if not named:
            return None
        (kind,) = named
        if kind is SecretKind.PASSWORD and username is None:
            self._wrong(("username",), f"expected {_USERNAME_IS}, got nothing")
        variable = self._variable(table, kind)
        if variable is None:
            return None
        return Login(kind=kind, variable=variable, username=username or "")

    def _variable(self, table: Mapping[str, Any], kind: SecretKind) -> str | None:
        value = table[kind]
        if isinstance(value, str) and _VARIABLE.fullmatch(value):
            return value
        # What stands there may be the secret itself: it is not repeated.
        told = (
            'expected the name of an environment variable in capitals, such as "AIRFLOW_PASSWORD"'
        )
        self._wrong((kind,), told)
        return None

    def _every(self, table: Mapping[str, Any]) -> timedelta:
        value = table.get("poll_s", DEFAULT_POLL_S)
        least, most = _POLL_S
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and least <= value <= most:
            return timedelta(seconds=value)
        self._wrong(("poll_s",), f"expected seconds from {least} to {most}, got {value!r}")
        return timedelta(seconds=DEFAULT_POLL_S)

    def _ca_file(self, table: Mapping[str, Any]) -> Path | None:
        named = self.reader.text(table, self.where, "ca_file", "the path of a PEM file")
        return None if named is None else self.reader.home / Path(named).expanduser()

    def _users(self, table: Mapping[str, Any]) -> Mapping[str, Principal]:
        where = (*self.where, "users")
        people: dict[str, Principal] = {}
        for account, value in self.reader.table(table.get("users", {}), where).items():
            if not isinstance(value, str):
                self._wrong(("users", account), f"expected a user or an e-mail, got {value!r}")
                continue
            whom = self.reader.principal(value, (*where, account))
            if whom is not None and whom.kind is PrincipalKind.SLACK_GROUP:
                self._wrong(("users", account), "expected one person, got a group")
            elif whom is not None:
                people[account] = whom
        return MappingProxyType(people)

    def _wrong(self, below: Where, message: str) -> None:
        self.reader.wrong((*self.where, *below), message)


def _split(url: str) -> SplitResult | None:
    try:
        address = urlsplit(url)
        _ = address.port  # raises when it is none
    except ValueError:
        return None
    return None if re.search(r"[\s\x00-\x1f\x7f]", url) else address


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
