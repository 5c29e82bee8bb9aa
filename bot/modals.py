"""Modal views: where a request is read in full, decided, and refused.

Everything here is private to the reader; it still shows secrets only to whom they are meant for.
"""

import json
from typing import Any

from bot import glass_words, wording
from bot.blocks import context, explanation, paragraph, section
from bot.cards import (
    buttons,
    fact_blocks,
    prompt_block,
    request_lines,
    target_of,
)
from bot.details import details_blocks
from bot.forms import form_blocks, input_block_id, reason_block_id
from bot.literal import Block, cut, one_line, plain
from bot.notices import counted, form_too_large, standing_still
from bot.quorum import lapsed_lines, missing
from bot.quotes import why_blocks
from bot.refusals import reason_refused, refusal
from bot.tokens import (
    APPROVE_IN_MODAL,
    BREAK_GLASS,
    DECISION_FORM,
    DETAILS,
    READ_ONLY,
    REJECT_IN_MODAL,
    FormState,
)
from bot.wording import Explanation
from engine import Checkpoint, CheckpointView, Choice, ReasonRule, Refused, Rule, is_fillable

View = dict[str, Any]

_MOST_TITLE = 24
_MOST_BLOCKS = 100
_MOST_BYTES = 250_000
_MOST_SENTENCE = 300
_MOST_PROMPT = 1_500
_MOST_LINES = 40
_MOST_LAPSED = 15
_WORDS = {Choice.APPROVE: "Approve", Choice.REJECT: "Reject"}
_ON_FIELDS = frozenset({Rule.REASON, Rule.INPUTS})


def loading(title: str = "Request") -> View:
    """What opens at once, before anything is looked up."""
    return modal(title, [section("Loading the request…")])


def decision_form(
    view: CheckpointView,
    choice: Choice,
    *,
    notice: Explanation | None = None,
    place: str | None = None,
    option: str | None = None,
    reason: str = "",
) -> View:
    """The request restated, and what this choice asks for.

    `notice` stands on top; drawn again with one, the form keeps what was typed. `place` is
    where the card is, such as `#deploys`. `option` is chosen already, `reason` typed already.
    What has ended shows its end instead, and a form that Slack would not take where else it
    can be filled in.
    """
    checkpoint = view.checkpoint
    if not checkpoint.is_open:
        return settled_view(view)
    word = _WORDS[choice]
    where = place or view.channel or "the channel of the card"
    form = _draft(
        word,
        [
            *(explanation(notice) if notice else ()),
            prompt_block(checkpoint, _MOST_PROMPT, _MOST_LINES),
            *fact_blocks(checkpoint.facts),
            *(context(line) for line in request_lines(view)),
            *form_blocks(checkpoint, choice, where, option, reason),
        ],
        submit=f"{word} {one_line(checkpoint.dag_name)}",
        close="Cancel",
        callback_id=DECISION_FORM,
        private_metadata=str(FormState(target_of(checkpoint), choice)),
    )
    return form if fits(form) else refusal_view(form_too_large(checkpoint), "Too large")


def fits(view: View) -> bool:
    """Whether Slack takes so large a view."""
    return len(view["blocks"]) <= _MOST_BLOCKS and len(json.dumps(view)) <= _MOST_BYTES


def details(
    view: CheckpointView, viewer_may_see_secrets: bool, *, may_break_glass: bool = False
) -> View:
    """Everything about a checkpoint; with buttons that lead to the form while it waits."""
    checkpoint = view.checkpoint
    glass = [BREAK_GLASS] if may_break_glass else []
    decide = (APPROVE_IN_MODAL, REJECT_IN_MODAL, *glass)
    return modal(
        "Request" if checkpoint.is_open else _state_title(checkpoint),
        [
            *details_blocks(view, show_secrets=viewer_may_see_secrets),
            *([buttons(checkpoint, *decide)] if checkpoint.is_open else []),
        ],
        private_metadata=str(target_of(checkpoint)),
    )


def settled_view(view: CheckpointView) -> View:
    """How a checkpoint ended, or how far it has come; nothing to decide here."""
    after = wording.consequence(view)
    blocks = [
        section(wording.header(view)),
        context((*wording.count(view), *wording.ending(view))),
        *why_blocks(view),
        *([section(after)] if after else []),
        prompt_block(view.checkpoint),
    ]
    return modal(_state_title(view.checkpoint), blocks)


