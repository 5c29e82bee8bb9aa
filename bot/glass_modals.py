"""Modal views of a glass: the form to break it, with what that means, and the form to review it."""

from bot import glass_words, wording
from bot.blocks import context, explanation, paragraph, section
from bot.cards import fact_blocks, prompt_block, request_lines, target_of
from bot.forms import field_blocks, input_block_id, reason_block_id
from bot.glass_notices import broke, quoted, reason_of
from bot.literal import Block, cut, one_line, plain
from bot.modals import View, fits, modal, refusal_view
from bot.notices import form_too_large
from bot.refusals import reason_refused
from bot.tokens import CHOICE, GLASS_FORM, REASON, REVIEW_FORM
from bot.wording import Explanation, Moment
from engine import (
    LEAST_REASON,
    REASON_LIMIT,
    Checkpoint,
    CheckpointView,
    Choice,
    Refused,
    ReviewView,
    Rule,
    is_fillable,
)

_MOST_PROMPT = 1_500
_MOST_LINES = 40
_MOST_LABEL = 300
_MOST_OPTION = 75
_MOST_SENTENCE = 300
_MOST_HINT = 500
_ON_FIELDS = frozenset({Rule.REASON, Rule.INPUTS})
_CHOICES = ((Choice.APPROVE, "Approve"), (Choice.REJECT, "Reject"))
_WHAT_HAPPENS = (
    ("It takes effect at once, and the channel is told: who, why, and which rules gave way.",),
    ("Another person has to review it afterwards; until then it stays open.",),
)


def break_form(view: CheckpointView, place: str, notice: Explanation | None = None) -> View:
    """The request restated under a warning, and what breaking the glass asks for.

    `place` is where the reason will be read. `notice` stands on top; drawn again with one, the
    form keeps what was typed.
    """
    checkpoint = view.checkpoint
    form = modal(
        "Break glass",
        [
            *(explanation(notice) if notice else ()),
            section(f"⚠️ You are about to overrule who decides on {wording.subject(checkpoint)}"),
            paragraph(_WHAT_HAPPENS),
            prompt_block(checkpoint, _MOST_PROMPT, _MOST_LINES),
            *fact_blocks(checkpoint.facts),
            *(context(line) for line in request_lines(view)),
            _choice_block(checkpoint),
            *(_optional(block) for block in field_blocks(checkpoint)),
            _text_block(
                checkpoint,
                "Why the rules cannot be kept",
                f"At least {LEAST_REASON} characters. Visible in {place}.",
            ),
        ],
        submit="Break glass",
        close="Cancel",
        callback_id=GLASS_FORM,
        private_metadata=str(target_of(checkpoint)),
    )
    return form if fits(form) else refusal_view(form_too_large(checkpoint), "Too large")


def review_form(
    view: CheckpointView, review: ReviewView, notice: Explanation | None = None
) -> View:
    """Who broke the glass, what for, why and over which rules; and the note to sign it with."""
    checkpoint = view.checkpoint
    digest = f"digest {wording.short_digest(checkpoint.request_digest)}"
    overrode = glass_words.overrode(review.record.overridden)
    return modal(
        "Review",
        [
            *(explanation(notice) if notice else ()),
            section(broke(view, review)),
            *quoted(reason_of(view)),
            context((Moment(review.record.opened_at), overrode, digest)),
            prompt_block(checkpoint, _MOST_PROMPT, _MOST_LINES),
            *fact_blocks(checkpoint.facts),
            *(context(line) for line in request_lines(view)),
            _text_block(checkpoint, "What you found", "Recorded with your name, and shown."),
        ],
        submit="Sign",
        close="Cancel",
        callback_id=REVIEW_FORM,
        private_metadata=str(target_of(checkpoint)),
    )


def errors_on_fields(refused: Refused, checkpoint: Checkpoint) -> dict[str, str] | None:
    """What is wrong by block id; None when anything concerns no field of these forms."""
    asked = {field.name for field in checkpoint.policy.inputs if is_fillable(field)}
    if any(finding.rule not in _ON_FIELDS for finding in refused.reasons):
        return None
    if not refused.field_errors.keys() <= asked:
        return None
    errors = {
        input_block_id(checkpoint, name): f"{cut(one_line(f'{name} {said}'), _MOST_SENTENCE)}."
        for name, said in refused.field_errors.items()
    }
    for finding in refused.reasons:
        if finding.rule is Rule.REASON:
            said = wording.plain_line(reason_refused(finding).lines[0])
            errors[reason_block_id(checkpoint)] = said
    return errors


def _choice_block(checkpoint: Checkpoint) -> Block:
    options = [
        {
            "text": plain(f"{word} {one_line(checkpoint.dag_name)}", _MOST_OPTION),
            "value": choice.value,
        }
        for choice, word in _CHOICES
    ]
    return {
        "type": "input",
        "block_id": f"{CHOICE}.{wording.short_digest(checkpoint.request_digest)}",
        "label": plain("What shall happen", _MOST_LABEL),
        "element": {"type": "radio_buttons", "action_id": CHOICE, "options": options},
    }


def _optional(block: Block) -> Block:
    # Nobody fills in a form to say no; whether an approval lacks anything is found when it is sent.
    return {**block, "optional": True} if block["type"] == "input" else block


def _text_block(checkpoint: Checkpoint, label: str, hint: str) -> Block:
    return {
        "type": "input",
        "block_id": reason_block_id(checkpoint),
        "label": plain(label, _MOST_LABEL),
        "hint": plain(hint, _MOST_HINT),
        "element": {
            "type": "plain_text_input",
            "action_id": REASON,
            "multiline": True,
            "max_length": REASON_LIMIT,
        },
    }
