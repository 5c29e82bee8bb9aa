"""What the variables of the environment may hold. A `ValueError` says that one may not."""

import re

from pydantic import AfterValidator, SecretStr

from bot.toml_reader import is_channel
from engine import Role

SHORTEST_TOKEN = 16
"""The characters of a token that nobody guesses."""

_LAST_PORT = 65_535
_PORT = re.compile(r"[0-9]{1,5}")
_BEARER = re.compile(rf"[\x21-\x7e]{{{SHORTEST_TOKEN},}}")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")


def role_of(text: object) -> object:
    """The role of a name."""
    role = Role.parse(text) if isinstance(text, str) else text
    if role is None:
        raise ValueError("no such role")
    return role


def deciding(role: Role) -> Role:
    """A role that may decide."""
    if role is Role.VIEWER:
        raise ValueError("Viewers decide nothing")
    return role


def starts(*prefixes: str) -> AfterValidator:
    """A check that a secret begins with one of these."""

    def check(secret: SecretStr) -> SecretStr:
        if not secret.get_secret_value().startswith(prefixes):
            raise ValueError("another kind of token")
        return secret

    return AfterValidator(check)


def upper(text: object) -> object:
    """Text in capitals."""
    return text.upper() if isinstance(text, str) else text


def web_address(text: str) -> str:
    """An address that ends with a slash."""
    if not _URL.fullmatch(text):
        raise ValueError("not a web address")
    return text if text.endswith("/") else f"{text}/"


def bearer(secret: SecretStr) -> SecretStr:
    """A secret that cannot be guessed, and that a header can carry."""
    if not _BEARER.fullmatch(secret.get_secret_value()):
        raise ValueError("too short to be kept secret, or not for a header")
    return secret


def address(text: str) -> str:
    """Text that `listen_at` can read."""
    listen_at(text)
    return text


def listen_at(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8791` or `[::1]:8791`."""
    host, _, port = text.rpartition(":")
    if not host or not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise ValueError("not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def channel(text: str) -> str:
    """A channel's name or id."""
    if not is_channel(text):
        raise ValueError("not a channel")
    return text
