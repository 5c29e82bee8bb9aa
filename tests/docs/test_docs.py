"""The docs are true: examples load, commands exist, links lead somewhere, every key is told."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from typer.main import get_command

from bot.cli import app
from bot.manifest import AppNeeds, manifest_text
from engine.dagfile import _KEYS as DAG_KEYS
from engine.dagfile import Defaults, load, parse
from engine.dagfile.forms import _KEYS as INPUT_KEYS
from engine.dagfile.forms import _TYPES as INPUT_TYPES
from engine.dagfile.gates import GATE_KEYS
from engine.dagfile.schedules import SCHEDULE_KEYS
from engine.dagfile.tasks import _ALL_KEYS as TASK_KEYS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
IMAGES = sorted(ROOT.glob("docs/images/*.png"))
EXAMPLES = sorted(ROOT.glob("docs/examples/*.yml"))

_FENCE = re.compile(
    r"^(?P<fence>```+)(?P<kind>\w*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_INLINE = re.compile(r"`(signoff [^`]*)`")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_SHELLS = {"sh", "ini", ""}
_SEPARATORS = {"&&", "||", "|", ";"}
_COMMAND = re.compile(r"(ExecStart=)?(\S*/)?signoff")
_BEFORE = re.compile(r"sudo|env|-u|[A-Za-z_]\w*=.*")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[Block]:
    text = read(page)
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found["kind"], found["text"])


BLOCKS = [block for page in NAMES for block in blocks(page)]
DAGS = [block for block in BLOCKS if block.kind in ("yaml", "yml") and "tasks:" in block.text]


@pytest.mark.parametrize("block", DAGS, ids=str)
def test_every_dag_in_the_docs_loads(block: Block) -> None:
    """What a reader copies out of a page is a DAG that the loader takes."""
    dag = parse(block.text, source=str(block), directory=str(ROOT), defaults=Defaults())
    assert dag.tasks


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_file_loads(path: Path) -> None:
    """The example files are DAGs that the loader takes."""
    assert load(path, Defaults()).tasks


def commands(block: Block) -> Iterator[list[str]]:
    """Every `signoff …` of a block, as words without what stands before it."""
    if block.kind not in _SHELLS:
        return
    for line in block.text.replace("\\\n", " ").splitlines():
        yield from invocations(line)


def invocations(line: str) -> Iterator[list[str]]:
    """The `signoff` commands of one line; it may set variables, use sudo, or be piped."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # prose in a block, with an apostrophe
        return
    start = 0
    for end in [*(at for at, word in enumerate(words) if word in _SEPARATORS), len(words)]:
        part = words[start:end]
        start = end + 1
        for at, word in enumerate(part):
            if _COMMAND.fullmatch(word) and _is_prefix(part[:at]):
                yield part[at + 1 :]
                break


def _is_prefix(words: list[str]) -> bool:
    """Whether a command may stand after these: variables, `env`, `sudo` with its user."""
    after_user = [False, *(word == "-u" for word in words)]
    return not after_user[-1] and all(
        is_user or _BEFORE.fullmatch(word) for word, is_user in zip(words, after_user, strict=False)
    )


def problem_with(words: list[str]) -> str | None:
    """What is wrong with a command line: a command or an option that does not exist."""
    command: Any = get_command(app)
    rest = list(words)
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r} in `signoff {' '.join(words)}`"
        command = command.commands[name]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    if command.name == "sandbox":
        known |= set(re.findall(r'"(--[a-z-]+)"', read("bot/sandbox/__main__.py")))
    for word in rest:
        option = word.partition("=")[0]
        if word.startswith("-") and option not in known | {"--help"}:
            return f"there is no option {option} in `signoff {' '.join(words)}`"
    return None


