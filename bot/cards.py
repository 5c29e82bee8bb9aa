"""Cards and thread replies of a checkpoint: a view in, a message out.

Text from DAGs and people goes into `plain_text` and rich text only. What is mrkdwn here
is ours, word for word, so that nothing of theirs can mention, link or format.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot import elsewhere, pressing_words, quorum, rules, wording
from bot.blocks import context, header, section
from bot.gate_options import button_labels, link_there, option_field
from bot.literal import ELLIPSIS, Block, cut, escaped, one_line, plain, run_of, visible
from bot.one_tap import dialog
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
from bot.wording import MASK, Line, Moment, Part
from engine import Checkpoint, CheckpointState, CheckpointView, Effect, Fact, Voice

_MOST_PROMPT = 500
_MOST_LINES = 12
_MOST_PROMPT_SPOKEN = 300
_MOST_FACTS = 10
_MOST_LABEL = 60
_MOST_VALUE = 200
_MOST_REASONS = 5
_MOST_REASON = 500
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


def run_result(view: CheckpointView) -> Message:
    """The thread reply with what became of the run."""
    outcome = wording.run_outcome(view.run)
    bits: list[Part] = [f"run {one_line(view.run.id)}"]
    if view.run.ended_at is not None:
        bits.insert(0, Moment(view.run.ended_at))
    said = outcome
    if view.called_off is not None:
        bits.append(wording.calling_off(view.called_off))
        said = f"{outcome}. {wording.calling_off(view.called_off)}"
    blocks = (section(outcome), context(tuple(bits)))
    return Message(escaped(said, _MOST_TEXT), blocks)


def _waiting(view: CheckpointView) -> Message:
    checkpoint = view.checkpoint
    blocks = (
        header(wording.header(view)),
        prompt_block(checkpoint),
        *fact_blocks(checkpoint.facts),
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


def why_blocks(view: CheckpointView) -> tuple[Block, ...]:
    """Why it ended, in the words of those who ended it; none where they gave none."""
    if view.checkpoint.state is CheckpointState.CANCELLED:
        reason = "" if view.called_off is None else view.called_off.reason.strip()
        return _quoted([[run_of(reason, _MOST_REASON)]] if reason else [])
    if (rule := rules.approved_by(view.checkpoint)) is not None:
        return _quoted([[run_of(rules.expression(rule), _MOST_REASON)]])
    return _reasons(wording.deciders(view))


def _reasons(voices: Sequence[Voice]) -> tuple[Block, ...]:
    spoken = [voice for voice in voices if voice.reason.strip()][:_MOST_REASONS]
    return _quoted(
        [
            [
                *([run_of(f"{wording.voice_of(voice)}: ", _MOST_LABEL)] * (len(voices) > 1)),
                run_of(voice.reason.strip(), _MOST_REASON),
            ]
            for voice in spoken
        ]
    )


def _quoted(said: Sequence[list[Block]]) -> tuple[Block, ...]:
    quotes = [{"type": "rich_text_quote", "elements": runs} for runs in said]
    return ({"type": "rich_text", "elements": quotes},) if quotes else ()


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
