"""Cards and thread replies of a checkpoint: a view in, a message out.

Text from DAGs and people goes into `plain_text` and rich text only. What is mrkdwn here
is ours, word for word, so that nothing of theirs can mention, link or format.
"""

from dataclasses import dataclass
from typing import Any

from bot import elsewhere, pressing_words, progress_line, quorum, rules, wording
from bot.blocks import context, header, section
from bot.gate_options import button_labels, link_there, option_field
from bot.literal import ELLIPSIS, Block, cut, escaped, length, one_line, plain, run_of, visible
from bot.one_tap import dialog
from bot.quotes import why_blocks
from bot.tokens import (
    APPROVE,
    APPROVE_AT_ONCE,
    APPROVE_IN_MODAL,
    ASK_AGAIN,
    BREAK_GLASS,
    DETAILS,
    EVENT_TYPE,
    REJECT,
    REJECT_IN_MODAL,
    REVIEW,
    Target,
    option_action,
)
from bot.wording import MASK, Line
from engine import Checkpoint, CheckpointState, CheckpointView, Effect, Fact

_MOST_PROMPT = 500
_MOST_LINES = 12
_MOST_PROMPT_SPOKEN = 300
_MOST_FACTS = 10
_MOST_LABEL = 60
_MOST_VALUE = 200
_MOST_TEXT = 3_000
_MOST_BUTTON_LABEL = 75


@dataclass(frozen=True, slots=True)
class Message:
    """What Slack is given: `text` for notifications and screen readers, and the blocks."""

    text: str
    blocks: tuple[Block, ...]


def metadata(checkpoint_id: str) -> dict[str, Any]:
    """What a card carries unseen, so that a copy can be recognised: an opaque id only."""
    return {"event_type": EVENT_TYPE, "event_payload": {"checkpoint": checkpoint_id}}


def target_of(checkpoint: Checkpoint) -> Target:
    """What the buttons of this request carry."""
    return Target(checkpoint.id, checkpoint.request_digest)


def approval_card(view: CheckpointView) -> Message:
    """The card of a checkpoint as it is now, waiting or ended."""
    return _waiting(view) if view.checkpoint.is_open else _settled(view)


def expired_notice(view: CheckpointView) -> Message:
    """The thread reply that nobody decided, and what then happens."""
    return _end_notice(view)


def elsewhere_notice(view: CheckpointView) -> Message:
    """The thread reply that an answer has no effect, or that somebody answered elsewhere."""
    return _end_notice(view)


def _end_notice(view: CheckpointView) -> Message:
    ending, after = wording.ending(view), wording.consequence(view)
    said = f"{wording.header(view)}. {wording.side_by_side(ending)}. {after}"
    blocks = (section(f"{wording.header(view)}. {after}"), context(ending))
    return Message(escaped(said, _MOST_TEXT), blocks)


def _waiting(view: CheckpointView) -> Message:
    checkpoint = view.checkpoint
    blocks = (
        header(wording.header(view)),
        prompt_block(checkpoint),
        *fact_blocks(checkpoint.facts),
        *progress_blocks(view),
        *(context(line) for line in request_lines(view)),
        *(section(said) for said in pressing_words.shortfall(checkpoint)),
        *(context((said,)) for said in pressing_words.untold(checkpoint)),
        _decision_buttons(checkpoint),
    )
    return Message(spoken(view), blocks)


def _decision_buttons(checkpoint: Checkpoint) -> Block:
    """One button for each option of a gate that has a few; else one that leads to the form."""
    options = [
        _button(option_action(place), label, "primary" if place == 0 else None, checkpoint)
        for place, label in enumerate(button_labels(checkpoint))
    ]
    approve = options or [_approve_button(checkpoint)]
    others = [button(action_id, checkpoint) for action_id in (REJECT, DETAILS)]
    return {"type": "actions", "elements": [*approve, *others, *link_there(checkpoint)]}


def _approve_button(checkpoint: Checkpoint) -> Block:
    """It opens the form, or asks at once where one tap is enough."""
    asks = dialog(checkpoint)
    if asks is None:
        return button(APPROVE, checkpoint)
    return {**button(APPROVE_AT_ONCE, checkpoint), "confirm": asks}


def _settled(view: CheckpointView) -> Message:
    checkpoint = view.checkpoint
    ending = wording.ending(view)
    took_effect = checkpoint.effect is Effect.APPLIED
    after = "" if wording.deciders(view) and took_effect else wording.consequence(view)
    blocks = (
        header(wording.header(view)),
        context((*ending, after) if after else ending),
        *why_blocks(view),
        prompt_block(checkpoint),
        *fact_blocks(checkpoint.facts),
        *progress_blocks(view),
        context((*_about(view), _digest(checkpoint))),
        buttons(checkpoint, *([ASK_AGAIN] if _offers_to_ask(view) else []), DETAILS),
    )
    return Message(spoken(view), blocks)


def request_lines(view: CheckpointView) -> tuple[Line, ...]:
    """Who asks whom, and how it stands, in small print."""
    votes = (*wording.count(view), *quorum.in_short(view), *quorum.missing(view))
    standing = (*votes, *wording.ending(view), _digest(view.checkpoint))
    return _about(view), standing, *rules.lines(view.checkpoint)


def _offers_to_ask(view: CheckpointView) -> bool:
    # Not after a rejection: a person said no, and asking once more takes more than a tap.
    return view.checkpoint.state is CheckpointState.EXPIRED and view.can_ask_again


