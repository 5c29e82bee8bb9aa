"""The configuration: environment and `signoff.toml` in, frozen `Settings` out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import SecretStr, ValidationError

from bot.audit_settings import AuditSettings
from bot.backend_settings import BackendSettings
from bot.config_file import ConfigFile, read_config_file
from bot.environment import Environment, LogLevel
from bot.variables import (
    listen_at,
)
from engine import (
    MOST_TOLD,
    AuditSurface,
    Defaults,
    InvalidSettings,
    LocalMode,
    PolicyRule,
    Role,
    Wanted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Where a card goes when its DAG does not say."""

    default: str | None = None
    by_tenant: Mapping[str, str] = field(default_factory=dict)
    by_dag: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (tenant, pattern)

    def of_dag(self, tenant: str, dag: str) -> str | None:
        """The channel of the first pattern that fits a DAG."""
        fitting = (
            channel
            for (whose, pattern), channel in self.by_dag.items()
            if whose == tenant and fnmatchcase(dag, pattern)
        )
        return next(fitting, None)


_NO_KEY = AuditSettings(key=Path("/nonexistent"), every=timedelta(minutes=5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is configured. Safe to print: secrets are masked."""

    database_url: str = field(repr=False)  # may hold a password
    config_path: Path  # absolute
    config_found: bool  # without a file, grants it once gave are left alone
    bot_token: SecretStr | None
    app_token: SecretStr | None
    signing_secret: SecretStr | None
    slack_api_url: str  # ends with a slash
    channels: Channels
    approval_expires: timedelta
    approver_role: Role
    policies: tuple[PolicyRule, ...] = ()  # of tenants and their DAGs
    local: LocalMode | None
    tick: timedelta
    max_tasks: int = 16  # of one worker, at once
    max_parallel: int = 8  # of one run, where its DAG does not say
    most_notified: int = MOST_TOLD  # by one checkpoint, without its author's word
    wanted_grants: tuple[Wanted, ...]
    log_level: LogLevel
    mirrors: Mapping[AuditSurface, Path] = field(default_factory=dict)  # absolute paths
    dag_folders: tuple[Path, ...] = ()  # absolute; none: DAGs are given as files only
    backends: tuple[BackendSettings, ...] = ()
    wake_token: SecretStr | None = None  # None: nobody can wake us
    wake_at: tuple[str, int] = ("127.0.0.1", 0)  # host and port; 0: any free one
    audit: AuditSettings = _NO_KEY
    sockets: int = 2  # Socket Mode connections of this bot
    slack_pace: float = 1.0  # how many times Slack's published rates this bot takes for itself

    @property
    def secret_variables(self) -> frozenset[str]:
        """The variables, beside Slack's, whose values only the bot itself may know."""
        named = {one.login.variable for one in self.backends if one.login is not None}
        return frozenset({*named, "SIGNOFF_WAKE_TOKEN"})

    @property
    def channel(self) -> str | None:
        """The default channel."""
        return self.channels.default

    @property
    def defaults(self) -> Defaults:
        """What a checkpoint says when its DAG file does not say it."""
        return Defaults(self.approver_role, self.approval_expires, self.policies)

    def channel_for(self, tenant: str, dag: str, wanted: str | None) -> str | None:
        """Where a card goes: the DAG file's word, then per DAG, per tenant, the default."""
        return (
            wanted
            or self.channels.of_dag(tenant, dag)
            or self.channels.by_tenant.get(tenant)
            or self.channels.default
        )


def load_settings() -> Settings:
    """Read the environment and the configuration file.

    Raises `InvalidSettings`, which names every variable and key that is wrong.
    """
    environment, problems = _environment()
    named = os.environ.get("SIGNOFF_CONFIG")
    path = Path(named or "signoff.toml").expanduser().absolute()
    defaults = Defaults() if environment is None else _defaults(environment)
    file, file_problems = read_config_file(path, required=bool(named), defaults=defaults)
    if environment is not None:
        problems += _doubled(_mirrors(environment))
    if environment is None or problems or file_problems:
        raise InvalidSettings("\n".join([*problems, *file_problems]))
    return _settings(environment, path, file)


def _defaults(environment: Environment) -> Defaults:
    return Defaults(
        required_role=environment.APPROVER_RBAC_ROLE,
        expires_in=timedelta(hours=environment.APPROVAL_EXPIRES_H),
    )


def _settings(environment: Environment, path: Path, file: ConfigFile) -> Settings:
    on_sqlite = environment.SIGNOFF_DATABASE_URL.startswith("sqlite")
    is_local = environment.SIGNOFF_LOCAL_MODE and on_sqlite
    defaults = _defaults(environment)
    return Settings(
        database_url=environment.SIGNOFF_DATABASE_URL,
        config_path=path,
        config_found=file.found,
        bot_token=environment.SLACK_BOT_TOKEN,
        app_token=environment.SLACK_APP_TOKEN,
        signing_secret=environment.SLACK_SIGNING_SECRET,
        slack_api_url=environment.SLACK_API_URL,
        channels=Channels(
            default=environment.SIGNOFF_CHANNEL or file.channel,
            by_tenant=file.tenant_channels,
            by_dag=file.dag_channels,
        ),
        approval_expires=defaults.expires_in,
        approver_role=defaults.required_role,
        policies=file.policies,
        local=LocalMode(environment.USER_RBAC_ROLE) if is_local else None,
        tick=timedelta(milliseconds=environment.SCHED_TICK_MS),
        max_tasks=environment.SIGNOFF_MAX_TASKS,
        max_parallel=environment.SIGNOFF_MAX_PARALLEL,
        most_notified=environment.SIGNOFF_MOST_NOTIFIED,
        wanted_grants=file.wanted_grants,
        log_level=environment.SIGNOFF_LOG_LEVEL,
        mirrors=_mirrors(environment),
        dag_folders=file.dag_folders,
        backends=file.backends,
        wake_token=environment.SIGNOFF_WAKE_TOKEN,
        wake_at=listen_at(environment.SIGNOFF_WAKE_LISTEN),
        sockets=environment.SIGNOFF_SOCKETS,
        slack_pace=environment.SIGNOFF_SLACK_PACE,
        audit=_audit(environment),
    )


def _audit(environment: Environment) -> AuditSettings:
    anchor = environment.SIGNOFF_AUDIT_ANCHOR_FILE
    return AuditSettings(
        key=environment.SIGNOFF_AUDIT_KEY.expanduser().absolute(),
        every=timedelta(minutes=environment.SIGNOFF_AUDIT_SIGN_MIN),
        anchor_file=None if anchor is None else anchor.expanduser().absolute(),
        anchor_syslog=environment.SIGNOFF_AUDIT_ANCHOR_SYSLOG,
        anchor_channel=environment.SIGNOFF_AUDIT_ANCHOR_CHANNEL,
    )


_MIRRORS = {
    AuditSurface.CHECKPOINTS: "CHECKPOINTS_PATH",
    AuditSurface.STATE: "STATE_STORE_PATH",
    AuditSurface.EVENTS: "ORCH_EVENTS_PATH",
}


def _mirrors(environment: Environment) -> dict[AuditSurface, Path]:
    named = {surface: getattr(environment, name) for surface, name in _MIRRORS.items()}
    return {
        surface: path.expanduser().absolute() for surface, path in named.items() if path is not None
    }


def _doubled(mirrors: Mapping[AuditSurface, Path]) -> list[str]:
    names: dict[Path, str] = {}
    problems = []
    for surface, path in mirrors.items():
        name = _MIRRORS[surface]
        first = names.setdefault(path, name)
        if first != name:
            problems.append(f"{name}: expected a file of its own, got that of {first}")
    return problems


def _environment() -> tuple[Environment | None, list[str]]:
    try:
        return Environment(), []
    except ValidationError as error:
        wrong = {str(found["loc"][0]): found["input"] for found in error.errors()}
        return None, [_problem(name, got) for name, got in wrong.items()]


def _problem(name: str, got: object) -> str:
    expected = Environment.model_fields[name].description
    # A secret must not reach a terminal or a log, not even a wrong one.
    is_secret = name == "SIGNOFF_WAKE_TOKEN" or (name.startswith("SLACK_") and "URL" not in name)
    shown = "something else" if is_secret else repr(got)
    return f"{name}: expected {expected}, got {shown}"
