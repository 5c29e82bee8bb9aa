"""What secrets look like that nobody told us of: tokens, keys, passwords in an address."""

import re
from dataclasses import dataclass

LONGEST = 16 * 1024  # bytes; no token or key is longer
_BASE64 = rb"[A-Za-z0-9+/=]"
_BREAK = rb"(?:\s|\\[nr])"  # keys come as a line of JSON, too
# In the middle of a word nothing begins; but `\n` may have been spelt out before it.
_BEGINS = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of secret.

    It begins with one of `words`. From there `pattern` finds it: the group `secret`, or all
    that is matched. `stop` is the first thing after a word that no match goes past: whatever
    comes later changes nothing. Neither looks further than `reach` bytes.
    """

    words: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    stop: re.Pattern[bytes]
    reach: int = LONGEST


def _shape(words: str, pattern: bytes, stop: bytes, reach: int = LONGEST) -> Shape:
    return Shape(
        tuple(word.encode() for word in words.split("|")),
        re.compile(pattern),
        re.compile(stop),
        reach,
    )


SHAPES = (
    # Slack
    _shape(
        "xox|xapp-",
        _BEGINS + rb"(?:xapp|xox[a-z](?:\.xox[a-z])?)-[A-Za-z0-9-]{8,}+",
        rb"[^A-Za-z0-9.-]",
    ),
    # GitHub
    _shape(
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        _BEGINS + rb"(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,}+",
        rb"[^A-Za-z0-9_]",
    ),
    # AWS: the name of a key, and the key itself beside its own name
    _shape("AKIA|ASIA", _BEGINS + rb"(?:AKIA|ASIA)[A-Z0-9]{16}", rb"[^A-Z0-9]", 20),
    _shape(
        "ecret_access_key|ECRET_ACCESS_KEY|ecretAccessKey",
        rb"""(?i:ecret_?access_?key)["']?[ \t]{0,3}[:=][ \t]{0,3}["']?"""
        rb"""(?P<secret>[A-Za-z0-9/+]{40})""",
        rb"""[^A-Za-z0-9/+"':= \t]""",
        70,
    ),
    # JSON Web Tokens
    _shape(
        "eyJ",
        _BEGINS + rb"(?<!\.)eyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{6,}+(?:\.[A-Za-z0-9_-]*+)*+",
        rb"[^A-Za-z0-9_.-]",
    ),
    # Authorization: Bearer …
    _shape(
        "uthorization|UTHORIZATION",
        rb"""\w{12}["']?[ \t]{0,4}[:=,][ \t]{0,4}["']?"""
        rb"""(?i:bearer|basic|digest|token)[ \t]{1,4}(?P<secret>[!#-&(-~]++)""",
        rb"[^\t -~]",
    ),
    # scheme://user:password@host
    _shape(
        "://",
        rb"""://[^\s/:@"'<>]{0,128}:(?P<secret>[^\s/"'<>]{1,256})(?=@)""",
        rb"""[\s/"'<>]""",
        400,
    ),
    # The body of a private key; its last lines may be short, if its end is there
    _shape(
        "|".join(
            f"-----BEGIN {kind}PRIVATE KEY"
            for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "PGP ")
        ),
        rb"-----BEGIN [A-Z ]{0,10}PRIVATE KEY(?: BLOCK)?-----(?P<secret>"
        + rb"(?:%b++[A-Z][A-Za-z-]{1,30}: [A-Za-z0-9+/=:,.() -]{0,200})*+" % _BREAK
        + rb"(?:%b++%b{40,}+)*+" % (_BREAK, _BASE64)
        + rb"(?:(?:%b++%b++){1,2}(?=%b*+-----END))?)" % (_BREAK, _BASE64, _BREAK),
        rb"-----END|[^A-Za-z0-9+/=:,.()\s\\-]",
    ),
)
