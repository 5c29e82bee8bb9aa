"""Every sentence about a checkpoint that a person reads, in Slack and in a terminal.

Text of theirs is made visible here; where it goes decides how it is escaped. Refusals are
in `refusals`; what the bot says of itself is in `notices`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from bot import elsewhere, glass_words, rules
from bot.agreement import alike, is_split, largest_group
from bot.literal import cut, one_line
from bot.times import duration, utc
from engine import (
    CalledOff,
    Cause,
    Checkpoint,
    CheckpointState,
    CheckpointView,
    Choice,
    Failure,
    OnExpire,
    PersonView,
    Run,
    RunCause,
    RunState,
    Voice,
    action_on_expiry,
)

MASK = "••••"
"""What stands where a secret is not shown."""

_MOST_NAME = 80
_MOST_NAMES = 8
_MOST_REASON = 200
_SHORT_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in a sentence, with words of ours around it (never of theirs)."""

    at: datetime
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}{utc(self.at)}{self.after}"


Part = str | Moment
Line = tuple[Part, ...]


def plain_line(line: Line) -> str:
    """The line without markup, times in UTC."""
    return "".join(str(part) for part in line)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something is not so, and what to do next."""

    headline: str
    lines: tuple[Line, ...] = ()
    next_step: str = ""

    def __str__(self) -> str:
        """As a terminal shows it: no markup, times in UTC."""
        said = [self.headline, *(plain_line(line) for line in self.lines), self.next_step]
        return "\n".join(sentence for sentence in said if sentence)


def name_of(person: PersonView) -> str:
    """What a person is called. Somebody erased has no name any more."""
    return cut(one_line(person.name), _MOST_NAME) or "(name erased)"


def voice_of(voice: Voice) -> str:
    """`Bob`, or `Bob for Alice` where Alice lent her place."""
    who = name_of(voice.person)
    return who if voice.on_behalf is None else f"{who} for {name_of(voice.on_behalf)}"


def names_of(voices: Sequence[Voice]) -> str:
    """`Ana`, `Ana and Bob for Cid`, `Ana, Bob and 3 more`."""
    names = [voice_of(voice) for voice in voices]
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} more"]
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def subject(checkpoint: Checkpoint) -> str:
    """What it is about: `deploy · approve_release`."""
    return f"{one_line(checkpoint.dag_name)} · {one_line(checkpoint.task_id)}"


def params(given: Mapping[str, object]) -> list[str]:
    """What a run was started with: `version: 1.2`, one a line."""
    return [
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in given.items()
    ]


def short_digest(digest: str) -> str:
    """Enough of a digest to compare by eye."""
    return digest[:_SHORT_DIGEST]


def state_word(state: CheckpointState) -> str:
    """The symbol and the word a card's header begins with."""
    match state:
        case CheckpointState.PENDING:
            return "⏳ Approval needed"
        case CheckpointState.APPROVED:
            return "✅ Approved"
        case CheckpointState.REJECTED:
            return "❌ Rejected"
        case CheckpointState.EXPIRED:
            return "⌛ Expired"
        case CheckpointState.CANCELLED:
            return "🚫 Cancelled"
        case _:
            assert_never(state)


def header(view: CheckpointView) -> str:
    """`✅ Approved: deploy · approve_release`."""
    checkpoint = view.checkpoint
    by_rule = "" if rules.approved_by(checkpoint) is None else " by rule"
    word = elsewhere.state_word(checkpoint) or glass_words.state_word(checkpoint)
    word = word or f"{state_word(checkpoint.state)}{by_rule}"
    return f"{word}: {subject(checkpoint)}"


def voices_for(view: CheckpointView, choice: Choice) -> tuple[Voice, ...]:
    """The votes for a choice that count, the earliest first."""
    chosen = (v for v in view.voices if v.choice is choice and not v.lapsed)
    return tuple(sorted(chosen, key=lambda voice: voice.decided_at))


def deciders(view: CheckpointView) -> tuple[Voice, ...]:
    """Whose votes brought the end about; empty unless people decided."""
    if view.checkpoint.cause is Cause.BREAK_GLASS:
        return tuple(voice for voice in view.voices if voice.broke_glass)
    match view.checkpoint.state:
        case CheckpointState.APPROVED:
            voices = voices_for(view, Choice.APPROVE)
            return alike(voices, voices[-1]) if voices else ()
        case CheckpointState.REJECTED:
            return voices_for(view, Choice.REJECT)
        case _:
            return ()


def tally(view: CheckpointView, choice: Choice) -> str:
    """`1 of 2`."""
    needed = view.checkpoint.policy.needed(choice)
    return f"{min(len(counted_by(view, choice)), needed)} of {needed}"


def counted_by(view: CheckpointView, choice: Choice) -> tuple[Voice, ...]:
    """The most whose votes for a choice count together."""
    return largest_group(voices_for(view, choice))


def count(view: CheckpointView) -> tuple[str, ...]:
    """The votes so far, where one is not enough: `1 of 2: Ana ✅`."""
    if not view.checkpoint.is_open:
        return ()
    said = []
    for choice, mark, words in (
        (Choice.APPROVE, "✅", ""),
        (Choice.REJECT, "❌", " to reject"),
    ):
        voices = voices_for(view, choice)
        counts = choice is Choice.APPROVE or bool(voices)
        if counts and view.checkpoint.policy.needed(choice) > 1:
            apart = ", not for the same" if is_split(voices) else ""
            who = f": {names_of(voices)} {mark}{apart}" if voices else ""
            said.append(f"{tally(view, choice)}{words}{who}")
    return tuple(said)


