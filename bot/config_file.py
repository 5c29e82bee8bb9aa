"""`signoff.toml`: who holds which role where, where cards go, and where DAGs are."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine import InvalidPrincipal, Principal, Role, Wanted

MAX_BYTES = 1_000_000
"""A configuration larger than this is something else."""

# Every key there is, for the reader and for the page that documents them.
TOP_KEYS = ("slack", "dags", "tenants")
SLACK_KEYS = ("channel",)
DAGS_KEYS = ("folder",)
TENANT_KEYS = ("channel", "roles", "dags")
ROLE_KEYS = ("admin", "operator", "viewer")
DAG_KEYS = ("channel",)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TENANT = re.compile(r"(?!\s)[^\x00-\x1f\x7f]{1,80}(?<!\s)")
_CHANNEL = re.compile(r"#?[^\s#@<>,|&]{1,80}")

_CHANNEL_IS = 'a channel such as "#approvals" or "C0123ABCD"'


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What the file says. An absent file says nothing."""

    found: bool = False
    channel: str | None = None
    dag_folders: tuple[Path, ...] = ()  # absolute
    wanted_grants: tuple[Wanted, ...] = ()
    tenant_channels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dag_channels: Mapping[tuple[str, str], str] = field(
        default_factory=lambda: MappingProxyType({})
    )


def read_config_file(path: Path, *, required: bool) -> tuple[ConfigFile, list[str]]:
    """The file as a value, and every problem it has, each naming its key.

    A file that is not there is a problem only when `required`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ConfigFile(), [f"SIGNOFF_CONFIG: there is no file {path}"] if required else []
    except OSError as error:
        return ConfigFile(), [f"{path}: cannot be read: {error.strerror}"]
    if len(content) > MAX_BYTES:
        return ConfigFile(), [f"{path}: is larger than {MAX_BYTES:,} bytes"]
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return ConfigFile(), [f"{path}: is not TOML: {error}"]
    reader = _Reader(path)
    return reader.document(document), reader.problems


def is_channel(text: str) -> bool:
    """Whether this could be a Slack channel's name or id."""
    return _CHANNEL.fullmatch(text) is not None


class _Reader:
    """Reads one document and notes everything wrong with it."""

    def __init__(self, path: Path) -> None:
        self.source = path.name
        self.home = path.parent
        self.problems: list[str] = []

    def document(self, document: Mapping[str, Any]) -> ConfigFile:
        top = self.table(document, (), TOP_KEYS)
        slack = self.table(top.get("slack", {}), ("slack",), SLACK_KEYS)
        tenants = {
            name: self.table(value, ("tenants", name), TENANT_KEYS)
            for name, value in self.table(top.get("tenants", {}), ("tenants",)).items()
            if self.is_tenant(name)
        }
        return ConfigFile(
            found=True,
            channel=self.channel(slack, ("slack",)),
            dag_folders=self.folders(self.table(top.get("dags", {}), ("dags",), DAGS_KEYS)),
            wanted_grants=tuple(
                want for name, table in tenants.items() for want in self.grants(name, table)
            ),
            tenant_channels=MappingProxyType(dict(self.tenant_channels(tenants))),
            dag_channels=MappingProxyType(dict(self.dag_channels(tenants))),
        )

    def folders(self, table: Mapping[str, Any]) -> tuple[Path, ...]:
        """One folder or several, from the folder of this file."""
        value = table.get("folder", [])
        named = [value] if isinstance(value, str) else value
        texts = self.texts(named, ("dags", "folder"), 'a folder such as "dags", or a list of them')
        if not all(text.strip() for text in texts):
            self.wrong(("dags", "folder"), "expected the name of a folder, got nothing")
            return ()
        folders = (self.home / Path(text).expanduser() for text in texts)
        return tuple(dict.fromkeys(folders))

    def tenant_channels(self, tenants: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name, table in tenants.items():
            if channel := self.channel(table, ("tenants", name)):
                yield name, channel

    def dag_channels(self, tenants: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
        for tenant, table in tenants.items():
            where = ("tenants", tenant, "dags")
            for dag, value in self.table(table.get("dags", {}), where).items():
                entry = self.table(value, (*where, dag), DAG_KEYS)
                if channel := self.channel(entry, (*where, dag)):
                    yield (tenant, dag), channel

    def grants(self, tenant: str, table: Mapping[str, Any]) -> Iterator[Wanted]:
        where = ("tenants", tenant, "roles")
        roles = self.table(table.get("roles", {}), where, ROLE_KEYS)
        named: dict[Principal, str] = {}
        for key in (key for key in ROLE_KEYS if key in roles):
            for text in self.texts(roles[key], (*where, key), "a list of users, groups or e-mails"):
                principal = self.principal(text, (*where, key))
                if principal is None:
                    continue
                if principal in named:
                    told = f"{text} is named under {named[principal]!r} already; name it once"
                    self.wrong((*where, key), told)
                    continue
                named[principal] = key
                yield Wanted(principal, tenant, Role[key.upper()])

    def principal(self, text: str, where: tuple[str, ...]) -> Principal | None:
        try:
            return Principal.parse(text)
        except InvalidPrincipal as nobody:
            self.wrong(where, str(nobody))
            return None

    def channel(self, table: Mapping[str, Any], where: tuple[str, ...]) -> str | None:
        value = table.get("channel")
        if value is None or (isinstance(value, str) and is_channel(value)):
            return value
        self.wrong((*where, "channel"), f"expected {_CHANNEL_IS}, got {value!r}")
        return None

    def texts(self, value: object, where: tuple[str, ...], expected: str) -> list[str]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.wrong(where, f"expected {expected}, got {value!r}")
        return []

    def is_tenant(self, name: str) -> bool:
        if _TENANT.fullmatch(name):
            return True
        self.wrong(("tenants", name), "expected a tenant name of at most 80 characters")
        return False

    def table(
        self, value: object, where: tuple[str, ...], known: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """The entries of a table whose keys are known; `known=None` takes any key."""
        if not isinstance(value, dict):
            self.wrong(where, f"expected a table, got {value!r}")
            return {}
        for key in value:
            if known is not None and key not in known:
                hint = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
                self.wrong((*where, key), f"unknown key{hint}")
        return {key: entry for key, entry in value.items() if known is None or key in known}

    def wrong(self, where: tuple[str, ...], message: str) -> None:
        self.problems.append(f"{self.source}: {'.'.join(map(_key, where))}: {message}")


def did_you_mean(word: str, words: tuple[str, ...]) -> str:
    """`; did you mean 'channel'?`, or nothing when no word comes near."""
    lowered = {known.lower(): known for known in words}
    near = difflib.get_close_matches(word.lower(), lowered, n=1)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def _key(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else json.dumps(part)
