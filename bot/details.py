"""Everything about a checkpoint, as the blocks of a view; the whole stays below 250 KB.

The budgets below add up to some 40,000 characters: even if each took six bytes of JSON,
Slack would take the view.
"""

from bot import blocks, glass_words, quorum, rules, wording
from bot.agreement import is_split
from bot.form_elements import as_text
from bot.glass_notices import review_lines
from bot.literal import (
    ELLIPSIS,
    Block,
    chunks,
    cut,
    length,
    one_line,
    preformatted,
    run_of,
    visible,
)
from bot.notices import standing_still
from bot.times import duration
from bot.wording import MASK, Line, Moment
from engine import CheckpointView, Choice, Fact, Policy, Voice

_CHUNK = 3_000
_MOST_PROMPT = 12_000
_MOST_FACTS = 10
_MOST_FACT = 1_000
_MOST_LABEL = 100
_MOST_VOICES = 15
_MOST_REASON = 600
_MOST_FORM = 3_000
_MOST_PARAMS = 1_500
_MOST_APPROVERS = 1_000
_MOST_ID = 300
_MOST_RULE = 500
_MOST_READ = 3_000


def details_blocks(view: CheckpointView, *, show_secrets: bool) -> list[Block]:
    """Prompt, facts, votes, policy, ids and the run."""
    return [
        blocks.section(wording.header(view)),
        blocks.context((*wording.count(view), *wording.ending(view))),
        *_prompt(view),
        *_facts(view, show_secrets=show_secrets),
        *_votes(view),
        *_review(view),
        blocks.paragraph([("Policy",), *policy_lines(view.checkpoint.policy)], _MOST_APPROVERS),
        *_rules(view, show_values=show_secrets),
        *_params(view),
        preformatted(_ids(view)),
        *_run(view),
    ]


def _run(view: CheckpointView) -> list[Block]:
    """How the run stands, who called it off, and whether everything stands still."""
    shown = [blocks.section(wording.run_outcome(view.run))]
    if view.called_off is not None:
        shown.append(blocks.section(wording.calling_off(view.called_off)))
    if view.standstill is not None and not view.run.has_ended:
        shown.append(blocks.context(standing_still(view.standstill)))
    return shown


def policy_lines(policy: Policy) -> list[Line]:
    """The policy in sentences."""
    lines: list[Line] = [(f"Needs {policy.required_role.label}.",)]
    if policy.approvers:
        lines.append((f"Only: {', '.join(str(who) for who in policy.approvers)}.",))
    lines.append((f"To approve: {_people(policy.quorum)}. {_reason(policy, Choice.APPROVE)}",))
    lines.append((f"To reject: {_people(policy.reject_quorum)}. {_reason(policy, Choice.REJECT)}",))
    may = "may" if policy.self_approval else "may not"
    lines.append((f"Whoever started the run {may} decide.",))
    after = wording.after_expiry(policy.on_expire)
    lines.append((f"Expires after {duration(policy.expires_in)}. Then: {after}",))
    return lines


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def _reason(policy: Policy, choice: Choice) -> str:
    return f"Reason: {policy.reason_rule(choice).value}."


def _prompt(view: CheckpointView) -> list[Block]:
    return long_text(view.checkpoint.prompt.strip() or "(no prompt)", _MOST_PROMPT, view)


def long_text(text: str, most: int, view: CheckpointView) -> list[Block]:
    """A text in fixed width, and how much of it had to be left out."""
    shown = visible(text)
    kept = cut(shown, most)
    pieces = [preformatted(piece) for piece in chunks(kept, _CHUNK)]
    if kept == shown:
        return pieces
    left_out = length(shown) - length(kept) + len(ELLIPSIS)
    more = f"{left_out:,} characters more"
    where = f"signoff checkpoints show {view.checkpoint.id}"
    return [*pieces, blocks.context((f"cut: {more}, {where}",))]


def _facts(view: CheckpointView, *, show_secrets: bool) -> list[Block]:
    facts = view.checkpoint.facts
    shown = [
        block
        for fact in facts[:_MOST_FACTS]
        for block in _fact(fact, view, show_secrets=show_secrets)
    ]
    if len(facts) > _MOST_FACTS:
        where = f"signoff checkpoints show {view.checkpoint.id}"
        shown.append(blocks.context((f"cut: {len(facts) - _MOST_FACTS} facts more, {where}",)))
    return shown


