"""What `signoff doctor --live` posts: one button, and what became of it."""

from bot.blocks import context, section
from bot.cards import Message
from bot.literal import Block, cut, escaped, one_line, plain
from bot.tokens import LIVE_CHECK

_MOST_NAME = 80
_ASKED = "Signoff is being tried out. Press the button: nothing is decided by it."
_GIVEN_UP = "Signoff was tried out, and nobody's click arrived."


def asking(reference: str) -> Message:
    """The message with the button."""
    button: Block = {
        "type": "button",
        "action_id": LIVE_CHECK,
        "text": plain("It works", 75),
        "style": "primary",
        "value": reference,
        "accessibility_label": "Show that this click reaches Signoff",
    }
    return Message(_ASKED, (section(_ASKED), {"type": "actions", "elements": [button]}))


def heard(name: str) -> Message:
    """The same message, once the click has arrived."""
    who = cut(one_line(name), _MOST_NAME) or "somebody"
    said = f"✅ The click of {who} reached Signoff."
    return Message(escaped(said, 300), (section(said), context(("signoff doctor --live",))))


def given_up() -> Message:
    """The same message, when nobody's click came in time."""
    return Message(_GIVEN_UP, (section(f"⌛ {_GIVEN_UP}"),))
