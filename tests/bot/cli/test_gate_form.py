"""The form of another engine, as a terminal shows it."""

from datetime import timedelta

import pytest

from bot.cli.checkpoint_text import show_view
from bot.cli.json_views import view_json
from bot.cli.output import Moments
from engine import InputField, InputType, Policy
from engine.backends.schemas import field_of
from tests.bot.views import ASKED_AT, gate, waiting

FIELDS = (
    InputField(name="option", type=InputType.CHOICE, options=("canary", "full"), required=True),
    InputField(name="on", type=InputType.CHOICES, options=("eu", "us"), default=["eu"]),
    field_of("replicas", {"type": "integer"}, default=3),
    field_of("plan", {"type": "array", "items": {"type": "string"}}, description="Steps"),
    field_of("odd", {"$ref": "https://example.com"}),
)
ASKED = waiting(policy=Policy(inputs=FIELDS), elsewhere=gate("canary", "full"))


def test_show_tells_what_can_be_filled_in(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever uses `--kv` reads the options, what JSON is wanted, and what is not asked."""
    show_view(ASKED, Moments(ASKED_AT + timedelta(minutes=1)))
    said = capsys.readouterr().out
    for line in (
        "option (choice; required; one of canary, full)",
        'on (choices; optional; some of eu, us; default ["eu"])',
        "replicas (whole number; optional; default 3)",
        "plan (json; optional; a list of texts): Steps",
        "odd (json; optional; to be filled in only on the page of its engine)",
    ):
        assert line in said


def test_json_tells_the_schema_of_a_field() -> None:
    """A program that fills in the form can check what it sends."""
    told = {field["name"]: field["schema"] for field in view_json(ASKED)["inputs"]}
    assert told["option"] is None
    assert told["replicas"] == {"type": "integer"}
