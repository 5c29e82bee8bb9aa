"""The variables of the environment: each with its type, its default and what is expected of it."""

from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.audit_settings import default_key_path, syslog
from bot.variables import (
    SHORTEST_TOKEN,
    address,
    bearer,
    channel,
    deciding,
    role_of,
    starts,
    upper,
    web_address,
)
from engine import MOST_TOLD, Role

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_LONGEST_H = 365 * 24
_LONGEST_SIGN_MIN = 24 * 60


def default_database_url() -> str:
    """An SQLite file in the user's own data folder."""
    folder = platformdirs.user_data_path("signoff", appauthor=False)
    return f"sqlite:///{folder / 'signoff.sqlite'}"


class Environment(BaseSettings):
    """The variables, each under its own name. `description` says what is expected."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    SIGNOFF_DATABASE_URL: str = Field(
        default_factory=default_database_url, description="sqlite:///PATH or postgresql://…"
    )
    SIGNOFF_CONFIG: Path = Field(Path("signoff.toml"), description="a path")
    SLACK_BOT_TOKEN: Annotated[SecretStr, starts("xoxb-", "xoxe.xoxb-")] | None = Field(
        None, description="a bot token (xoxb-…)"
    )
    SLACK_APP_TOKEN: Annotated[SecretStr, starts("xapp-")] | None = Field(
        None, description="an app-level token (xapp-…)"
    )
    SLACK_SIGNING_SECRET: SecretStr | None = Field(None, description="the signing secret")
    SLACK_API_URL: Annotated[str, AfterValidator(web_address)] = Field(
        "https://slack.com/api/", description="a web address"
    )
    SIGNOFF_CHANNEL: Annotated[str, AfterValidator(channel)] | None = Field(
        None, description="a channel such as #approvals or C0123ABCD"
    )
    APPROVAL_EXPIRES_H: float = Field(
        72, gt=0, le=_LONGEST_H, description=f"hours above 0, at most {_LONGEST_H}"
    )
    APPROVER_RBAC_ROLE: Annotated[Role, BeforeValidator(role_of), AfterValidator(deciding)] = Field(
        Role.OPERATOR, description="Operator or Admin"
    )
    USER_RBAC_ROLE: Annotated[Role, BeforeValidator(role_of)] = Field(
        Role.VIEWER, description="Viewer, Operator or Admin"
    )
    SIGNOFF_LOCAL_MODE: bool = Field(False, description="true or false")
    SCHED_TICK_MS: int = Field(
        1000, ge=50, le=60_000, description="whole milliseconds from 50 to 60000"
    )
    SIGNOFF_MAX_TASKS: int = Field(16, ge=1, le=1_000, description="a whole number from 1 to 1000")
    SIGNOFF_MAX_PARALLEL: int = Field(
        8, ge=1, le=1_000, description="a whole number from 1 to 1000"
    )
    SIGNOFF_MOST_NOTIFIED: int = Field(
        MOST_TOLD, ge=0, le=1_000, description="a whole number from 0 to 1000"
    )
    CHECKPOINTS_PATH: Path | None = Field(None, description="a path")
    STATE_STORE_PATH: Path | None = Field(None, description="a path")
    ORCH_EVENTS_PATH: Path | None = Field(None, description="a path")
    SIGNOFF_WAKE_TOKEN: Annotated[SecretStr, AfterValidator(bearer)] | None = Field(
        None, description=f"a secret of at least {SHORTEST_TOKEN} characters, without spaces"
    )
    SIGNOFF_WAKE_LISTEN: Annotated[str, AfterValidator(address)] = Field(
        "127.0.0.1:8791", description="HOST:PORT"
    )
    SIGNOFF_AUDIT_KEY: Path = Field(default_factory=default_key_path, description="a path")
    SIGNOFF_AUDIT_SIGN_MIN: float = Field(
        5, gt=0, le=_LONGEST_SIGN_MIN, description="minutes above 0, at most 1440"
    )
    SIGNOFF_AUDIT_ANCHOR_FILE: Path | None = Field(None, description="a path")
    SIGNOFF_AUDIT_ANCHOR_SYSLOG: Annotated[str, AfterValidator(syslog)] | None = Field(
        None, description="/dev/log, udp://HOST:PORT or tcp://HOST:PORT"
    )
    SIGNOFF_AUDIT_ANCHOR_CHANNEL: Annotated[str, AfterValidator(channel)] | None = Field(
        None, description="a channel such as #audit or C0123ABCD"
    )
    SIGNOFF_SOCKETS: int = Field(2, ge=2, le=10, description="a whole number from 2 to 10")
    SIGNOFF_SLACK_PACE: float = Field(1, ge=0.05, le=100, description="a number from 0.05 to 100")
    SIGNOFF_LOG_LEVEL: Annotated[LogLevel, BeforeValidator(upper)] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
