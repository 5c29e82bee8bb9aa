"""The views for deciding several at once: which, each once more, and what became of each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bot import wording
from bot.blocks import context, explanation, paragraph, section
from bot.cards import button, fact_blocks, prompt_block, request_lines, target_of
from bot.literal import Block, cut, length, one_line, plain, visible
from bot.modals import View, modal
from bot.tokens import (
    CHOICE,
    DETAILS,
    PICK_FORM,
    PICKED,
    REASON,
    SEVERAL_FORM,
    Target,
    join_targets,
)
from bot.wording import Explanation, Line
from engine import (
    REASON_LIMIT,
    Apart,
    Checkpoint,
    CheckpointView,
    Choice,
    Finding,
    ReasonRule,
    Rule,
)

TITLE = "Decide several"

_MOST_OPTION = 75
_MOST_ASKED = 50
_MOST_SUBJECT = 120
_MOST_PROMPT = 400
_MOST_LINES = 3
_MOST_FACTS = 5
_MOST_APART = 10
_MOST_WHY = 120
_MOST_LABEL = 300
_MOST_HINT = 500
_WORDS = {Choice.APPROVE: "Approve all of these", Choice.REJECT: "Reject all of these"}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one answer of several: whether it was recorded, and a sentence of it."""

    recorded: bool
    said: str


def pick_form(ready: Sequence[Checkpoint], apart: Sequence[Apart], *, more: bool = False) -> View:
    """Which of those that can be decided together; the others below, with why.

    `more` says that further ones wait that are on another page.
    """
    left_out = [*_left_out(apart), *([_MORE] if more else [])]
    if not ready:
        none = section("Nothing here can be decided together with others.")
        return modal(TITLE, [none, *left_out])
    intro = "Next, each of them is shown once more, and you decide for all at once."
    return modal(
        TITLE,
        [section(intro), _ticks(ready), *left_out],
        submit="Review",
        close="Cancel",
        callback_id=PICK_FORM,
    )


def review_form(
    views: Sequence[CheckpointView],
    apart: Sequence[Apart] = (),
    *,
    notice: Explanation | None = None,
) -> View:
    """Each of them restated, one choice for all, and one reason.

    What was left out since it was picked is said above, with why. Drawn again with a `notice`,
    the form keeps what was typed.
    """
    targets = [target_of(view.checkpoint) for view in views]
    said = [*(explanation(notice) if notice else ()), *_left_out(apart)]
    if not views:
        return modal(TITLE, [section("None of these can be decided together any more."), *said])
    seen = _short(targets)
    return modal(
        f"Review {len(views)}",
        [
            *said,
            *(block for view in views for block in _restated(view)),
            _choice_block(seen),
            *_reason_blocks(views, seen),
        ],
        submit="Record",
        close="Cancel",
        callback_id=SEVERAL_FORM,
        private_metadata=join_targets(targets),
    )


def results(told: Sequence[Told]) -> View:
    """What became of each."""
    recorded = sum(1 for one in told if one.recorded)
    lines: list[Line] = [
        (one.said if one.recorded else f"⚠️ Not recorded: {one.said}",) for one in told
    ]
    blocks = [section(f"Recorded {recorded} of {len(told)}."), paragraph(lines)]
    if recorded < len(told):
        blocks.append(context(("Look at the others one by one, with Review.",)))
    return modal(f"Recorded {recorded} of {len(told)}", blocks)


def under_way() -> View:
    """What is shown when it takes longer than Slack waits; nothing is said to be recorded yet."""
    return modal(TITLE, [section("This takes a moment. What became of each follows here.")])


def nothing_ticked() -> dict[str, str]:
    """The error under the list when nothing was chosen."""
    return {PICKED: "Choose at least one."}


def reason_missing(
    targets: Sequence[Target], views: Sequence[CheckpointView], choice: Choice, reason: str
) -> dict[str, str] | None:
    """The error under the reason where one of them wants one; None where it will do.

    `targets` are those that the form carries.
    """
    wanting = [v.checkpoint for v in views if _rule(v, choice) is ReasonRule.REQUIRED]
    if reason.strip() or not wanting:
        return None
    said = f"A reason is required to {choice} {told_apart(wanting[0])}."
    return {_reason_id(_short(targets)): said}


def reason_for(view: CheckpointView, choice: Choice, reason: str) -> str:
    """The reason as it goes to one of them: none to what asks for none."""
    return "" if _rule(view, choice) is ReasonRule.NONE else reason


_MORE = context(("More wait on further pages of the list.",))


