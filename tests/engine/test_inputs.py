"""What an approver filled in, checked against the form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.digest import canonical
from engine.inputs import parse_inputs, parse_value
from engine.json_values import MAX_NUMBER, Unfit
from engine.model import InputField, InputType

TEXT = InputField(name="note")
SHORT = InputField(name="code", minimum=2, maximum=4)
NUMBER = InputField(name="count", type=InputType.NUMBER)
PERCENT = InputField(name="percent", type=InputType.NUMBER, minimum=1, maximum=100)
BOOLEAN = InputField(name="dry", type=InputType.BOOLEAN)
CHOICE = InputField(name="region", type=InputType.CHOICE, options=("eu west", "us", " odd "))
DATE = InputField(name="day", type=InputType.DATE)


@pytest.mark.parametrize(
    ("field", "raw", "expected"),
    [
        pytest.param(TEXT, " as typed ", " as typed ", id="text is kept as typed"),
        pytest.param(TEXT, "x" * 3_000, "x" * 3_000, id="text of 3,000 characters"),
        pytest.param(SHORT, "abcd", "abcd", id="text within its bounds"),
        pytest.param(NUMBER, "42", 42, id="whole number"),
        pytest.param(NUMBER, " -7 ", -7, id="spaces around a number"),
        pytest.param(NUMBER, "+7", 7, id="plus sign"),
        pytest.param(NUMBER, "1.0", 1.0, id="a dot makes a float"),
        pytest.param(NUMBER, "1e3", 1000.0, id="exponent"),
        pytest.param(NUMBER, ".5", 0.5, id="no digit before the dot"),
        pytest.param(NUMBER, 7, 7, id="JSON integer"),
        pytest.param(NUMBER, 0.25, 0.25, id="JSON float"),
        pytest.param(NUMBER, str(MAX_NUMBER), MAX_NUMBER, id="the largest exact number"),
        pytest.param(PERCENT, "1", 1, id="the lower bound"),
        pytest.param(PERCENT, "100", 100, id="the upper bound"),
        *[
            pytest.param(BOOLEAN, raw, True, id=f"true as {raw!r}")
            for raw in ("true", "TRUE", "yes", "1", "on", " On ", True, 1)
        ],
        *[
            pytest.param(BOOLEAN, raw, False, id=f"false as {raw!r}")
            for raw in ("false", "no", "0", "off", False, 0)
        ],
        pytest.param(CHOICE, "us", "us", id="choice"),
        pytest.param(CHOICE, "us ", "us", id="choice with a space too many"),
        pytest.param(CHOICE, " odd ", " odd ", id="choice that is written with spaces"),
        pytest.param(DATE, "2028-02-29", "2028-02-29", id="leap day"),
    ],
)
def test_a_value_that_fits(field: InputField, raw: object, expected: object) -> None:
    """Strings and typed JSON become the field's own type."""
    value = parse_value(field, raw)
    assert value == expected
    assert type(value) is type(expected)


NEITHER = "must be true or false"
A_DATE = "must be a date written YYYY-MM-DD"
TOO_BIG = f"must be a number between -{MAX_NUMBER} and {MAX_NUMBER}"
IN_PERCENT = "must be a number between 1 and 100"


