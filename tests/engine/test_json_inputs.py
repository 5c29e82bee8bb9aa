"""Lists of options, JSON typed as text, and values that are held to a JSON Schema."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.digest import canonical
from engine.inputs import parse_inputs, parse_value
from engine.json_schema import misfit
from engine.json_values import MAX_JSON, MAX_NUMBER, Unfit
from engine.model import InputField, InputType
from engine.schema_words import CANNOT_CHECK, TOO_LONG, expected_json

SOME = InputField(name="on", type=InputType.CHOICES, options=("eu", "us", "a,b", "[x]"))
PLAN = InputField(name="plan", type=InputType.JSON)
PORT = InputField(
    name="port", type=InputType.CHOICE, options=("80", "443"), schema={"enum": [80, 443]}
)


@pytest.mark.parametrize(
    ("raw", "chosen"),
    [
        pytest.param(["us"], ["us"], id="a list"),
        pytest.param(["us", "eu"], ["eu", "us"], id="in the order of the options"),
        pytest.param("us, eu", ["eu", "us"], id="a text with commas"),
        pytest.param('["us", "eu"]', ["eu", "us"], id="a JSON list"),
        pytest.param("a,b", ["a,b"], id="an option with a comma"),
        pytest.param("[x]", ["[x]"], id="an option in brackets"),
        pytest.param('["a,b", "us"]', ["us", "a,b"], id="a comma inside a JSON list"),
    ],
)
def test_several_options_come_as_a_list_or_as_text(raw: object, chosen: list[str]) -> None:
    """Slack sends a list, the command line a text; both are stored in one order."""
    assert parse_value(SOME, raw) == chosen


ONE_OF_THESE = "must be some of: eu, us, a,b, [x]"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(["mars"], ONE_OF_THESE, id="not on offer"),
        pytest.param(["eu", 1], ONE_OF_THESE, id="no text"),
        pytest.param("eu,", ONE_OF_THESE, id="a comma too many"),
        pytest.param('{"eu": 1}', ONE_OF_THESE, id="an object"),
        pytest.param(5, ONE_OF_THESE, id="a number"),
        pytest.param(["eu", "eu"], "must not name an option twice", id="twice"),
        pytest.param("eu, eu", "must not name an option twice", id="twice in a text"),
    ],
)
def test_options_that_do_not_fit(raw: object, sentence: str) -> None:
    """Each must be on offer, and none is chosen twice."""
    assert parse_value(SOME, raw) == Unfit(sentence)


@pytest.mark.parametrize("empty", [[], (), "", "  ", None])
def test_no_option_is_an_empty_field(empty: object) -> None:
    """It is absent, or what a required field lacks."""
    assert parse_inputs([SOME], {"on": empty}).values == {}
    required = InputField(name="on", type=InputType.CHOICES, options=("a",), required=True)
    assert parse_inputs([required], {"on": empty}).errors == {"on": "is required"}


def test_a_choice_of_numbers_gives_the_number() -> None:
    """The engine that asks wants 443, not the text that stands on the screen."""
    assert parse_value(PORT, "443") == 443
    assert parse_value(PORT, 80) == 80
    assert parse_value(PORT, "8080") == Unfit("must be one of: 80, 443")
    assert parse_value(PORT, True) == Unfit("must be one of: 80, 443")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        (' "text" ', "text"),
        ("null", None),
        (str(MAX_NUMBER), MAX_NUMBER),
        ("[" * 20 + "]" * 20, json.loads("[" * 20 + "]" * 20)),
        ({"a": 1}, {"a": 1}),
        ([1], [1]),
        (False, False),
    ],
)
def test_json_that_fits(raw: object, value: object) -> None:
    """Text is read as JSON; what is a value already stays what it is. An explicit null counts."""
    parsed = parse_inputs([PLAN], {"plan": raw})
    assert (parsed.values, parsed.errors) == ({"plan": value}, {})


TOO_LARGE = "must have at most 20000 characters, nested at most 20 deep"
TOO_BIG = f"must hold only numbers between -{MAX_NUMBER} and {MAX_NUMBER}"
INSTRUCTS = "must not have keys that begin with __: engines read them as instructions"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(
            "text",
            "must be JSON, with text in double quotes; it cannot be read at line 1, column 1",
            id="text without quotes",
        ),
        pytest.param(
            '{"a": 1, "a": 2}', "must not have the key 'a' twice in one object", id="twice"
        ),
        pytest.param("NaN", "must hold only numbers; NaN is none", id="NaN"),
        pytest.param("[-Infinity]", "must hold only numbers; -Infinity is none", id="Infinity"),
        pytest.param("1e999", TOO_BIG, id="beyond floats"),
        pytest.param(str(2**53), TOO_BIG, id="past exactness"),
        pytest.param("9" * 10_000, TOO_BIG, id="thousands of digits"),
        pytest.param("[" * 21 + "]" * 21, TOO_LARGE, id="too deep"),
        pytest.param("[" * 9_000 + "]" * 9_000, TOO_LARGE, id="far too deep"),
        pytest.param('"' + "x" * MAX_JSON + '"', TOO_LARGE, id="too long"),
        pytest.param(["x" * MAX_JSON], TOO_LARGE, id="a value that is too long"),
        pytest.param('"\\u0000"', "must not hold a NUL or half a character", id="NUL"),
        pytest.param('{"\\ud800": 1}', "must not hold a NUL or half a character", id="surrogate"),
        pytest.param('{"__prefect_kind": "jinja"}', INSTRUCTS, id="instruction"),
        pytest.param('[{"a": {"__x": 1}}]', INSTRUCTS, id="instruction deep inside"),
        pytest.param({"a": [{"__x": 1}]}, INSTRUCTS, id="instruction in a value"),
        pytest.param({1, 2}, "must be JSON", id="no JSON at all"),
    ],
)
def test_json_that_does_not_fit(raw: object, sentence: str) -> None:
    """What two programs could read differently, or one could obey, is refused."""
    assert parse_value(PLAN, raw) == Unfit(sentence)


def typed(kind: InputType, **schema: Any) -> InputField:
    """A field with a schema."""
    return InputField(name="n", type=kind, schema=schema)


@pytest.mark.parametrize(
    ("field", "raw", "sentence"),
    [
        (typed(InputType.NUMBER, type="integer"), "1.5", "must be a whole number"),
        (typed(InputType.NUMBER, multipleOf=5), "7", "must be a multiple of 5"),
        (typed(InputType.NUMBER, exclusiveMinimum=0), "0", "must be more than 0"),
        (typed(InputType.NUMBER, exclusiveMaximum=9), "9", "must be less than 9"),
        (typed(InputType.TEXT, pattern="^v[0-9]+$"), "x", "must match the pattern ^v[0-9]+$"),
        (typed(InputType.TEXT, format="email"), "x", "must be an e-mail address"),
        (
            typed(InputType.TEXT, format="date-time"),
            "2026-01-31",
            "must be a date and time with its zone, such as 2026-01-31T14:02:00Z",
        ),
        (
            typed(InputType.TEXT, format="time"),
            "25:00:00Z",
            "must be a time with its zone, such as 14:02:00Z",
        ),
        (typed(InputType.JSON, type="array", maxItems=1), "[1, 2]", "must have at most 1 items"),
        (typed(InputType.JSON, uniqueItems=True), "[1, 1.0]", "must not hold an item twice"),
        (typed(InputType.JSON, type=["array", "object"]), "1", "must be a list or an object"),
        (typed(InputType.JSON, required=["a", "b"]), '{"a": 1}', "must have the key b"),
        (typed(InputType.JSON, const={"a": 1}), "2", 'must be {"a": 1}'),
        (typed(InputType.JSON, enum=[1, "a"]), "2", "must be one of: 1, a"),
        (
            typed(InputType.JSON, properties={"a": {"items": {"type": "number"}}}),
            '{"a": [1, "x"]}',
            "(at a[1]) must be a number",
        ),
        (
            typed(InputType.JSON, properties={"a": {}}, additionalProperties=False),
            '{"b": 1}',
            "must not have the key b",
        ),
        (
            typed(InputType.JSON, patternProperties={"^a": {"type": "null"}}),
            '{"ab": 1}',
            "(at ab) must be null",
        ),
        (
            typed(InputType.JSON, propertyNames={"maxLength": 1}),
            '{"ab": 1}',
            "must not have the key ab",
        ),
        (typed(InputType.JSON, properties={"a": False}), '{"a": 1}', "must not hold 1"),
        (typed(InputType.JSON, anyOf=[{"const": 1}]), "2", "does not meet the rules of its form"),
        (typed(InputType.JSON, type="nonsense"), "2", CANNOT_CHECK),
        (typed(InputType.JSON, **{"$ref": "#/$defs/A"}), "2", CANNOT_CHECK),
    ],
)
def test_a_value_that_does_not_meet_its_schema(field: InputField, raw: str, sentence: str) -> None:
    """The rule is said in words, with the place inside the value where it is not at the top."""
    assert parse_value(field, raw) == Unfit(sentence)


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (typed(InputType.NUMBER, type="integer"), "10.0", 10),
        (typed(InputType.NUMBER, type="number"), "10.0", 10.0),
        (typed(InputType.TEXT, pattern="[0-9]"), "v1", "v1"),
        (
            typed(InputType.TEXT, format="date-time"),
            "2026-01-31T14:02:00+01:00",
            "2026-01-31T14:02:00+01:00",
        ),
        (typed(InputType.TEXT, format="color"), "anything", "anything"),
        (typed(InputType.JSON, uniqueItems=True), "[1, true, [1], [true]]", [1, True, [1], [True]]),
        (typed(InputType.JSON, additionalProperties={"type": "number"}), '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_that_meets_its_schema(field: InputField, raw: str, value: object) -> None:
    """An integer stays one; a format nobody knows refuses nothing."""
    found = parse_value(field, raw)
    assert found == value
    assert type(found) is type(value)


def test_a_default_that_does_not_meet_its_schema_is_not_sent() -> None:
    """Left empty, a field gives its default only where the engine would take it."""
    field = InputField(name="n", type=InputType.NUMBER, default=7, schema={"multipleOf": 5})
    assert parse_inputs([field], {}).errors == {"n": "must be a multiple of 5"}


DOUBLING = {
    "$ref": "#/$defs/D0",
    "$defs": {
        **{f"D{n}": {"allOf": [{"$ref": f"#/$defs/D{n + 1}"}] * 2} for n in range(30)},
        "D30": {},
    },
}
ENDLESS = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        pytest.param(
            {"pattern": "^(?:(?:a?){50}){50}$"}, "a" * 2_999 + "b", TOO_LONG, id="pattern"
        ),
        pytest.param(
            {"patternProperties": {"^(?:(?:a?){50}){50}$": {}}},
            {"a" * 2_999 + "b": 1},
            TOO_LONG,
            id="pattern of keys",
        ),
        pytest.param({"items": {"pattern": "a"}}, ["a"] * 2_000, TOO_LONG, id="many patterns"),
        pytest.param(DOUBLING, 1, TOO_LONG, id="doubling references"),
        pytest.param(ENDLESS, 1, CANNOT_CHECK, id="a reference to itself"),
        pytest.param(
            {"items": {"enum": list(range(2_000))}}, [0] * 2_000, TOO_LONG, id="much work"
        ),
    ],
)
def test_no_schema_takes_long(schema: dict[str, Any], value: object, sentence: str) -> None:
    """The work is bounded; a check that is given up refuses."""
    assert misfit(schema, value) == sentence


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, "any JSON value"),
        ({"type": "array", "items": {"type": "integer"}}, "a list of whole numbers"),
        (
            {"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"type": "object"}}},
            "a list of objects",
        ),
        ({"type": "array"}, "a list"),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, "an object with a, b"),
        ({"type": ["string", "integer"]}, "text or a whole number"),
        ({"anyOf": [{"type": "number"}, {"type": "array"}]}, "a number or a list"),
        ({"enum": [True, "a"]}, 'one of: true, "a"'),
        (ENDLESS, "any JSON value"),
        ({"not": {}}, ""),
    ],
)
def test_what_is_expected_is_said_in_a_few_words(schema: Any, words: str) -> None:
    """A hint for whoever types JSON; nothing where no value can be given."""
    assert expected_json(InputField(name="n", type=InputType.JSON, schema=schema)) == words


RAW = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([SOME, PLAN, PORT]), RAW | RAW.map(json.dumps))
def test_whatever_is_typed_is_answered_and_can_be_stored(field: InputField, raw: object) -> None:
    """It ends as a value with a canonical form, or as an error; never both."""
    parsed = parse_inputs([field], {field.name: raw})
    assert not parsed.values.keys() & parsed.errors.keys()
    assert canonical(parsed.values)


def test_forms_without_a_schema_do_not_load_the_library() -> None:
    """Commands start fast: what checks JSON Schemas is loaded where there is one to check."""
    code = """
import sys
from engine.inputs import parse_inputs
from engine.model import InputField
parse_inputs([InputField(name="n")], {"n": "x"})
print({"jsonschema", "regex"} & set(sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
