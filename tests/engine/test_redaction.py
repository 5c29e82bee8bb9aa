"""Secrets do not come out of what tasks print, and everything else does."""

import base64
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.dag import Dag, Gate, PythonCall, Shell, Show, Task
from engine.model import TaskId
from engine.tasks import redaction
from engine.tasks.redaction import MARK, Redactor, secret_sources, secrets_of
from engine.tasks.shapes import LONGEST, SHAPES, Shape

HUNTER = "hunter2-and-2"
BODY = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 3)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"


def stream(secrets: Iterable[str], chunks: Iterable[bytes]) -> bytes:
    """What comes out of chunks."""
    redactor = Redactor(tuple(secrets))
    return b"".join([*(redactor.feed(chunk) for chunk in chunks), redactor.flush()])


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("token hunter2-and-2.", "token [redacted]."),
        ("hunter2-and-2hunter2-and-2", "[redacted]"),
        ("hunter2-and-2, hunter2-and-2", "[redacted], [redacted]"),
        (base64.b64encode(b"hunter2-and-2").decode(), "[redacted]=="),
        (base64.b64encode(b"hunter2-and-2\n").decode(), "[redacted]="),
        ("q=p%20w/%C3%A9%2B1", "q=[redacted]"),
        ("q=p%20w%2F%C3%A9%2B1", "q=[redacted]"),
        ("q=p+w%2F%C3%A9%2B1", "q=[redacted]"),
        ('{"q": "p w/\\u00e9+1"}', '{"q": "[redacted]"}'),
        ("ababab ababababab", "[redacted] [redacted]"),
        ("abababcdef", "[redacted]"),
        ("abc", "abc"),
        ("short12", "short12"),
    ],
)
def test_a_literal_secret_goes_wherever_it_stands(said: str, left: str) -> None:
    """Also encoded, twice in a row, or overlapping another; not if it is hardly a secret."""
    secrets = [f" {HUNTER}\n", "p w/é+1", "ababab", "abcdef", "abc", "short"]
    assert Redactor(secrets).clean(said) == left


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("bot xoxb-1234-5678-aBcDeF.", "bot [redacted]."),
        ("app='xapp-1-A012-345-abcdef0123'", "app='[redacted]'"),
        ("xoxp-1-2-3-abcdef xoxe.xoxp-1-Mi0yLTk4NzY1", "[redacted] [redacted]"),
        ("log\\nxoxb-1234-5678-abc", "log\\n[redacted]"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        ("aws_secret_access_key = " + "a/B+" * 10, "aws_secret_access_key = [redacted]"),
        ('"SecretAccessKey": "' + "a/B+" * 10 + '"', '"SecretAccessKey": "[redacted]"'),
        ("AWS_SECRET_ACCESS_KEY=" + "a/B+" * 10, "AWS_SECRET_ACCESS_KEY=[redacted]"),
        ("ghp_" + "a1" * 18, "[redacted]"),
        ("github_pat_" + "a1_" * 20 + " x", "[redacted] x"),
        (f"jwt={JWT};", "jwt=[redacted];"),
        (f'Authorization: Bearer {JWT}"', 'Authorization: Bearer [redacted]"'),
        (
            "curl -H 'authorization: bearer s3cr3t' x",
            "curl -H 'authorization: bearer [redacted]' x",
        ),
        ('{"Authorization": "Basic YTpi"}', '{"Authorization": "Basic [redacted]"}'),
        ("PROXY-AUTHORIZATION: Token t\nnext", "PROXY-AUTHORIZATION: Token [redacted]\nnext"),
        ("postgresql://ana:p%40ss@db:5432/x", "postgresql://ana:[redacted]@db:5432/x"),
        ("redis://:p@ss@db/0", "redis://:[redacted]@db/0"),
        ("https://xoxb-1234-5678-aBc:x@h/", "https://[redacted]:[redacted]@h/"),
        (
            f"-----BEGIN PRIVATE KEY-----\n{BODY}\nAb==\n-----END PRIVATE KEY-----\nnext",
            "-----BEGIN PRIVATE KEY-----[redacted]\n-----END PRIVATE KEY-----\nnext",
        ),
        (
            f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES,1\n\n{BODY}",
            "-----BEGIN RSA PRIVATE KEY-----[redacted]",
        ),
        (
            '"-----BEGIN PRIVATE KEY-----\\n' + BODY.replace("\n", "\\n") + '\\n-----END PRIVATE"',
            '"-----BEGIN PRIVATE KEY-----[redacted]\\n-----END PRIVATE"',
        ),
        (
            f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 2 (x)\n\n{BODY}\nab\n=Ab12\n-----END",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----[redacted]\n-----END",
        ),
        (
            f"-----BEGIN EC PRIVATE KEY-----\n{BODY}\n$ echo that was the key",
            "-----BEGIN EC PRIVATE KEY-----[redacted]\n$ echo that was the key",
        ),
    ],
)
def test_a_secret_is_known_by_its_shape(said: str, left: str) -> None:
    """What nobody told us of goes, too, and what stands around it stays."""
    assert Redactor().clean(said) == left


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Tokens such as xoxb- and xapp- begin so; boxoxb-12345678 does not",
        "http://127.0.0.1:8080/x?mail=ana@example.com and git@github.com:a/b.git",
        "see https://example.com: ana@example.com",
        "Authorization is needed: ask the bearer of good news",
        "AKIA and eyJ and eyJhbGciOi.short",
        "-----BEGIN CERTIFICATE-----\n" + BODY + "\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nnothing here",
        "secret_access_key: none",
        "a\0b\ud800\U0010ffff é\r\n\t",
    ],
)
def test_what_is_no_secret_stays(said: str) -> None:
    """Byte by byte the same."""
    assert Redactor([HUNTER]).clean(said) == said


