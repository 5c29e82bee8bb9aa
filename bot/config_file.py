"""`signoff.toml`: who holds which role where, where cards go, and where DAGs are."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.backend_file import read_backends
from bot.backend_settings import BackendSettings
from bot.toml_reader import TomlReader, Where, path_of
from engine import POLICY_KEYS, Defaults, Policy, PolicyRule, Principal, Role, Wanted, read_policy

MAX_BYTES = 1_000_000
"""A configuration larger than this is something else."""

# Every key there is, for the reader and for the page that documents them.
TOP_KEYS = ("slack", "dags", "tenants", "backends")
SLACK_KEYS = ("channel",)
DAGS_KEYS = ("folder",)
TENANT_KEYS = ("channel", "roles", "policy", "dags")
ROLE_KEYS = ("admin", "operator", "viewer")
DAG_KEYS = ("channel", "policy")

_Table = Mapping[str, Any]


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
    policies: tuple[PolicyRule, ...] = ()  # the first that fits a DAG holds
    backends: tuple[BackendSettings, ...] = ()


def read_config_file(
    path: Path, *, required: bool, defaults: Defaults
) -> tuple[ConfigFile, list[str]]:
    """The file as a value, and every problem it has, each naming its key.

    A file that is not there is a problem only when `required`. `defaults` is what holds for
    checkpoints and gates when the file does not say.
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
    return reader.document(document, defaults), reader.problems


class _Reader(TomlReader):
    """Reads one document and notes everything wrong with it."""

    def document(self, document: Mapping[str, Any], defaults: Defaults) -> ConfigFile:
        top = self.table(document, (), TOP_KEYS)
        slack = self.table(top.get("slack", {}), ("slack",), SLACK_KEYS)
        tenants = {
            name: self.table(value, ("tenants", name), TENANT_KEYS)
            for name, value in self.table(top.get("tenants", {}), ("tenants",)).items()
            if self.is_tenant(name)
        }
        dags = {name: dict(self.dags(name, table)) for name, table in tenants.items()}
        return ConfigFile(
            found=True,
            channel=self.channel(slack, ("slack",)),
            dag_folders=self.folders(self.table(top.get("dags", {}), ("dags",), DAGS_KEYS)),
            wanted_grants=tuple(
                want for name, table in tenants.items() for want in self.grants(name, table)
            ),
            tenant_channels=MappingProxyType(dict(self.tenant_channels(tenants))),
            dag_channels=MappingProxyType(dict(self.dag_channels(dags))),
            policies=tuple(
                rule
                for name, table in tenants.items()
                for rule in self.policies(name, table, dags[name], defaults.policy)
            ),
            backends=read_backends(self, top.get("backends", {}), defaults.policy),
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

    def dags(self, tenant: str, table: Mapping[str, Any]) -> Iterator[tuple[str, _Table]]:
        where = ("tenants", tenant, "dags")
        for dag, value in self.table(table.get("dags", {}), where).items():
            yield dag, self.table(value, (*where, dag), DAG_KEYS)

    def dag_channels(
        self, dags: Mapping[str, Mapping[str, _Table]]
    ) -> Iterator[tuple[tuple[str, str], str]]:
        for tenant, tables in dags.items():
            for dag, entry in tables.items():
                if channel := self.channel(entry, ("tenants", tenant, "dags", dag)):
                    yield (tenant, dag), channel

    def policies(
        self, tenant: str, table: _Table, dags: Mapping[str, _Table], beneath: Policy
    ) -> Iterator[PolicyRule]:
        """The rules of one tenant: those of its DAGs, in order, then its own."""
        own = self.policy(table, ("tenants", tenant), beneath)
        for dag, entry in dags.items():
            if "policy" in entry:
                policy = self.policy(entry, ("tenants", tenant, "dags", dag), own)
                yield PolicyRule(tenant, dag, policy)
        if "policy" in table:
            yield PolicyRule(tenant, "*", own)

    def policy(self, table: _Table, where: Where, base: Policy) -> Policy:
        """The policy that a table says; what it does not say is as in `base`."""
        where = (*where, "policy")
        keys = self.table(table.get("policy", {}), where, POLICY_KEYS)
        policy, problems = read_policy(keys, base, path_of(where))
        self.problems += [f"{self.source}: {problem}" for problem in problems]
        return policy

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
