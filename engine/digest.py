"""Canonical JSON (RFC 8785) and the digests made of it."""

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

SHORT = 12


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one byte string that stands for this JSON object, whatever made it.

    Raises `rfc8785.CanonicalizationError` for values JSON cannot carry exactly
    (NaN, integers past 2**53).
    """
    return rfc8785.dumps(dict(value))


def digest(value: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal characters."""
    return hashlib.sha256(canonical(value)).hexdigest()


def short(full: str) -> str:
    """The first characters of a digest: enough for a person to compare."""
    return full[:SHORT]