def test_bytes_that_are_no_text_stay() -> None:
    """A task may print anything."""
    everything = bytes(range(256)) * 300
    assert stream([HUNTER], [everything]) == everything


PIECES = st.sampled_from(
    [
        *(b"hunter2-and-2", b"hunter2-and-", b"ababab", b"ab", b"aaaaaa", b"a", b"unter2"),
        *(b"xoxb-", b"1234-5678", b"xox", b"ghp_", b"a1" * 18, b"AKIA", b"IOSFODNN7EXAMPLE"),
        *(b"eyJhbGciOi", b".", JWT.encode(), b"://", b"ana:", b"p", b"@", b"/", b" ", b"\n"),
        *(b"Authorization", b": ", b"Bearer ", b"uthorization", b"secret_access_key=", b"\\n"),
        *(b"-----BEGIN ", b"PRIVATE KEY", b"-----", BODY.encode(), b"-----END ", b"\xff", b"\0"),
        *(b"a/B+" * 10, b"-----BEGIN PRIVATE KEY-----\n", b"'", b'"', b"=", b"https://u:"),
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=3), max_size=30).map(b"".join)
SECRETS = st.lists(
    st.sampled_from([HUNTER, "ababab", "aaaaaa", "ab:ana", "1234-5678", "://ana", "y\nx y\nx"]),
    max_size=4,
)


def cut(content: bytes, places: Iterable[int]) -> list[bytes]:
    """The content in pieces."""
    ends = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return [content[start:end] for start, end in itertools.pairwise(ends)]


@given(SECRETS, STREAMS, st.lists(st.integers(0, 5_000), max_size=20))
def test_any_cut_gives_the_same(secrets: list[str], content: bytes, places: list[int]) -> None:
    """A secret that is split over chunks is caught, and nothing else is lost."""
    whole = stream(secrets, [content])
    assert stream(secrets, cut(content, places)) == whole
    assert stream(secrets, [content[at : at + 1] for at in range(len(content))]) == whole


NO_BRACKETS = st.text(st.characters(blacklist_characters="[]", blacklist_categories=["Cs"]))


@given(st.data())
def test_no_literal_secret_ever_comes_out(data: st.DataObject) -> None:
    """Neither as it is nor encoded, whatever is around it and however it is cut."""
    secrets = data.draw(
        st.lists(NO_BRACKETS.map(str.strip).filter(lambda s: len(s) >= 6 and s not in MARK))
    )
    forms = [form for secret in secrets for form in _written(secret)]
    said = data.draw(st.lists(st.sampled_from([*forms, "redacted"]) | NO_BRACKETS).map("".join))
    places = data.draw(st.lists(st.integers(0, 5_000), max_size=5))
    left = stream(secrets, cut(said.encode(), places))
    for form in forms:
        assert form.encode() not in left
    assert stream(secrets, [said.encode()]).decode() == Redactor(secrets).clean(said)


def _written(secret: str) -> list[str]:
    in_base64 = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [secret, in_base64, quote(secret), quote(secret, safe="")]


@given(st.binary(), st.lists(st.integers(0, 5_000), max_size=5))
@example(b"xox", [1])
def test_what_has_no_secret_comes_out_unchanged(content: bytes, places: list[int]) -> None:
    """Chance makes no secrets."""
    assert stream([HUNTER], cut(content, places)) == content


