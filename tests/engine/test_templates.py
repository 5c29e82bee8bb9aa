"""How upstream outputs are named, and how a prompt quotes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import TaskId
from engine.templates import flatten, references, render, split_reference, strays

VALUES: dict[str, object] = {
    "build__version": "1.4.2",
    "build__count": 3,
    "build__ok": True,
    "build__nothing": None,
    "build__files": ["a.py", {"b": 1}],
    "build__name": "Café",
    "build__evil": "{{ build__version }}",
    "build__git-sha": "abc",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("Ship it?", "Ship it?", id="nothing to replace"),
        pytest.param("Ship {{ build__version }}?", "Ship 1.4.2?", id="spaces inside"),
        pytest.param("Ship {{build__version}}?", "Ship 1.4.2?", id="no spaces"),
        pytest.param("{{build__count}} of {{build__count}}", "3 of 3", id="number, twice"),
        pytest.param("{{ build__ok }}", "true", id="boolean as JSON"),
        pytest.param("{{ build__nothing }}", "null", id="null as JSON"),
        pytest.param("{{ build__files }}", '["a.py",{"b":1}]', id="list as compact JSON"),
        pytest.param("{{ build__name }}", "Café", id="letters stay letters"),
        pytest.param("{{ build__git-sha }}", "abc", id="a dash in the key"),
        pytest.param("{{ build__gone }}", "(no value)", id="unknown key"),
        pytest.param("{{ build__evil }}", "{{ build__version }}", id="never rendered again"),
        pytest.param("{{ version }}", "{{ version }}", id="no task named"),
        pytest.param("{{ build__ }}", "{{ build__ }}", id="no key named"),
        pytest.param("{{ build__files[0] }}", "{{ build__files[0] }}", id="no expressions"),
        pytest.param("{ build__version }", "{ build__version }", id="single braces"),
        pytest.param("${build__version}", "${build__version}", id="no shell syntax"),
        pytest.param("{{ build__version", "{{ build__version", id="never closed"),
    ],
)
def test_render(template: str, expected: str) -> None:
    """Only `{{ task__key }}` is replaced, and by what its value says."""
    assert render(template, VALUES) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("none", (), id="none"),
        pytest.param("{{b__y}} {{ a__x }} {{b__y}}", ("b__y", "a__x"), id="first seen, once"),
        pytest.param("{{ x }} {{ a__x }}", ("a__x",), id="what names no output is left out"),
    ],
)
def test_references(template: str, expected: tuple[str, ...]) -> None:
    """A template's references are listed once each, in order."""
    assert references(template) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("Ship {{ a__x }}?", False, id="all quote something"),
        pytest.param("Ship {{ x }}?", True, id="no task"),
        pytest.param("Ship {{ a__x | upper }}?", True, id="a filter"),
        pytest.param("Ship {{ a__x", True, id="never closed"),
    ],
)
def test_strays(template: str, *, expected: bool) -> None:
    """Braces that would be shown as they stand are noticed."""
    assert strays(template) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("build__version", ("build", "version"), id="plain"),
        pytest.param("run_all__x__y", ("run_all", "x__y"), id="the first double underscore"),
        pytest.param("a___private", ("a", "_private"), id="a key may start with one"),
        pytest.param("__x", None, id="no task"),
        pytest.param("a__", None, id="no key"),
        pytest.param("a_x", None, id="no double underscore"),
    ],
)
def test_split_reference(name: str, expected: tuple[str, str] | None) -> None:
    """A reference falls apart at its first double underscore."""
    assert split_reference(name) == expected


def test_flatten_names_every_output_after_its_task() -> None:
    """Parents' outputs arrive as `{task_id}__{key}`."""
    outputs: dict[TaskId, dict[str, Any]] = {
        TaskId("build"): {"version": "1", "files": [1]},
        TaskId("test"): {"version": "2"},
    }
    assert flatten(outputs) == {
        "build__version": "1",
        "build__files": [1],
        "test__version": "2",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PIECES = st.sampled_from(["{{", "}}", "a__x", "b__y", " ", "{{ a__x }}", "{{b__y}}", "x"])


@given(st.text())
def test_a_value_is_never_rendered_again(value: str) -> None:
    """Whatever a value says is shown as it is."""
    values = {"a__x": value, "b__y": "SECRET"}
    assert render("<{{ a__x }}>", values) == f"<{value}>"


@given(st.lists(PIECES | st.text(max_size=5)), st.dictionaries(st.sampled_from(["a__x"]), JSON))
def test_render_takes_any_template_and_any_json(pieces: list[str], values: dict[str, Any]) -> None:
    """Rendering never fails, and finds exactly the references there are."""
    template = "".join(pieces)
    rendered = render(template, values)
    assert isinstance(rendered, str)
    if not references(template):
        assert rendered == template