def _fact(fact: Fact, view: CheckpointView, *, show_secrets: bool) -> list[Block]:
    label = {
        "type": "rich_text_section",
        "elements": [run_of(one_line(fact.label), _MOST_LABEL, bold=True)],
    }
    heading: Block = {"type": "rich_text", "elements": [label]}
    if fact.secret and not show_secrets:
        return [heading, preformatted(MASK)]
    return [heading, *long_text(fact.value or "(empty)", _MOST_FACT, view)]


def _votes(view: CheckpointView) -> list[Block]:
    voices = sorted(view.voices, key=lambda voice: voice.decided_at)
    open_yet = quorum.in_full(view)
    if not voices:
        return [blocks.paragraph(open_yet, _MOST_APPROVERS)] if open_yet else []
    lines = [line for voice in voices[:_MOST_VOICES] for line in _vote(voice)]
    if len(voices) > _MOST_VOICES:
        lines.append((f"and {len(voices) - _MOST_VOICES} more",))
    lines += open_yet[:_MOST_VOICES]
    return [blocks.paragraph(lines, _MOST_REASON), *_form(voices)]


def _vote(voice: Voice) -> list[Line]:
    mark = "✅" if voice.choice is Choice.APPROVE else "❌"
    mark = f"{glass_words.MARK} {mark}" if voice.broke_glass else mark
    who = f"{mark} {wording.voice_of(voice)} ({voice.role.label}), "
    vote: Line = (who, Moment(voice.decided_at), f", from {voice.surface.value}")
    return [vote, (f"“{voice.reason.strip()}”",)] if voice.reason.strip() else [vote]


def _review(view: CheckpointView) -> list[Block]:
    """Who signed that the glass was broken, or that nobody has yet."""
    if view.review is None:
        return []
    return [blocks.paragraph(review_lines(view.review), _MOST_REASON)]


def _form(voices: list[Voice]) -> list[Block]:
    """What was filled in: once where all filled in the same, else by each."""
    filled = [voice for voice in voices if voice.inputs]
    split = is_split(filled)
    lines = [
        line
        for voice in (filled[:_MOST_VOICES] if split else filled[-1:])
        for line in (*([f"{wording.voice_of(voice)}:"] if split else []), *_filled_in(voice))
    ]
    text = cut("\n".join(lines), _MOST_FORM)
    return [preformatted(piece) for piece in chunks(text, _CHUNK)]


def _filled_in(voice: Voice) -> list[str]:
    return [f"{one_line(name)}: {one_line(as_text(value))}" for name, value in voice.inputs.items()]


def _params(view: CheckpointView) -> list[Block]:
    """What the run was started with."""
    lines = [one_line(line) for line in wording.params(view.checkpoint.params)]
    if not lines:
        return []
    heading = blocks.paragraph([("Parameters of the run",)])
    return [heading, *long_text("\n".join(lines), _MOST_PARAMS, view)]


def _rules(view: CheckpointView, *, show_values: bool) -> list[Block]:
    """What the rules without people came to; what they read is not for everybody."""
    said = rules.every(view.checkpoint)
    if not said:
        return []
    shown = view.checkpoint.rules if show_values else ()
    read = {fact.name: fact.value for one in shown for fact in one.read}
    values = cut("\n".join(f"{one_line(k)}: {one_line(v)}" for k, v in read.items()), _MOST_READ)
    heading = ("Rules without people, as they were when it was asked",)
    return [
        blocks.paragraph([heading, *((one,) for one in said)], _MOST_RULE),
        *(preformatted(piece) for piece in chunks(values, _CHUNK)),
    ]


def _ids(view: CheckpointView) -> str:
    checkpoint = view.checkpoint
    rows = (
        ("checkpoint", checkpoint.id),
        ("run", checkpoint.run_id),
        ("DAG", checkpoint.dag_name),
        ("task", checkpoint.task_id),
        ("tenant", checkpoint.tenant),
        ("asked by", f"{wording.name_of(view.requester)} ({view.requested_as})"),
        ("request digest", checkpoint.request_digest),
        ("DAG digest", checkpoint.dag_digest),
    )
    return "\n".join(f"{name}: {cut(one_line(value), _MOST_ID)}" for name, value in rows)
