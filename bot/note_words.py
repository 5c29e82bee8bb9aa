"""Direct messages: one line and a link. It says what was so when it was sent, and never goes stale.

The link leads to the card, which is true whenever it is looked at.
"""

from bot import wording
from bot.cards import Message
from bot.literal import cut, escaped, one_line, run_of
from engine import CheckpointView, Why

OPEN = "Open the request"
_MOST_LINE = 500
_MOST_TEXT = 3_000


def asked(view: CheckpointView, why: Why, link: str | None) -> Message:
    """That something waits for this person, and why it is they who hear of it."""
    subject = wording.subject(view.checkpoint)
    match why:
        case Why.ALONE:
            said = f"You alone are named to decide: {subject}"
        case Why.ESCALATED:
            said = f"Escalated to you: {subject}"
        case _:
            said = f"You can decide: {subject}"
    return _line(said, link)


def outcome(view: CheckpointView, link: str | None) -> Message:
    """How a request of this person ended, and its run, where that has; None: its card is gone."""
    said = wording.header(view)
    if view.run.has_ended:
        said = f"{said}. {wording.run_outcome(view.run)}"
    return _line(said, link)


def _line(said: str, link: str | None) -> Message:
    shown = cut(one_line(said), _MOST_LINE)
    runs = [run_of(f"{shown}. ", _MOST_LINE + 2)]
    spoken = f"{escaped(shown, _MOST_TEXT)}."
    if link is not None:
        runs.append({"type": "link", "url": link, "text": OPEN})
        spoken = f"{spoken} <{link}|{OPEN}>"
    section = {"type": "rich_text_section", "elements": runs}
    return Message(spoken, ({"type": "rich_text", "elements": [section]},))
