"""A press of a button for an option: it opens the form, with that option chosen."""

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.listeners import actions
from bot.payloads import Click, Place, Who
from bot.tokens import Target
from engine import Caller, CheckpointView, Identity, IdentityKind, InputField, InputType, Policy
from engine import Surface as Via
from tests.bot.views import CHECKPOINT_ID, DIGEST, assert_view, gate, waiting, words

BOB = Who(realm="T1", user_id="U0BOB", name="bob")
OPTION = InputField(name="option", type=InputType.CHOICE, options=("canary", "full"), required=True)
ASKED = waiting(policy=Policy(inputs=(OPTION,)), elsewhere=gate("canary", "full"))


class Book:
    """A store that finds one checkpoint, and keeps the names of what is written."""

    def __init__(self, view: CheckpointView) -> None:
        self.view = view
        self.written: list[partial[Any]] = []

    async def write(self, work: partial[Any]) -> object:
        """Admit whoever asks."""
        self.written.append(work)
        return self.view.checkpoint

    async def read(self, _work: partial[Any]) -> object:
        """The view of the checkpoint."""
        return self.view


def desk_with(book: Book, *, fails: bool = False) -> Desk:
    """A desk where everybody is known, or nobody can be looked up."""
    known = Caller(
        identity=Identity(IdentityKind.SLACK, "T1", "U0BOB"), surface=Via.SLACK, name="bob"
    )

    async def caller(*_: object) -> Caller | LookUpFailed:
        return LookUpFailed("slow") if fails else known

    async def lenders(*_: object) -> list[Caller]:
        return []

    stub = SimpleNamespace(
        store=book,
        caller=caller,
        lenders=lenders,
        unverified=lambda _: known,
        place_of=lambda _: "#deploys",
    )
    return cast("Desk", stub)


def press(action_id: str) -> Click:
    """A click on a button of the card."""
    return Click(
        who=BOB,
        action_id=action_id,
        target=Target(CHECKPOINT_ID, DIGEST),
        trigger_id="1.2.3",
        place=Place(channel="C0DEPLOY", message_ts="1.2", is_ephemeral=False),
        is_in_modal=False,
    )


@pytest.mark.parametrize(("action_id", "option"), [("option:0", "canary"), ("option:1", "full")])
async def test_the_form_opens_with_the_option_chosen(action_id: str, option: str) -> None:
    """It is the form to approve; the person may still choose another."""
    view = await actions.open_form(desk_with(Book(ASKED)), press(action_id))
    assert_view(view)
    [menu] = [b["element"] for b in view["blocks"] if b.get("block_id") == "input:option.1a2b3c4d"]
    assert menu["initial_option"]["value"] == option
    assert len(menu["options"]) == 2
    assert view["private_metadata"].endswith(".approve")
    assert view["submit"]["text"] == "Approve deploy"


@pytest.mark.parametrize("view", [waiting(), waiting(elsewhere=gate()), ASKED])
async def test_a_button_that_the_request_does_not_have_leads_nowhere(view: CheckpointView) -> None:
    """A place past the options, or a request without any, is tampering, and written down."""
    book = Book(view)
    shown = await actions.open_form(desk_with(book), press("option:2"))
    assert "This button leads nowhere" in words(shown)
    assert [work.func.__name__ for work in book.written] == ["admit", "note_unknown"]


async def test_somebody_who_cannot_be_looked_up_is_written_down_as_approving() -> None:
    """A press of an option is an attempt to approve."""
    book = Book(ASKED)
    shown = await actions.open_form(desk_with(book, fails=True), press("option:1"))
    assert "Try again in a moment" in words(shown)
    [note] = book.written
    assert (note.func.__name__, note.keywords["choice"]) == ("note_unverified", "approve")


@pytest.mark.parametrize(
    "action_id", ["option:0", "option:3", "approve", "approve_at_once", "reject", "details"]
)
def test_every_button_of_ours_is_known(action_id: str) -> None:
    """Only one listener hears each click."""
    assert not actions._UNKNOWN.search(action_id)


@pytest.mark.parametrize("action_id", ["option", "option:", "option:x", "option:123", "approve2"])
def test_any_other_button_is_unknown(action_id: str) -> None:
    """What is not one of ours is told so."""
    assert actions._UNKNOWN.search(action_id)
    assert not actions._AN_OPTION.search(action_id)
