"""Fields of other engines' forms, made from the JSON Schemas that describe them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backends.schemas import field_of
from engine.digest import canonical
from engine.inputs import parse_inputs, parse_value
from engine.json_values import Unfit
from engine.model import InputField, InputType
from engine.schema_words import CANNOT_CHECK, UNCHECKABLE

MODES = {"Mode": {"type": "string", "enum": ["canary", "full"], "title": "Mode"}}
OPTIONS = ("canary", "full")


def kind(field: InputField) -> tuple[InputType, tuple[str, ...]]:
    """What a field is, and what can be chosen."""
    return field.type, field.options


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param({"type": "string"}, InputType.TEXT, id="string"),
        pytest.param({"type": ["string"]}, InputType.TEXT, id="a list of one type"),
        pytest.param({"type": ["null", "string"]}, InputType.TEXT, id="string or null"),
        pytest.param({"type": "string", "format": "date"}, InputType.DATE, id="date"),
        pytest.param({"type": "string", "format": "date-time"}, InputType.TEXT, id="instant"),
        pytest.param({"type": "integer"}, InputType.NUMBER, id="integer"),
        pytest.param({"type": "number"}, InputType.NUMBER, id="number"),
        pytest.param({"anyOf": [{"type": "number"}, {"type": "null"}]}, InputType.NUMBER, id="any"),
        pytest.param({"allOf": [{"type": "number"}]}, InputType.NUMBER, id="all of one"),
        pytest.param({"type": "boolean"}, InputType.BOOLEAN, id="boolean"),
        pytest.param({"type": "array", "items": {"type": "string"}}, InputType.JSON, id="texts"),
        pytest.param({"type": "object"}, InputType.JSON, id="object"),
        pytest.param({"type": ["string", "integer"]}, InputType.JSON, id="one type or another"),
        pytest.param({}, InputType.JSON, id="anything"),
        pytest.param({"enum": [True, "a"]}, InputType.JSON, id="options of several kinds"),
        pytest.param({"enum": ["", "a"]}, InputType.JSON, id="an option that looks like nothing"),
    ],
)
def test_the_type_of_a_field_follows_its_schema(schema: Any, expected: InputType) -> None:
    """What people can be asked for has a type of its own; everything else is JSON."""
    assert field_of("n", schema).type is expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param({"enum": ["canary", "full"]}, InputType.CHOICE, id="enum"),
        pytest.param({"$ref": "#/$defs/Mode"}, InputType.CHOICE, id="reference"),
        pytest.param({"$ref": "#/definitions/Mode"}, InputType.CHOICE, id="older reference"),
        pytest.param({"enum": ["canary", "full", None]}, InputType.CHOICE, id="null among them"),
        pytest.param(
            {"anyOf": [{"$ref": "#/$defs/Mode"}, {"type": "null"}]}, InputType.CHOICE, id="or null"
        ),
        pytest.param(
            {"oneOf": [{"const": "canary"}, {"const": "full"}]}, InputType.CHOICE, id="constants"
        ),
        pytest.param(
            {"type": "array", "items": {"enum": ["canary", "full"]}}, InputType.CHOICES, id="array"
        ),
        pytest.param(
            {"type": "array", "items": {"$ref": "#/$defs/Mode"}}, InputType.CHOICES, id="array of"
        ),
    ],
)
def test_options_are_found_wherever_they_are_written(schema: Any, expected: InputType) -> None:
    """Enumerations make a choice, lists of them several, through references too."""
    assert kind(field_of("n", schema, definitions=MODES)) == (expected, OPTIONS)


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        pytest.param({"type": "string", "minLength": 2, "maxLength": 9}, None, id="text"),
        pytest.param({"type": "number", "minimum": 1, "title": "T"}, None, id="number"),
        pytest.param({"type": "string", "enum": ["a"]}, None, id="choice"),
        pytest.param({"type": "string", "format": "date"}, None, id="date"),
        pytest.param({"type": "integer"}, {"type": "integer"}, id="only the schema says whole"),
        pytest.param({"enum": [1, 2]}, {"enum": [1, 2]}, id="only the schema says number"),
        pytest.param(
            {"type": ["string", "null"], "pattern": "a"},
            {"type": "string", "pattern": "a"},
            id="pattern",
        ),
        pytest.param(
            {"type": "string", "examples": ["a"]}, {"type": "string", "examples": ["a"]}, id="shown"
        ),
    ],
)
def test_only_what_the_field_does_not_say_is_kept(schema: Any, kept: Any) -> None:
    """A schema that the type, bounds and options say in full is not stored a second time."""
    assert field_of("n", schema).schema == kept


def test_a_kept_schema_stands_alone() -> None:
    """The definitions that it refers to come along, through others; the rest does not."""
    definitions = {"A": {"items": {"$ref": "#/$defs/B"}}, "B": {"type": "integer"}, "C": {}}
    field = field_of("n", {"$ref": "#/$defs/A"}, definitions=definitions)
    assert field.schema is not None
    assert field.schema["$defs"] == {"A": definitions["A"], "B": definitions["B"]}
    assert parse_value(field, "[1]") == [1]
    assert parse_value(field, "[true]") == Unfit("(at [0]) must be a whole number")


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": ["string", "null"]}, id="type"),
        pytest.param({"anyOf": [{"type": "string"}, {"type": "null"}]}, id="anyOf"),
        pytest.param({"enum": ["a", None]}, id="enum"),
        pytest.param({"type": ["object", "array", "null"]}, id="several types"),
    ],
)
def test_what_may_be_null_may_be_left_empty(schema: Any) -> None:
    """Left empty and without a default it is absent from the values."""
    field = field_of("n", schema, required=True)
    assert not field.required
    assert parse_inputs([field], {"n": ""}).values == {}


@pytest.mark.parametrize(
    ("schema", "given", "default", "required"),
    [
        pytest.param({"type": "integer"}, 10, 10, False, id="fits"),
        pytest.param({"type": "integer"}, 10.0, 10, False, id="a whole number written otherwise"),
        pytest.param({"enum": [1, 2]}, 2, 2, False, id="an option that is a number"),
        pytest.param({"type": "object"}, {"a": 1}, {"a": 1}, False, id="object"),
        pytest.param({}, "text", "text", False, id="a JSON text is not read as JSON"),
        pytest.param(
            {"type": "array", "items": {"enum": ["a", "b"]}},
            ["b", "a"],
            ["a", "b"],
            False,
            id="in the order of the options",
        ),
        pytest.param({"type": "string"}, "x" * 4_000, None, False, id="too long for us only"),
        pytest.param({"type": "string"}, "", None, False, id="empty"),
        pytest.param({"type": "string", "minLength": 1}, "", None, True, id="empty, and must not"),
        pytest.param({"type": "integer", "maximum": 5}, 10, None, True, id="does not fit there"),
        pytest.param({"type": "integer"}, "ten", None, True, id="of another type"),
        pytest.param({"type": "object"}, {"a": float("nan")}, None, False, id="no JSON"),
        pytest.param({"type": "integer", "default": 3}, None, 3, False, id="told by the schema"),
    ],
)
def test_a_default_is_taken_where_it_fits(
    schema: Any, given: Any, default: Any, required: bool
) -> None:
    """One that the engine itself would not take must be filled in by somebody."""
    field = field_of("n", schema, default=given)
    assert (field.default, field.required) == (default, required)
    assert type(field.default) is type(default)


@pytest.mark.parametrize(
    ("name", "schema", "given", "expected"),
    [
        ("size", {"description": "from there", "title": "T"}, "given", "given"),
        ("size", {"description": "from there", "title": "T"}, "", "from there"),
        ("size", {"title": "How many"}, "", "How many"),
        ("how_many", {"title": "How Many"}, "", ""),
        ("size", {"description": "\x00"}, "", ""),
        ("size", {"description": ["no", "text"]}, "", ""),
    ],
)
def test_a_description_is_found(name: str, schema: Any, given: str, expected: str) -> None:
    """The given one, the schema's, or its title unless that only repeats the name."""
    assert field_of(name, schema, description=given).description == expected