def _ticks(ready: Sequence[Checkpoint]) -> Block:
    options = [
        {
            "text": plain(f"{wording.subject(one)} · {one_line(one.tenant)}", _MOST_OPTION),
            "description": plain(_description(one), _MOST_OPTION),
            "value": str(target_of(one)),
        }
        for one in ready
    ]
    return {
        "type": "input",
        "block_id": PICKED,
        "label": plain("Which", _MOST_LABEL),
        "element": {"type": "checkboxes", "action_id": PICKED, "options": options},
    }


def _description(checkpoint: Checkpoint) -> str:
    """What is asked, and what tells it from another run's same question."""
    asked = cut(one_line(checkpoint.prompt), _MOST_ASKED) or "(no prompt)"
    return f"{asked} · digest {wording.short_digest(checkpoint.request_digest)}"


def told_apart(checkpoint: Checkpoint) -> str:
    """`deploy · approve (1a2b3c4d)`: the same question of two runs has two digests."""
    subject = cut(wording.subject(checkpoint), _MOST_SUBJECT)
    return f"{subject} ({wording.short_digest(checkpoint.request_digest)})"


def _left_out(apart: Sequence[Apart]) -> list[Block]:
    if not apart:
        return []
    lines: list[Line] = [
        ("Not together with others:",),
        *((f"{told_apart(a.checkpoint)}: {why_apart(a.why)}",) for a in apart[:_MOST_APART]),
    ]
    if len(apart) > _MOST_APART:
        lines.append((f"and {len(apart) - _MOST_APART} more",))
    return [paragraph(lines)]


def why_apart(why: Finding) -> str:
    """Why one cannot be decided together with others, in a few words to whoever would."""
    if why.rule is Rule.ALONE:
        return cut(one_line(why.found), _MOST_WHY)
    return _WHY.get(why.rule) or f"it needs {cut(one_line(why.needed), _MOST_WHY)}"


_WHY = {
    Rule.OPEN: "it has ended",
    Rule.DIGEST: "it is not the request you were shown",
    Rule.SELF_APPROVAL: "you started its run",
    Rule.APPROVERS: "you are not among its approvers",
    Rule.STANDING: "your account may not decide it",
    Rule.KNOWN_PERSON: "it cannot be told whether you started its run",
}


def _restated(view: CheckpointView) -> list[Block]:
    checkpoint = view.checkpoint
    title = f"{wording.subject(checkpoint)} · {one_line(checkpoint.tenant)}"
    heading = section(title) | {"accessory": button(DETAILS, checkpoint)}
    cut_short = [context(("Not all of it: Details shows the rest.",))] if _is_cut(view) else []
    return [
        heading,
        prompt_block(checkpoint, _MOST_PROMPT, _MOST_LINES),
        *fact_blocks(checkpoint.facts[:_MOST_FACTS]),
        *(context(line) for line in request_lines(view)),
        *cut_short,
    ]


def _is_cut(view: CheckpointView) -> bool:
    prompt = visible(view.checkpoint.prompt).strip()
    too_long = length(prompt) > _MOST_PROMPT or prompt.count("\n") >= _MOST_LINES
    return too_long or len(view.checkpoint.facts) > _MOST_FACTS


def _choice_block(seen: str) -> Block:
    options = [
        {"text": plain(word, _MOST_OPTION), "value": choice.value}
        for choice, word in _WORDS.items()
    ]
    return {
        "type": "input",
        "block_id": f"{CHOICE}.{seen}",
        "label": plain("Your decision", _MOST_LABEL),
        "element": {"type": "radio_buttons", "action_id": CHOICE, "options": options},
    }


def _reason_blocks(views: Sequence[CheckpointView], seen: str) -> list[Block]:
    rules = {choice: {_rule(view, choice) for view in views} for choice in Choice}
    if all(found == {ReasonRule.NONE} for found in rules.values()):
        return []
    needed = [choice for choice, found in rules.items() if ReasonRule.REQUIRED in found]
    said = f" Needed to {' or '.join(needed)}." if needed else ""
    block = {
        "type": "input",
        "block_id": _reason_id(seen),
        "optional": len(needed) < len(rules),
        "label": plain("Reason for all of them", _MOST_LABEL),
        "hint": plain(f"Visible where their cards are.{said}", _MOST_HINT),
        "element": {
            "type": "plain_text_input",
            "action_id": REASON,
            "multiline": True,
            "max_length": REASON_LIMIT,
        },
    }
    return [block]


def _short(targets: Sequence[Target]) -> str:
    """Part of the ids of blocks: what was typed for other requests does not survive."""
    return hashlib.sha256(join_targets(targets).encode()).hexdigest()[:8]


def _reason_id(seen: str) -> str:
    return f"{REASON}.{seen}"


def _rule(view: CheckpointView, choice: Choice) -> ReasonRule:
    return view.checkpoint.policy.reason_rule(choice)