class TestCost:
    @pytest.mark.parametrize(
        "line",
        [
            b"plain text\n",
            b"aaaaaa",
            b"xoxb-",
            b"eyJ",
            b"eyJaaaaaa.",
            b"eyJaaaaaa ",
            b"://",
            b"://a:",
            b"://a:b@",
            b"uthorization",
            b"Authorization: Bearer ",
            b"Authorization: Bearer a",
            b"-----BEGIN PRIVATE KEY-----",
            b"-----BEGIN PRIVATE KEY-----\n" + BODY.encode() + b"\n",
            b"secret_access_key:",
        ],
    )
    def test_the_work_grows_with_the_text_alone(
        self, monkeypatch: pytest.MonkeyPatch, line: bytes
    ) -> None:
        """Twice the text costs at most a little more than twice: in looks, and bytes looked at."""
        counted = Counted()
        monkeypatch.setattr(redaction, "SHAPES", tuple(counted.shape(shape) for shape in SHAPES))
        size = 16 * LONGEST
        once = counted.cost(line * (size // len(line)))
        twice = counted.cost(line * (2 * size // len(line)))
        assert twice <= 2.2 * once + 64
        assert once <= 30 * size

    def test_no_more_is_held_back_than_may_be_a_secret(self) -> None:
        """A task may print without an end, and without a line's end."""
        for line in (
            b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 64,
            b"eyJ",
            b"aaaaa",
            b"xoxb-",
            b"://a",
        ):
            redactor = Redactor(["a" * 5_000])
            given_in = came_out = 0
            for _ in range(40):
                chunk = line * (4_096 // len(line))
                given_in += len(chunk)
                came_out += len(redactor.feed(chunk))
                assert len(redactor._held) <= LONGEST + len(chunk)

    def test_a_line_comes_out_at_once(self) -> None:
        """Who watches a task does not wait for its next words."""
        redactor = Redactor([HUNTER])
        for line in (
            b"plain\n",
            b"https://example.com\n",
            b"Authorization: none\n",
            b"eyJ xoxb-\n",
        ):
            assert redactor.feed(line) == line


class Counted:
    """Counts the bytes that the patterns of shapes are let loose on."""

    def __init__(self) -> None:
        self.looked = 0

    def cost(self, content: bytes) -> int:
        """The bytes looked at while this goes through in chunks of 64 KiB."""
        self.looked = 0
        stream(["aaaaaa"], (content[at : at + 65_536] for at in range(0, len(content), 65_536)))
        return self.looked

    def shape(self, shape: Shape) -> Any:
        """A shape that is counted."""
        return CountedShape(shape, self)


class CountedShape:
    """A shape that adds to the count whatever it looks at."""

    def __init__(self, shape: Shape, counted: Counted) -> None:
        self._shape = shape
        self._counted = counted
        self._is_whole_word = b"(?<!" in shape.pattern.pattern
        self.words, self.reach = shape.words, shape.reach
        self.stop = self.pattern = self

    def search(self, data: bytes, at: int) -> "re.Match[bytes] | None":
        """Look for the stop."""
        found = self._shape.stop.search(data, at)
        self._counted.looked += (len(data) if found is None else found.end()) - at
        return found

    def match(self, data: bytes, at: int, end: int) -> "re.Match[bytes] | None":
        """Look for the secret. One that is not there is missed within a head, or a word."""
        found = self._shape.pattern.match(data, at, end)
        if found is not None:
            self._counted.looked += found.end() - at
        elif not self._is_whole_word:
            self._counted.looked += min(self.reach, 64)
        elif re.match(rb"[^A-Za-z0-9_.-]", data[at - 1 : at]):
            stop = self._shape.stop.search(data, at, end)
            self._counted.looked += (min(len(data), end) if stop is None else stop.end()) - at
        return found


def dag(*gates: tuple[Show, ...]) -> Dag:
    """A DAG whose checkpoints show this."""
    return Dag(
        name="d",
        tasks=tuple(
            Task(id=TaskId(f"ok{n}"), work=Gate(prompt="?", show=show))
            for n, show in enumerate(gates)
        ),
    )


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *((name, True) for name in ("TOKEN", "SLACK_BOT_TOKEN", "DB_PASSWORD", "PGPASSWORD")),
        *((name, True) for name in ("MYSQL_PWD", "API_KEY", "apiKey", "APIKEY", "aws_secret")),
        *((name, True) for name in ("CLIENT_SECRET", "DB_PASS", "GPG_PASSPHRASE", "CREDENTIALS")),
        *((name, False) for name in ("KEYBOARD", "MONKEY", "COLOUR", "PASSENGERS")),
        *((name, False) for name in ("PWD", "PATH", "SSH_KEY_FILE", "PUBLIC_KEY", "TOKENIZER")),
    ],
)
def test_variables_are_secret_by_their_name(name: str, is_secret: bool) -> None:
    """What a DAG puts into the environment of a task under a name that says so."""
    task = Task(id=TaskId("t"), work=Shell(command="x", env={name: "a value"}))
    assert secrets_of(task, {}, frozenset()) == ({"a value"} if is_secret else frozenset())


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("s3cr3t", {"s3cr3t"}),
        (12345678, {"12345678"}),
        ({"a": ["x", 1]}, {'{"a": ["x", 1]}', '["x", 1]', "x", "1"}),
    ],
)
def test_inputs_are_secret_where_a_checkpoint_masks_them(value: object, texts: set[str]) -> None:
    """`secret: true` in any checkpoint's `show` counts for every task that is given the value."""
    shown = dag((Show(label="v", source="a__v"),), (Show(label="t", source="a__t", secret=True),))
    inputs: Mapping[str, Any] = {"a__v": "public", "a__t": value}
    task = Task(id=TaskId("t"), work=PythonCall(ref="a:b"))
    assert secrets_of(task, inputs, secret_sources(shown)) == texts
    assert secrets_of(task, {"a__v": "public"}, secret_sources(shown)) == frozenset()
