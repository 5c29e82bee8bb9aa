"""The file that holds the key audit heads are signed with; apart from the database."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from engine.errors import InvalidSettings
from engine.heads import HeadKey


def make_head_key(path: Path) -> HeadKey:
    """Make a key in a new file that only its owner may read. Raises `OSError`, if it is there too.

    PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` makes it.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    return HeadKey(private)


def load_head_key(path: Path) -> HeadKey | None:
    """The key; None when there is no such file.

    Raises `InvalidSettings` when it cannot be read, is no Ed25519 key, or others may read it.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            pem = stream.read(16_384)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidSettings(f"the audit key {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidSettings(f"others may read the audit key {path}: chmod 600 {path}")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidSettings(f"{path} holds no key in PEM without a password") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidSettings(f"{path} holds a key of another kind than Ed25519")
    return HeadKey(private)