SPRAWLING = {f"D{n}": {"$ref": f"#/$defs/D{n + 1}"} for n in range(200)} | {"D200": {}}


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        pytest.param("n", {"type": "nonsense"}, id="invalid"),
        pytest.param("n", {"minLength": "two"}, id="invalid bound"),
        pytest.param("n", "a string", id="no schema"),
        pytest.param("n", None, id="none"),
        pytest.param("n", {"$ref": "https://example.com/schema"}, id="remote"),
        pytest.param("n", {"properties": {"a": {"$ref": "file:///etc/passwd"}}}, id="file"),
        pytest.param("n", {"$ref": "#/$defs/Nowhere"}, id="undefined"),
        pytest.param("n", {"$ref": "#"}, id="the form as a whole"),
        pytest.param("n", {"$ref": "#/$defs/D0", "$defs": SPRAWLING}, id="too many definitions"),
        pytest.param("n", {"items": {"$id": "https://example.com/x"}}, id="another base"),
        pytest.param("n", {"items": {"$schema": "x"}}, id="another draft inside"),
        pytest.param("n", {"items": {"$dynamicRef": "#a"}}, id="dynamic reference"),
        pytest.param("n", {"unevaluatedProperties": False}, id="unevaluated"),
        pytest.param("n", {"pattern": "("}, id="broken pattern"),
        pytest.param("n", {"pattern": "a" * 501}, id="long pattern"),
        pytest.param("n", {"patternProperties": {"(": {}}}, id="broken pattern of keys"),
        pytest.param("n", {"enum": ["x" * 20_000]}, id="huge"),
        pytest.param("n", {"enum": list(range(30_000))}, id="huge list"),
        pytest.param("n", {"const": 2**60}, id="a number that is not exact everywhere"),
        pytest.param("n", {"const": "\ud800"}, id="half a character"),
        pytest.param("", {}, id="no name"),
        pytest.param("n" * 101, {}, id="long name"),
        pytest.param("a\x00b", {}, id="NUL in the name"),
        pytest.param("__prefect_kind", {"type": "string"}, id="a name that instructs"),
    ],
)
def test_what_cannot_be_checked_takes_no_value(name: str, schema: Any) -> None:
    """The field is there and says so; nothing is ever sent under its name."""
    field = field_of(name, schema, default="x", required=True)
    assert (field.type, field.schema, field.default) == (InputType.JSON, UNCHECKABLE, None)
    for raw in ('"x"', "{}", "1"):
        assert parse_value(field, raw) == Unfit(CANNOT_CHECK)
    assert parse_inputs([field], {}).errors == {field.name: "is required"}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYWORDS = st.sampled_from(
    [
        *("type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "items", "format", "default"),
        *("minimum", "maximum", "minLength", "maxLength", "pattern", "properties", "required"),
        *("$defs", "definitions", "$id", "not", "uniqueItems", "multipleOf", "examples", "title"),
    ]
)
WORDS = st.sampled_from(
    [
        *("string", "integer", "number", "null", "array", "object", "boolean", "date"),
        *("#/$defs/A", "#/definitions/A", "#", "a+", "A"),
    ]
)
WILD = st.recursive(
    ANY_JSON | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | st.just("A"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(name=st.text(), schema=WILD, default=ANY_JSON, definitions=WILD, raw=ANY_JSON)
def test_no_schema_breaks_anything(
    name: str, schema: Any, default: Any, definitions: Any, raw: Any
) -> None:
    """Whatever a server sends becomes a field that can be stored, filled in, and answered."""
    field = field_of(name, schema, default=default, definitions=definitions)
    assert canonical({"name": field.name, "schema": field.schema, "default": field.default})
    parsed = parse_inputs([field], {field.name: raw})
    assert not parsed.values.keys() & parsed.errors.keys()
    assert canonical(parsed.values)