@pytest.mark.parametrize(
    ("field", "raw", "sentence"),
    [
        pytest.param(TEXT, 5, "must be text", id="number for a text"),
        pytest.param(TEXT, ["a"], "must be text", id="list for a text"),
        pytest.param(
            TEXT, "x" * 3_001, "must have at most 3000 characters; it has 3001", id="text too long"
        ),
        pytest.param(SHORT, "a", "must have 2 to 4 characters; it has 1", id="text too short"),
        pytest.param(TEXT, "a\x00", "must not hold a NUL or half a character", id="NUL"),
        pytest.param(TEXT, "\ud83d", "must not hold a NUL or half a character", id="surrogate"),
        pytest.param(NUMBER, "many", "must be a number", id="word for a number"),
        pytest.param(NUMBER, "1,000", "must be a number", id="thousands separator"),
        pytest.param(NUMBER, "1_000", "must be a number", id="underscore"),
        pytest.param(NUMBER, "٣", "must be a number", id="digits of another script"),
        pytest.param(NUMBER, "0x10", "must be a number", id="hexadecimal"),
        pytest.param(NUMBER, "nan", "must be a number", id="nan"),
        pytest.param(NUMBER, float("nan"), "must be a number", id="JSON nan"),
        pytest.param(NUMBER, "inf", "must be a number", id="inf"),
        pytest.param(NUMBER, float("-inf"), "must be a number", id="JSON -inf"),
        pytest.param(NUMBER, "1e400", TOO_BIG, id="beyond floats"),
        pytest.param(NUMBER, "9" * 5_000, "must be a number", id="thousands of digits"),
        pytest.param(NUMBER, 2**53, TOO_BIG, id="past exactness"),
        pytest.param(NUMBER, "-9007199254740992", TOO_BIG, id="past exactness, negative"),
        pytest.param(NUMBER, True, "must be a number", id="boolean for a number"),
        pytest.param(PERCENT, "0", IN_PERCENT, id="below the bounds"),
        pytest.param(PERCENT, 100.5, IN_PERCENT, id="above the bounds"),
        pytest.param(PERCENT, "x", IN_PERCENT, id="word for a bounded number"),
        pytest.param(
            InputField(name="n", type=InputType.NUMBER, minimum=0.5),
            "0",
            "must be a number of at least 0.5",
            id="only a lower bound",
        ),
        pytest.param(
            InputField(name="n", type=InputType.NUMBER, maximum=9),
            "10",
            "must be a number of at most 9",
            id="only an upper bound",
        ),
        pytest.param(BOOLEAN, "maybe", NEITHER, id="word for a boolean"),
        pytest.param(BOOLEAN, 2, NEITHER, id="2 for a boolean"),
        pytest.param(BOOLEAN, 1.0, NEITHER, id="float for a boolean"),
        pytest.param(CHOICE, "asia", "must be one of: eu west, us,  odd ", id="no such choice"),
        pytest.param(CHOICE, 1, "must be one of: eu west, us,  odd ", id="number for a choice"),
        pytest.param(
            InputField(name="c", type=InputType.CHOICE, options=tuple("abcdefghijkl")),
            "z",
            "must be one of: a, b, c, d, e, f, g, h, i, j, …",
            id="many choices are cut",
        ),
        pytest.param(DATE, "2027-02-29", A_DATE, id="no such day"),
        pytest.param(DATE, "20270228", A_DATE, id="no dashes"),
        pytest.param(DATE, "2027-W01-1", A_DATE, id="week date"),
        pytest.param(DATE, "28.02.2027", A_DATE, id="local date"),
        pytest.param(DATE, 20270228, A_DATE, id="number for a date"),
    ],
)
def test_a_value_that_does_not_fit(field: InputField, raw: object, sentence: str) -> None:
    """The refusal ends a sentence that begins with the field's name."""
    assert parse_value(field, raw) == Unfit(sentence)


REQUIRED = InputField(name="ticket", required=True)
DEFAULTED = InputField(name="size", type=InputType.NUMBER, required=True, default=3)


@pytest.mark.parametrize(
    ("fields", "raw", "values", "errors"),
    [
        pytest.param([], {}, {}, {}, id="no form"),
        pytest.param([TEXT], {}, {}, {}, id="optional and absent: not among the values"),
        pytest.param([TEXT], {"note": "  "}, {}, {}, id="only spaces is empty"),
        pytest.param([TEXT], {"note": None}, {}, {}, id="null is empty"),
        pytest.param([REQUIRED], {}, {}, {"ticket": "is required"}, id="required and absent"),
        pytest.param([REQUIRED], {"ticket": ""}, {}, {"ticket": "is required"}, id="empty"),
        pytest.param([DEFAULTED], {}, {"size": 3}, {}, id="the default stands in"),
        pytest.param([DEFAULTED], {"size": ""}, {"size": 3}, {}, id="the default for empty"),
        pytest.param([DEFAULTED], {"size": "0"}, {"size": 0}, {}, id="zero is an answer"),
        pytest.param([BOOLEAN], {"dry": False}, {"dry": False}, {}, id="false is an answer"),
        pytest.param(
            [TEXT],
            {"note": "x", "nope": "y"},
            {"note": "x"},
            {"nope": "is not an input of this checkpoint"},
            id="unknown name",
        ),
        pytest.param(
            [NUMBER, DATE],
            {"count": "x", "day": "y"},
            {},
            {"count": "must be a number", "day": A_DATE},
            id="every error at once",
        ),
    ],
)
def test_a_form(
    fields: list[InputField], raw: dict[str, object], values: dict[str, Any], errors: dict[str, str]
) -> None:
    """Missing, defaulted and unknown names are settled for the form as a whole."""
    parsed = parse_inputs(fields, raw)
    assert (parsed.values, parsed.errors) == (values, errors)


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text(), max_size=2)
    | st.from_regex(r"\A[+-]?[0-9.eE_]{1,12}\Z")
)
FORM = [TEXT, NUMBER, BOOLEAN, CHOICE, DATE]


@given(st.dictionaries(st.sampled_from([field.name for field in FORM]), ANYTHING))
def test_whatever_is_sent_is_answered_and_can_be_stored(raw: dict[str, object]) -> None:
    """Every name ends as a value or an error, and values have a canonical JSON form."""
    parsed = parse_inputs(FORM, raw)
    assert not parsed.values.keys() & parsed.errors.keys()
    assert canonical(parsed.values)


@given(st.sampled_from(FORM), ANYTHING)
def test_a_value_that_fits_fits_again(field: InputField, raw: object) -> None:
    """What was understood once is understood the same way on the next surface."""
    value = parse_value(field, raw)
    if not isinstance(value, Unfit):
        assert parse_value(field, value) == value
