"""Forms of other engines in Slack: what is asked, chosen already, or told to be asked elsewhere."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import modals
from bot.form_elements import fits_a_menu
from bot.modals import View
from engine import Choice, Finding, InputField, InputType, Policy, Refused, Rule
from engine.backends.schemas import field_of
from tests.bot.hostile import text
from tests.bot.views import assert_view, gate, waiting, words

ROOMY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
REGIONS = ("eu", "us", "asia")


def form(*fields: InputField, option: str | None = None) -> View:
    """The form that approves a gate with these fields."""
    asked = waiting(policy=Policy(inputs=fields), elsewhere=gate())
    view = modals.decision_form(asked, Choice.APPROVE, option=option)
    assert_view(view)
    return view


def block(field: InputField, option: str | None = None) -> dict[str, Any]:
    """The block of the only field."""
    first = f"input:{field.name}.1a2b3c4d"
    [found] = [b for b in form(field, option=option)["blocks"] if b.get("block_id") == first]
    return dict(found)


def test_several_options_are_chosen_from_a_menu() -> None:
    """What is chosen by default is chosen already, and said where it is left empty."""
    field = InputField(name="on", type=InputType.CHOICES, options=REGIONS, default=["eu", "asia"])
    shown = block(field)
    assert shown["element"]["type"] == "multi_static_select"
    assert [o["value"] for o in shown["element"]["options"]] == list(REGIONS)
    assert [o["value"] for o in shown["element"]["initial_options"]] == ["eu", "asia"]
    assert shown["hint"]["text"] == "Left empty: eu, asia."


def test_more_options_than_a_menu_holds_are_typed() -> None:
    """The hint names them, and how several are written."""
    field = InputField(
        name="on", type=InputType.CHOICES, options=tuple(f"o{n}" for n in range(101))
    )
    shown = block(field)
    assert shown["element"]["type"] == "plain_text_input"
    assert shown["hint"]["text"].startswith("Some of these, with commas between: o0, o1,")


def test_json_is_typed_on_several_lines_with_a_hint() -> None:
    """The default is laid out to be changed; the hint says what is expected."""
    schema = {"type": "array", "items": {"type": "integer"}}
    shown = block(field_of("ports", schema, default=[80, 443]))
    assert shown["element"] == {
        "type": "plain_text_input",
        "action_id": "input:ports",
        "multiline": True,
        "max_length": 3_000,
        "initial_value": "[\n  80,\n  443\n]",
    }
    assert shown["hint"]["text"] == (
        "JSON, with text in double quotes: a list of whole numbers. Left empty: [80, 443]."
    )


@pytest.mark.parametrize("given", ["\u202e", "x" * 4_000])
def test_json_that_cannot_be_shown_is_not_typed_in(given: str) -> None:
    """Nobody sends a default unseen, or cut."""
    assert "initial_value" not in block(field_of("plan", {}, default=[given]))["element"]


def test_a_whole_number_takes_no_decimals() -> None:
    """Bounds become whole numbers, too, as Slack compares them with what is typed."""
    schema = {"type": "integer", "minimum": 0.5, "maximum": 9.5}
    shown = block(field_of("n", schema, default=3))
    assert shown["element"] == {
        "type": "number_input",
        "action_id": "input:n",
        "is_decimal_allowed": False,
        "initial_value": "3",
        "min_value": "1",
        "max_value": "9",
    }
    assert shown["hint"]["text"] == "A whole number. From 0.5 to 9.5. Left empty: 3."


def test_a_choice_of_numbers_has_its_default_chosen() -> None:
    """Options are shown as texts, whatever they mean."""
    shown = block(field_of("port", {"enum": [80, 443]}, default=443))
    assert shown["element"]["initial_option"]["value"] == "443"


def test_what_an_engine_shows_for_an_option_stands_beside_it() -> None:
    """Who chooses sees both the label and the value that is sent."""
    schema = {"enum": ["c", "f"], "values_display": {"c": "Canary first", "f": "f"}}
    options = block(field_of("how", schema))["element"]["options"]
    assert [o["text"]["text"] for o in options] == ["Canary first (c)", "f"]


def test_proposals_and_long_texts() -> None:
    """A text that an engine has proposals for tells some; one for many lines has room."""
    schema = {"type": "string", "format": "multiline", "examples": ["a", "b", "c", "d", 5]}
    shown = block(field_of("note", schema))
    assert shown["element"]["multiline"] is True
    assert shown["hint"]["text"] == "Such as: a, b, c."


def test_a_field_that_cannot_be_checked_is_told_not_asked() -> None:
    """Nobody fills in what would only be refused."""
    field = field_of("plan", {"$ref": "https://example.com"}, description="How", required=True)
    view = form(field)
    assert "plan: How\nThis can be filled in only on the page of its engine." in words(view)
    assert "input:plan.1a2b3c4d" not in {b.get("block_id") for b in view["blocks"]}


def test_what_is_wrong_with_a_field_that_is_not_asked_is_said_as_a_whole() -> None:
    """Slack drops errors for blocks that are not there."""
    field = field_of("plan", {"type": "nonsense"}, required=True)
    missing = Finding(Rule.INPUTS, False, "every field valid", "plan is required")
    refused = Refused((missing,), field_errors={"plan": "is required"})
    view = waiting(policy=Policy(inputs=(field,)))
    assert modals.field_errors(refused, view, Choice.APPROVE) is None


OPTION = InputField(name="option", type=InputType.CHOICE, options=("canary", "full"), required=True)


def test_a_pressed_option_is_chosen_already() -> None:
    """It can be changed; left out it is not a default, so it stays required."""
    shown = block(OPTION, option="full")
    assert shown["element"]["initial_option"]["value"] == "full"
    assert shown["optional"] is False
    assert "hint" not in shown
    assert "initial_option" not in block(OPTION)["element"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([InputField(name=f"n{n}") for n in range(100)], id="many fields"),
        pytest.param(
            [
                InputField(
                    name=f"n{n}",
                    type=InputType.CHOICE,
                    options=tuple(f"{k}{'x' * 70}" for k in range(100)),
                )
                for n in range(20)
            ],
            id="many options",
        ),
    ],
)
def test_a_form_that_slack_would_not_take_says_where_it_can_be_answered(
    fields: list[InputField],
) -> None:
    """A view has 100 blocks and 250 KB; what is larger goes by the command line."""
    view = form(*fields)
    assert "submit" not in view
    assert "signoff checkpoints approve cp_0123456789ab with --kv" in words(view["blocks"])
    assert "page of its engine" in words(view["blocks"])


SCHEMAS = st.sampled_from(
    [
        *({"type": "string"}, {"type": "integer", "minimum": -1e9}, {"type": "boolean"}, {}),
        *({"type": "object", "properties": {"<!channel>": {}}}, {"type": "array"}),
    ]
) | st.builds(
    lambda options, several: (
        {"type": "array", "items": {"enum": options}} if several else {"enum": options}
    ),
    st.lists(text, min_size=1, max_size=4, unique=True),
    st.booleans(),
)


@ROOMY
@given(name=text, description=text, schema=SCHEMAS, default=text | st.integers())
def test_whatever_another_engine_sends_slack_takes_the_form(
    name: str, description: str, schema: dict[str, Any], default: object
) -> None:
    """No name, description, option or default of a field makes a view that Slack refuses."""
    form(field_of(name, schema, default=default, description=description, required=True))


def test_options_with_half_a_character_are_typed() -> None:
    """A menu would send them back as they are, and they cannot be sent."""
    field = InputField(name="which", type=InputType.CHOICE, options=("a", "\ud800"))
    assert not fits_a_menu(field)
    assert fits_a_menu(InputField(name="which", type=InputType.CHOICE, options=("a", "b")))
