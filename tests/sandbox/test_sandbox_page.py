import re
from pathlib import Path

import pytest
from aiohttp import ClientSession

from bot.sandbox import Sandbox

PAGE = Path(__file__).parents[2] / "bot" / "sandbox" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))


async def test_the_page_and_all_it_names_are_served(sandbox: Sandbox) -> None:
    """The page, its styles and every module it imports come with their types and a strict CSP."""
    kinds = {"": "text/html", "archives/C0APPROVE/p1": "text/html"}
    kinds |= {f"page/{one.name}": "text/javascript" for one in SCRIPTS}
    kinds |= {f"page/{one.name}": "text/css" for one in PAGE.glob("*.css")}
    async with ClientSession() as session:
        for path, kind in kinds.items():
            async with session.get(f"{sandbox.url}/{path}") as response:
                assert (response.status, response.content_type) == (200, kind), path
                assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        for path in ("page/nothing.js", "page/..%2F__init__.py", "page/index.txt"):
            async with session.get(f"{sandbox.url}/{path}") as response:
                assert response.status == 404


def test_every_file_the_page_names_is_there() -> None:
    """Links in the page and imports in its modules name files that exist."""
    named = re.findall(r'"/page/([\w.]+)"', (PAGE / "index.html").read_text())
    for script in SCRIPTS:
        named += re.findall(r'from "\./([\w.]+)"', script.read_text())
    assert named
    assert {name for name in named if not (PAGE / name).is_file()} == set()


def test_the_page_has_nothing_inline_and_nothing_left_over() -> None:
    """No inline script, style or handler, as the CSP wants; every file there is used."""
    page = (PAGE / "index.html").read_text()
    assert not re.findall(r"<style|\son\w+=|\sstyle=|<script>", page)
    used = set(re.findall(r'"/page/([\w.]+)"', page))
    for script in SCRIPTS:
        used |= set(re.findall(r'from "\./([\w.]+)"', script.read_text()))
    assert {one.name for one in PAGE.iterdir()} == used | {"index.html"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.name)
def test_data_never_becomes_markup(script: Path) -> None:
    """No module builds HTML from strings, evaluates text or loads from elsewhere."""
    text = script.read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in text
    assert set(re.findall(r"https?://[\w.]+", text)) <= {"http://www.w3.org"}