def ending(view: CheckpointView) -> Line:
    """How it ended, by whom and when, in parts that stand side by side."""
    checkpoint = view.checkpoint
    at = checkpoint.ended_at or checkpoint.expires_at
    match checkpoint.state:
        case CheckpointState.PENDING:
            return (Moment(checkpoint.expires_at, before="Expires "),)
        case CheckpointState.APPROVED:
            return _decided(view, Choice.APPROVE, at)
        case CheckpointState.REJECTED:
            return _decided(view, Choice.REJECT, at)
        case CheckpointState.EXPIRED if checkpoint.cause is Cause.FORCED:
            return (
                Moment(at, before="Ended early, "),
                "before its deadline, at an Operator's word",
                _undecided(view),
            )
        case CheckpointState.EXPIRED:
            return (Moment(at, before="Expired "), _undecided(view))
        case CheckpointState.CANCELLED:
            return (*_withdrawn(view, at), _undecided(view))
        case _:
            assert_never(checkpoint.state)


def _decided(view: CheckpointView, choice: Choice, at: datetime) -> Line:
    if (rule := rules.approved_by(view.checkpoint)) is not None:
        return (rule.name.capitalize(), "nobody was asked", Moment(at))
    took = duration(at - view.checkpoint.created_at)
    needed = view.checkpoint.policy.needed(choice)
    counted = (tally(view, choice),) if needed > 1 else ()
    if view.review is not None:
        counted = (glass_words.overrode(view.review.record.overridden),)
    voices = deciders(view)
    who = names_of(voices) or "(unknown)"
    chosen = elsewhere.option_taken(view.checkpoint, voices)
    return (who, *chosen, Moment(at), f"after {took}", *counted)


def _withdrawn(view: CheckpointView, at: datetime) -> Line:
    if (why := elsewhere.ending(view)) is not None:
        return (why, Moment(at, before="noticed "))
    if view.called_off is None:
        return (Moment(at, before="Its run ended "),)
    return (Moment(at, before="Its run was called off "), f"by {name_of(view.called_off.by)}")


def _undecided(view: CheckpointView) -> str:
    voices = view.voices
    if not voices:
        return "nobody decided"
    approvals = tally(view, Choice.APPROVE)
    rejections = len(voices_for(view, Choice.REJECT))
    against = f", {rejections} against" if rejections else ""
    return f"not decided: {approvals} approvals{against}"


def calling_off(called_off: CalledOff) -> str:
    """`Called off by Ana: wrong branch`."""
    why = f": {cut(one_line(called_off.reason), _MOST_REASON)}" if called_off.reason.strip() else ""
    return f"Called off by {name_of(called_off.by)}{why}"


def side_by_side(line: Line) -> str:
    """`Ana · 2026-01-02 14:02 UTC · after 12 min`."""
    return " · ".join(str(part) for part in line)


def consequence(view: CheckpointView) -> str:
    """What its end means for the run; nothing while it waits."""
    checkpoint = view.checkpoint
    if (said := elsewhere.consequence(view)) is not None:
        return said
    match checkpoint.state:
        case CheckpointState.PENDING:
            return ""
        case CheckpointState.APPROVED:
            return "The run goes on."
        case CheckpointState.REJECTED:
            return "What depends on the approval does not run."
        case CheckpointState.EXPIRED:
            return after_expiry(action_on_expiry(checkpoint.policy))
        case CheckpointState.CANCELLED:
            return "Nothing further happens."
        case _:
            assert_never(checkpoint.state)


def after_expiry(on_expire: OnExpire) -> str:
    """What an expiry means for the run."""
    match on_expire:
        case OnExpire.FAIL:
            return "The run fails."
        case OnExpire.REJECT:
            return "The run takes its reject path."
        case OnExpire.ESCALATE:
            return "More people are asked, once; after as long again the run fails."
        case _:
            assert_never(on_expire)


def run_outcome(run: Run) -> str:
    """How a run ended, in one line."""
    name = one_line(run.dag_name)
    match run.state:
        case RunState.SUCCEEDED:
            return f"✅ Run of {name} succeeded"
        case RunState.FAILED:
            return f"❌ Run of {name} failed: {_run_cause(run)}"
        case RunState.CANCELLED:
            return f"🚫 Run of {name} was cancelled"
        case RunState.RUNNING if run.called_off_at is not None:
            return f"🚫 Run of {name} was called off; what runs of it is being ended"
        case RunState.QUEUED | RunState.RUNNING | RunState.PAUSED:
            return f"⏳ Run of {name} is {run.state.value}"
        case _:
            assert_never(run.state)


def run_failed_at(run: Run, failure: Failure, after: str) -> str:
    """`❌ Run of deploy failed after approval: task ship: ended with exit status 1`."""
    name, task = one_line(run.dag_name), cut(one_line(failure.task), _MOST_NAME)
    why = cut(one_line(failure.error), _MOST_REASON) or "failed"
    return f"❌ Run of {name} failed{after}: task {task}: {why}"


def _run_cause(run: Run) -> str:
    task = one_line(run.because or "a task")
    match run.cause:
        case RunCause.TASK_FAILED:
            return f"task {task} failed"
        case RunCause.REJECTED:
            return f"{task} was rejected"
        case RunCause.EXPIRED:
            return f"{task} expired, nobody decided"
        case RunCause.TIMED_OUT:
            return "it ran out of time"
        case None:
            return "no cause was recorded"
        case _:
            assert_never(run.cause)