@pytest.mark.parametrize("page", NAMES)
def test_every_command_line_exists(page: str) -> None:
    """Each `signoff …` in a page, fenced or inline, names a command and options that exist."""
    fenced = [words for block in blocks(page) for words in commands(block)]
    inline = [words for text in _INLINE.findall(read(page)) for words in invocations(text)]
    wrong = [problem for words in [*fenced, *inline] if (problem := problem_with(words))]
    assert wrong == []


def test_the_finder_finds_command_lines() -> None:
    """Variables, sudo, comments and pipes around a command do not hide it, nor its mistakes."""
    lines = {
        "signoff run hello.yml --wait  # watch": ["run", "hello.yml", "--wait"],
        "A=b /opt/x/signoff db upgrade": ["db", "upgrade"],
        "sudo -u signoff env A=b signoff db current": ["db", "current"],
        "ExecStart=/opt/x/bin/signoff serve": ["serve"],
        "signoff audit export --since 7d | grep x": ["audit", "export", "--since", "7d"],
    }
    assert {line: next(invocations(line)) for line in lines} == lines
    assert list(invocations("sudo useradd --system signoff")) == []
    assert problem_with(["runs", "forget"]) is not None
    assert problem_with(["run", "x.yml", "--force"]) is not None


def anchors(page: Path) -> set[str]:
    """The fragments that headings of a page can be linked by, as GitHub makes them."""
    titles = (found["title"] for found in _HEADING.finditer(_without_fences(page)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _without_fences(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """Files, images and headings that a page links to are there."""
    missing = []
    for found in _LINK.finditer(_without_fences(page)):
        target, _, fragment = unquote(found["target"]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        is_page = path.suffix == ".md"
        if not path.exists() or (fragment and is_page and fragment not in anchors(path)):
            missing.append(found["target"])
    assert missing == []


def test_every_page_can_be_found_from_the_index() -> None:
    """The index of the docs links to every page but the single decisions."""
    linked = {
        (ROOT / "docs" / found["target"].partition("#")[0]).resolve()
        for found in _LINK.finditer(read("docs/README.md"))
    }
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")}
    decisions = {page for page in pages if page.parent.name == "decisions"}
    expected = pages - decisions - {ROOT / "docs/README.md"} | {ROOT / "docs/decisions/README.md"}
    assert expected - linked == set()


def test_every_image_is_used_and_small() -> None:
    """A picture that no page shows, or that is larger than 150 KB, does not belong here."""
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert IMAGES
    assert [path.name for path in IMAGES if f"images/{path.name})" not in shown] == []
    assert [path.name for path in IMAGES if path.stat().st_size > 150_000] == []


def test_the_readme_opens_with_the_two_commands() -> None:
    """One sentence, one picture, two commands: all on the first screen."""
    first = read("README.md").splitlines()[:20]
    assert any("docs/images/demo.png" in line for line in first)
    starts = [line.split("#")[0].strip() for line in first]
    assert "make demo" in starts
    assert "make test" in starts


def test_every_scope_is_explained_and_no_other() -> None:
    """The page for workspace admins explains whatever a manifest asks for, and nothing more."""
    manifest = yaml.safe_load(manifest_text(AppNeeds(emails=True)))
    page = read("docs/how-to/approve-this-app.md")

    def rows(heading: str) -> set[str]:
        section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))

    assert rows("Scopes") == set(manifest["oauth_config"]["scopes"]["bot"])
    assert rows("Events") == set(manifest["settings"]["event_subscriptions"]["bot_events"])


def test_every_key_of_the_dag_file_is_told_and_no_other() -> None:
    """The reference has a row for each key the loader knows, and a row for no other."""
    page = read("docs/reference/dag-file.md")
    rows = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`([a-z_]+)`", row)}
    known = {*DAG_KEYS, *TASK_KEYS, *GATE_KEYS, *INPUT_KEYS, *SCHEDULE_KEYS}
    assert told == known
    for word in ("label", "from", "secret", *INPUT_TYPES):
        assert f"`{word}`" in page or f"`{word}:" in page or f"{word}," in page, word
