"""Signed heads of the audit chain, pure: what is signed, and what a signed head proves.

A chain alone accepts that its end was cut off and its head corrected to match. Whoever holds
a signed head from before can tell: the row it names must be there, with that hash.
Ed25519: https://www.rfc-editor.org/rfc/rfc8032
"""

import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.chain import Broken
from engine.digest import canonical

_PURPOSE = "signoff audit head 1"  # so that a signature made for something else is none of these
_KEY_ID = 16  # hexadecimal characters


class InvalidHead(ValueError):
    """Not a signed head as we write them. The message says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """The end of the chain at some moment. `at` is ISO-8601 in UTC, `signature` hexadecimal."""

    seq: int
    hash: str
    at: str
    key_id: str
    signature: str

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read one line of an anchor. Raises `InvalidHead`."""
        names = cls.__dataclass_fields__
        if not isinstance(value, Mapping) or set(value) != set(names):
            raise InvalidHead(f"it is not an object of {', '.join(names)}")
        if not isinstance(value["seq"], int) or isinstance(value["seq"], bool):
            raise InvalidHead("its seq is no whole number")
        if not all(isinstance(value[name], str) for name in names if name != "seq"):
            raise InvalidHead("one of its fields is no text")
        return cls(**value)

    def as_json(self) -> dict[str, Any]:
        """As it is anchored, one a line."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HeadKey:
    """The private key. Never printed: `repr` shows only its public half's id."""

    _private: Ed25519PrivateKey

    @property
    def public(self) -> "PublicKey":
        """What auditors are given."""
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return PublicKey(raw.hex())

    def sign(self, seq: int, own_hash: str, at: str) -> SignedHead:
        """Sign the end of the chain."""
        key_id = self.public.id
        signature = self._private.sign(_signed(seq, own_hash, at, key_id)).hex()
        return SignedHead(seq=seq, hash=own_hash, at=at, key_id=key_id, signature=signature)

    def __repr__(self) -> str:
        """Nothing secret."""
        return f"HeadKey({self.public.id})"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public key, 64 hexadecimal characters."""

    hex: str

    @property
    def id(self) -> str:
        """A short name for it: the beginning of its SHA-256."""
        return hashlib.sha256(bytes.fromhex(self.hex)).hexdigest()[:_KEY_ID]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `signoff audit key` prints. Raises `InvalidHead`."""
        text = text.strip().lower()
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
        except ValueError as error:
            raise InvalidHead("a public key is 64 hexadecimal characters") from error
        return cls(text)

    def has_signed(self, head: SignedHead) -> bool:
        """Whether the private half of this key signed exactly this head."""
        if head.key_id != self.id:
            return False
        message = _signed(head.seq, head.hash, head.at, head.key_id)
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.hex))
        try:
            public.verify(binascii.unhexlify(head.signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True


def _signed(seq: int, own_hash: str, at: str, key_id: str) -> bytes:
    return canonical(
        {"purpose": _PURPOSE, "seq": seq, "hash": own_hash, "at": at, "key_id": key_id}
    )


def disprove(
    heads: Iterable[SignedHead], keys: Iterable[PublicKey], hashes: Mapping[int, str], rows: int
) -> Broken | None:
    """The first row at which a chain contradicts what was signed of it.

    `hashes` are the hashes of the rows that the heads name, `rows` is how many rows there are.
    """
    by_id = {key.id: key for key in keys}
    for head in sorted(heads, key=lambda head: head.seq):
        key = by_id.get(head.key_id)
        if key is None or not key.has_signed(head):
            which = "by another key" if key is None else "wrongly"
            return Broken(head.seq, f"has a head that was signed {which} ({head.at})")
        if head.seq > rows:
            return Broken(
                rows + 1, f"is missing: at {head.at} the trail reached row {head.seq}, as signed"
            )
        if hashes.get(head.seq) != head.hash:
            return Broken(head.seq, f"is not the row that was signed at {head.at}")
    return None
