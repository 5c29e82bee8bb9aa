"""Taking secrets out of what tasks print and of what is said about them."""

import base64
import json
import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus

from engine.dag import Dag, Shell, Task
from engine.model import JsonObject
from engine.tasks.shapes import SHAPES, Shape

MARK = "[redacted]"
SHORTEST = 6  # characters: a shorter value would take half of every text with it

_MARK = MARK.encode()
_LOOKS_BACK = 2  # bytes that shapes look at before their first
_BEGINNINGS = frozenset(
    word[:size] for shape in SHAPES for word in shape.words for size in range(1, len(word))
)
_LONGEST_BEGINNING = max(map(len, _BEGINNINGS))
_Span = tuple[int, int]
_Found = tuple[int, int, int]  # where the shape begins, and the span of the secret in it


class Redactor:
    """Puts `[redacted]` in the place of secrets, in a stream or in whole texts.

    Literal secrets go wherever they stand, also in base64 and quoted for a URL or for JSON;
    others by their shape. However a stream is cut into chunks, the same comes out. Held back
    is only what may yet become a secret: at most the longest literal, or 16 KiB. Values of
    less than six characters are not looked for.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._secrets = tuple(secrets)
        self._literals = sorted({form for secret in secrets for form in _forms(secret)})
        self._begin_anew()

    def feed(self, chunk: bytes) -> bytes:
        """As much of the stream as is certain now."""
        return self._pass_on(self._held + chunk, is_all=False)

    def flush(self) -> bytes:
        """The rest of the stream. The next chunk begins another one."""
        rest = self._pass_on(self._held, is_all=True)
        self._begin_anew()
        return rest

    def clean(self, text: str) -> str:
        """A whole text without its secrets. A stream that is under way does not notice."""
        alone = Redactor(self._secrets)
        said = text.encode("utf-8", "surrogatepass")
        return (alone.feed(said) + alone.flush()).decode("utf-8", "surrogatepass")

    def _begin_anew(self) -> None:
        self._held = b""
        self._new = 0  # where in `_held` what has not come out yet begins
        self._covered = -1  # where in `_held` ends what the last mark stands for

    def _pass_on(self, data: bytes, *, is_all: bool) -> bytes:
        certain = len(data) if is_all else _unfinished(data, self._new, self._literals)
        found: list[_Found] = []
        for shape in SHAPES:
            certain = _find(shape, data, self._new, certain, found, is_all=is_all)
        for at, start, _ in sorted(found, reverse=True):
            if at < certain <= start:  # what is looked at again must be found again
                certain = at
        spans = [(start, end) for _, start, end in found]
        spans += _literal_spans(data, self._new, self._literals)
        passed = self._without(spans, data, certain)
        kept = max(0, certain - _LOOKS_BACK)
        self._held = data[kept:]
        self._new = certain - kept
        self._covered = max(-1, self._covered - kept)
        return passed

    def _without(self, spans: list[_Span], data: bytes, certain: int) -> bytes:
        """What comes out up to `certain`: secrets that touch have one mark."""
        out = []
        at = max(self._new, self._covered)
        for start, end in sorted(spans):
            if start >= certain:
                break
            if start > self._covered:
                out += [data[at:start], _MARK]
            self._covered = at = max(self._covered, end)
        out.append(data[at:certain])
        return b"".join(out)


def secret_sources(dag: Dag) -> frozenset[str]:
    """The outputs (`task__key`) that some checkpoint of the DAG shows as `secret: true`."""
    return frozenset(show.source for _, gate in dag.gates for show in gate.show if show.secret)


def secrets_of(task: Task, inputs: JsonObject, marked: frozenset[str]) -> frozenset[str]:
    """The secrets an attempt is given, as far as the DAG says that they are.

    The values in the task's `env` whose names say so, and those of its inputs (by
    `task__key`) that are among the `marked`.
    """
    work = task.work
    env = work.env if isinstance(work, Shell) else {}
    declared = {value for name, value in env.items() if names_a_secret(name)}
    return marked_texts(inputs, marked) | declared


def marked_texts(inputs: JsonObject, marked: frozenset[str]) -> frozenset[str]:
    """The texts that secret values may be printed as: of those inputs that are `marked`."""
    return frozenset(text for name in marked & inputs.keys() for text in _texts(inputs[name]))


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORDS = ("KEY", "KEYS", "PASS", "AUTH", "DSN")
_SECRET_ENDINGS = (
    *("TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWORDS", "PASSWD", "PASSPHRASE"),
    *("PWD", "APIKEY", "CREDENTIAL", "CREDENTIALS"),
)
_NOT_SECRET = {"PUBLIC", "FILE", "PATH", "DIR", "NAME"}  # where a secret is, or none


def names_a_secret(name: str) -> bool:
    """Whether what is called so is probably a secret, such as `API_TOKEN`."""
    words = [word.upper() for word in _WORDS.findall(name)]
    if name.upper() in {"PWD", "OLDPWD"} or _NOT_SECRET & set(words):
        return False
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words)


def _texts(value: object) -> Iterator[str]:
    """A value as it may be printed: whole, and what it is made of."""
    match value:
        case str():
            yield value
        case dict():
            yield json.dumps(value)
            yield from (text for part in value.values() for text in _texts(part))
        case list():
            yield json.dumps(value)
            yield from (text for part in value for text in _texts(part))
        case _:
            yield json.dumps(value)


def _forms(secret: str) -> Iterator[bytes]:
    """How a secret may be written."""
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return
    as_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    plain = secret.encode("utf-8", "surrogatepass")
    yield plain
    yield from (text.encode("utf-8", "surrogatepass") for text in as_json)
    yield from (quoted(plain).encode() for quoted in (quote, quote_plus, _quote_all))
    for content in (plain, plain + b"\n"):  # `echo` ends it so
        yield from (
            encode(content).rstrip(b"=") for encode in (base64.b64encode, base64.urlsafe_b64encode)
        )


def _quote_all(content: bytes) -> str:
    return quote(content, safe="")


def _literal_spans(data: bytes, begin: int, literals: Collection[bytes]) -> Iterator[_Span]:
    """Where literals stand: together as much as all their occurrences, however they overlap."""
    for literal in literals:
        size = len(literal)
        at = data.find(literal, begin)
        while at >= 0:
            yield at, at + size
            # The last one that this one touches makes those between them needless.
            touching = data.rfind(literal, at + 1, at + 2 * size)
            at = touching if touching >= 0 else data.find(literal, at + size)


def _unfinished(data: bytes, begin: int, literals: Collection[bytes]) -> int:
    """Where the tail begins that may be the beginning of a literal, or of a shape's word."""
    certain = len(data)
    for size in range(1, min(_LONGEST_BEGINNING, len(data) - begin) + 1):
        if data[-size:] in _BEGINNINGS:
            certain = len(data) - size
    for literal in literals:
        at = data.find(literal[:1], max(begin, len(data) - len(literal) + 1), certain)
        while at >= 0:
            if literal.startswith(data[at:]):
                certain = at
                break
            at = data.find(literal[:1], at + 1, certain)
    return certain


def _find(
    shape: Shape, data: bytes, begin: int, certain: int, found: list[_Found], *, is_all: bool
) -> int:
    """Add what has this shape; returns how far the data is certain, up to one left open."""
    stop = -1
    for at, word in _words(shape, data, begin, certain):
        after = at + len(word)
        if stop < after:
            stopped = shape.stop.search(data, after)
            stop = len(data) if stopped is None else stopped.start()
        if not (is_all or stop < len(data) or at + shape.reach <= len(data)):
            return at
        match = shape.pattern.match(data, at, at + shape.reach)
        if match is not None:
            start, end = match.span("secret" if match.re.groups else 0)
            if start < end:
                found.append((at, start, end))
    return certain


def _words(shape: Shape, data: bytes, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Where the words of a shape stand, in order."""
    places = []
    for word in shape.words:
        at = data.find(word, begin)
        while 0 <= at < end:
            places.append((at, word))
            at = data.find(word, at + 1)
    return iter(sorted(places))
