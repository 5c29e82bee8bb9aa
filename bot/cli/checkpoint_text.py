"""Checkpoints as a terminal shows them."""

from collections.abc import Iterator, Sequence

from bot import elsewhere, pressing_words, quorum, rules, wording
from bot.cli.output import Moments, details, say, table
from bot.form_elements import as_text
from bot.glass_notices import review_lines
from engine import (
    Checkpoint,
    CheckpointView,
    Choice,
    Delivery,
    DeliveryState,
    InputField,
    InputType,
    Policy,
    ReasonRule,
    Voice,
    expected_json,
    is_fillable,
    is_whole,
)


def list_table(found: Sequence[Checkpoint], moments: Moments, status: str, *, more: bool) -> None:
    """Checkpoints as rows."""
    table(
        ("id", "status", "tenant", "what", "needs", "deadline", "prompt"),
        [_row(checkpoint, moments) for checkpoint in found],
        empty="No checkpoints." if status == "all" else f"No {status} checkpoints.",
    )
    if more:
        say(f"(the first {len(found)}; --limit shows more)")


def _row(checkpoint: Checkpoint, moments: Moments) -> tuple[str, ...]:
    ended = checkpoint.ended_at
    return (
        checkpoint.id,
        checkpoint.state.value,
        checkpoint.tenant,
        wording.subject(checkpoint),
        checkpoint.policy.required_role.label,
        moments.relative(checkpoint.expires_at) if ended is None else "-",
        checkpoint.prompt,
    )


def show_view(view: CheckpointView, moments: Moments, deliveries: Sequence[Delivery] = ()) -> None:
    """A checkpoint in full."""
    say(wording.header(view))
    votes = (("vote", _voice(voice, moments)) for voice in view.voices)
    standing = (("votes", part) for part in (*quorum.lapsed(view), *quorum.missing(view)))
    details([*_request(view, moments), *votes, *standing, *_told(view, deliveries)])


def _request(view: CheckpointView, moments: Moments) -> Iterator[tuple[str, str]]:
    checkpoint, policy = view.checkpoint, view.checkpoint.policy
    yield "id", checkpoint.id
    yield "asks", checkpoint.prompt
    for fact in checkpoint.facts:
        yield "fact", f"{fact.label}: {wording.MASK if fact.secret else fact.value}"
    yield "run", f"{checkpoint.run_id} ({view.run.state.value}) in tenant {checkpoint.tenant}"
    if checkpoint.elsewhere is not None:
        page = f", {checkpoint.elsewhere.url}" if checkpoint.elsewhere.url else ""
        yield "gate", f"on {elsewhere.backend_of(checkpoint.elsewhere)}{page}"
    for line in wording.params(checkpoint.params):
        yield "parameter", line
    who = wording.name_of(view.requester)
    yield "asked by", f"{who} ({view.requested_as}), {moments.both(checkpoint.created_at)}"
    yield "needs", _needs(policy)
    if policy.approvers:
        yield "approvers", ", ".join(str(principal) for principal in policy.approvers)
    for field in policy.inputs:
        yield "input", _input(field)
    yield from _rules(checkpoint)
    if checkpoint.ended_at is None:
        yield "deadline", moments.both(checkpoint.expires_at)
    else:
        yield "ended", wording.side_by_side(wording.ending(view))
    yield from (("asked", said) for said in pressing_words.escalated(checkpoint))
    yield from (("warning", said) for said in pressing_words.shortfall(checkpoint))
    if (effect := elsewhere.consequence(view)) is not None:
        yield "effect", effect
    if view.called_off is not None:
        yield "run", wording.calling_off(view.called_off)
    if view.review is not None:
        yield "review", wording.plain_line(review_lines(view.review)[0])
    yield "request", checkpoint.request_digest


def _rules(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """What the rules without people came to, and the values they read."""
    for said in rules.every(checkpoint):
        yield "rule", said
    for fact in (fact for outcome in checkpoint.rules for fact in outcome.read):
        yield "read", f"{fact.name}: {fact.value}"


def _needs(policy: Policy) -> str:
    parts = [f"{policy.required_role.label} or higher"]
    if policy.quorum > 1 or policy.reject_quorum > 1:
        parts.append(f"{policy.quorum} to approve, {policy.reject_quorum} to reject")
    if not policy.self_approval:
        parts.append("not the one who started the run")
    parts += [
        f"a reason to {choice}"
        for choice in Choice
        if policy.reason_rule(choice) is ReasonRule.REQUIRED
    ]
    return "; ".join(parts)


def _input(field: InputField) -> str:
    kind = "whole number" if is_whole(field) else field.type.value
    parts = [kind, "required" if field.required else "optional"]
    if field.options:
        several = field.type is InputType.CHOICES
        parts.append(f"{'some' if several else 'one'} of {', '.join(field.options)}")
    if wanted := expected_json(field):
        parts.append(wanted)
    if not is_fillable(field):
        parts.append("to be filled in only on the page of its engine")
    if field.default is not None:
        parts.append(f"default {as_text(field.default)}")
    about = f": {field.description}" if field.description else ""
    return f"{field.name} ({'; '.join(parts)}){about}"


def _voice(voice: Voice, moments: Moments) -> str:
    reason = f": “{voice.reason}”" if voice.reason else ""
    when = moments.both(voice.decided_at)
    choice = f"{voice.choice} by break-glass" if voice.broke_glass else voice.choice.value
    lapsed = " (no longer counts)" if voice.lapsed else ""
    said = f"{choice}{lapsed}, {when}{reason}"
    return f"{wording.voice_of(voice)} ({voice.identity}): {said}"


def _told(view: CheckpointView, deliveries: Sequence[Delivery]) -> Iterator[tuple[str, str]]:
    for posting in view.postings:
        yield "card", f"{posting.surface} {posting.place or '(default channel)'}: {posting.state}"
    for delivery in deliveries:
        if delivery.error and delivery.state is not DeliveryState.DONE:
            yield "trouble", f"{delivery.kind} {delivery.state}: {delivery.error}"