def _about(view: CheckpointView) -> Line:
    checkpoint = view.checkpoint
    role = f"needs {checkpoint.policy.required_role.label}"
    named = len(checkpoint.policy.approvers)
    there = checkpoint.elsewhere
    return (
        f"DAG {one_line(checkpoint.dag_name)}",
        f"tenant {one_line(checkpoint.tenant)}",
        f"run {one_line(checkpoint.run_id)}",
        *([] if there is None else [f"on {elsewhere.backend_of(there)}"]),
        f"asked by {wording.name_of(view.requester)}",
        f"{role}, one of {named} named" if named else role,
        *pressing_words.escalated(checkpoint),
    )


def _digest(checkpoint: Checkpoint) -> str:
    return f"digest {wording.short_digest(checkpoint.request_digest)}"


def spoken(view: CheckpointView) -> str:
    """The whole card in sentences, for notifications and screen readers; secrets never."""
    checkpoint = view.checkpoint
    votes = (*wording.count(view), *quorum.in_short(view), *quorum.missing(view))
    ending = wording.side_by_side((*votes, *wording.ending(view)))
    facts = "; ".join(
        f"{cut(one_line(fact.label), _MOST_LABEL)}: {cut(masked(fact), _MOST_LABEL)}"
        for fact in checkpoint.facts[:_MOST_FACTS]
    )
    said = (
        f"{wording.header(view)}.",
        cut(one_line(checkpoint.prompt), _MOST_PROMPT_SPOKEN),
        f"{facts}." if facts else "",
        f"Asked by {wording.name_of(view.requester)}.",
        f"{ending}.",
        *(f"{said}." for said in pressing_words.shortfall(checkpoint)),
        *(f"{said}." for said in pressing_words.untold(checkpoint)),
        *(f"{said}." for said in rules.notable(checkpoint)),
        progress_line.what_follows(view),
        wording.consequence(view),
    )
    return escaped(" ".join(part for part in said if part), _MOST_TEXT)


def masked(fact: Fact) -> str:
    """A fact's value on one line, or what stands where a secret is not shown."""
    return MASK if fact.secret else one_line(fact.value)


def prompt_block(
    checkpoint: Checkpoint, limit: int = _MOST_PROMPT, most_lines: int = _MOST_LINES
) -> Block:
    """What is asked; a long prompt goes on in Details."""
    lines = visible(checkpoint.prompt).strip().split("\n")
    more = f"\n{ELLIPSIS}" if len(lines) > most_lines else ""
    shown = "\n".join(lines[:most_lines]) + more
    return {"type": "section", "text": plain(shown, limit, "(no prompt)")}


def is_prompt_cut(checkpoint: Checkpoint) -> bool:
    """Whether a card shows only the beginning of what is asked."""
    asked = visible(checkpoint.prompt).strip()
    return length(asked) > _MOST_PROMPT or asked.count("\n") >= _MOST_LINES


def is_fact_cut(fact: Fact) -> bool:
    """Whether a card shows only the beginning of a fact that anybody may see."""
    return not fact.secret and length(f": {one_line(fact.value)}") > _MOST_VALUE


def fact_blocks(facts: tuple[Fact, ...]) -> tuple[Block, ...]:
    """The facts shown, one line each; none without facts."""
    lines = [
        {
            "type": "rich_text_section",
            "elements": [
                run_of(one_line(fact.label), _MOST_LABEL, bold=True),
                run_of(f": {masked(fact)}", _MOST_VALUE),
            ],
        }
        for fact in facts[:_MOST_FACTS]
    ]
    return ({"type": "rich_text", "elements": lines},) if lines else ()


def progress_blocks(view: CheckpointView) -> tuple[Block, ...]:
    """How far the run has come, in one line; none for a run whose tasks are not known here."""
    line = progress_line.line(view)
    return (context((line,)),) if line else ()


_BUTTONS = {
    APPROVE: ("Approve", "primary"),
    APPROVE_AT_ONCE: ("Approve", "primary"),
    APPROVE_IN_MODAL: ("Approve", "primary"),
    REJECT: ("Reject", "danger"),
    REJECT_IN_MODAL: ("Reject", "danger"),
    DETAILS: ("Details", None),
    ASK_AGAIN: ("Ask again", None),
    REVIEW: ("Review", None),
    BREAK_GLASS: ("Break glass …", "danger"),
}


def button(action_id: str, checkpoint: Checkpoint) -> Block:
    """A button about a checkpoint. Its value is opaque; whoever hears it knows what it is for."""
    word, style = _BUTTONS[action_id]
    if word == "Approve" and option_field(checkpoint) is not None:
        word = "Choose …"  # the form asks which option is taken
    return _button(action_id, word, style, checkpoint)


def _button(action_id: str, word: str, style: str | None, checkpoint: Checkpoint) -> Block:
    label = f"{word} {wording.subject(checkpoint)}"
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain(word, _MOST_BUTTON_LABEL),
        "value": str(target_of(checkpoint)),
        "accessibility_label": cut(label, _MOST_BUTTON_LABEL),
        **({"style": style} if style else {}),
    }


def buttons(checkpoint: Checkpoint, *action_ids: str) -> Block:
    """A row of buttons about a checkpoint."""
    elements = [button(action_id, checkpoint) for action_id in action_ids]
    return {"type": "actions", "elements": [*elements, *link_there(checkpoint)]}