def _state_title(checkpoint: Checkpoint) -> str:
    return glass_words.title(checkpoint) or wording.state_word(checkpoint.state)


def counted_view(view: CheckpointView, choice: Choice) -> View:
    """The answer was recorded, and more people are needed."""
    lapsed = lapsed_lines(view, choice)[:_MOST_LAPSED]
    blocks = [
        *explanation(counted(view, choice)),
        *([paragraph(lapsed)] if lapsed else []),
        context((*missing(view), *wording.ending(view))),
    ]
    if view.standstill is not None:
        blocks.append(context(standing_still(view.standstill)))
    return modal("Recorded", blocks)


def refusal_view(why: Explanation, title: str = "Not recorded") -> View:
    """Why not, and what to do next."""
    return modal(title, explanation(why))


def changed_view(view: CheckpointView, why: Explanation) -> View:
    """The request is another than was seen: why that is refused, and the request as it is.

    Its buttons carry the digest of what is shown here.
    """
    checkpoint = view.checkpoint
    return modal(
        "Not recorded",
        [
            *explanation(why),
            prompt_block(checkpoint, _MOST_PROMPT, _MOST_LINES),
            *fact_blocks(checkpoint.facts),
            *(context(line) for line in request_lines(view)),
            buttons(checkpoint, APPROVE_IN_MODAL, REJECT_IN_MODAL, DETAILS),
        ],
    )


def refusal_of(refused: Refused, view: CheckpointView) -> View:
    """What a refused answer leads to; where only the digest was another, the request as it is."""
    why = refusal(refused, view)
    return changed_view(view, why) if is_stale(refused, view) else refusal_view(why)


def is_stale(refused: Refused, view: CheckpointView) -> bool:
    """Whether an answer was refused only because the request is another than was seen."""
    return view.checkpoint.is_open and {f.rule for f in refused.reasons} == {Rule.DIGEST}


def error_view(what: Explanation) -> View:
    """Something broke, or what was clicked leads nowhere."""
    return modal("Something went wrong", explanation(what))


def field_errors(refused: Refused, view: CheckpointView, choice: Choice) -> dict[str, str] | None:
    """What is wrong by block id; None when anything concerns no field of this form."""
    policy = view.checkpoint.policy
    if not refused.reasons or any(f.rule not in _ON_FIELDS for f in refused.reasons):
        return None
    errors: dict[str, str] = {}
    if refused.names(Rule.INPUTS):
        shown = policy.inputs if choice is Choice.APPROVE else ()
        asked = {field.name for field in shown if is_fillable(field)}
        if not refused.field_errors or not refused.field_errors.keys() <= asked:
            return None
        for name, sentence in refused.field_errors.items():
            said = cut(one_line(f"{name} {sentence}"), _MOST_SENTENCE)
            errors[input_block_id(view.checkpoint, name)] = f"{said}."
    if refused.names(Rule.REASON):
        if policy.reason_rule(choice) is ReasonRule.NONE:
            return None
        finding = next(f for f in refused.reasons if f.rule is Rule.REASON)
        said = wording.plain_line(reason_refused(finding).lines[0])
        errors[reason_block_id(view.checkpoint)] = said
    return errors


def modal(
    title: str,
    blocks: list[Block],
    *,
    submit: str | None = None,
    close: str = "Close",
    callback_id: str = READ_ONLY,
    private_metadata: str = "",
) -> View:
    """A modal view."""
    return _draft(
        title,
        blocks,
        submit=submit,
        close=close,
        callback_id=callback_id,
        private_metadata=private_metadata,
    )


def _draft(
    title: str,
    blocks: list[Block],
    *,
    submit: str | None = None,
    close: str = "Close",
    callback_id: str = READ_ONLY,
    private_metadata: str = "",
) -> View:
    """The same, before anybody has looked whether it is too large."""
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, _MOST_TITLE),
        "close": plain(close, _MOST_TITLE),
        **({"submit": plain(submit, _MOST_TITLE)} if submit else {}),
        "private_metadata": private_metadata,
        "blocks": blocks,
    }
