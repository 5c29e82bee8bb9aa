"""Breaking the glass, and signing its review: the buttons that open the forms, and the forms."""

import asyncio
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import glass_modals, modals, notices
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.glass_payloads import Breaking, parse_breaking, parse_signature
from bot.listeners.actions import on_click
from bot.listeners.submissions import (
    DONE,
    Answering,
    Reply,
    guarded,
    show,
    voters_of,
)
from bot.listeners.tampered import tampered_view
from bot.payloads import Click, Malformed, Who
from bot.refusals import refusal
from bot.tokens import BREAK_GLASS, GLASS_FORM, REVIEW_FORM, SIGN_REVIEW, Target
from engine import (
    Answer,
    BrokenGlass,
    Checkpoint,
    CheckpointView,
    Decided,
    Missing,
    Refused,
    ReviewRecord,
    Signed,
    admit_breaking,
    admit_review,
    break_glass,
    checkpoint_view,
    note_unverified,
    sign_review,
)

Body = dict[str, Any]
View = dict[str, Any]


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the buttons to the forms, and the forms to what they do."""

    async def wants_to_break(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(on_click(desk, body, open_break_form))

    async def wants_to_review(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(on_click(desk, body, open_review_form))

    app.action(BREAK_GLASS)(wants_to_break)
    app.action(SIGN_REVIEW)(wants_to_review)
    _hear_form(app, desk, GLASS_FORM, answer_breaking)
    _hear_form(app, desk, REVIEW_FORM, answer_review)


def _hear_form(app: AsyncApp, desk: Desk, callback_id: str, answer: Answering) -> None:
    async def sent(ack: AsyncAck, body: Body) -> None:
        await ack(**await guarded(desk, body, answer))

    app.view(callback_id)(sent)


async def open_break_form(desk: Desk, click: Click) -> View:
    """The form to break the glass, for Admins; for anybody else why not, and it is on record."""
    caller = await desk.caller(click.who, click.target.checkpoint_id)
    if isinstance(caller, LookUpFailed):
        return await _unverified(desk, click.who, click.target, BREAK_GLASS, caller)
    admitted = await desk.store.write(
        partial(
            admit_breaking,
            checkpoint_id=click.target.checkpoint_id,
            caller=caller,
            request_digest=click.target.digest,
        )
    )
    view = await _view(desk, click.target)
    match admitted:
        case Checkpoint() if view is not None:
            return glass_modals.break_form(view, _place(desk, view))
        case Decided(ruling=Refused() as refused) if view is not None:
            return modals.refusal_of(refused, view)
        case Missing() | Checkpoint() | Decided():
            return modals.error_view(notices.unknown_id(click.target.checkpoint_id))


async def open_review_form(desk: Desk, click: Click) -> View:
    """The form to sign a review, for an Operator who had no part in it."""
    named = click.target.checkpoint_id
    caller = await desk.caller(click.who, named)
    if isinstance(caller, LookUpFailed):
        return await _unverified(desk, click.who, click.target, SIGN_REVIEW, caller)
    admitted = await desk.store.write(partial(admit_review, checkpoint_id=named, caller=caller))
    view = await _view(desk, click.target)
    match admitted:
        case ReviewRecord() if view is not None and view.review is not None:
            return glass_modals.review_form(view, view.review)
        case Decided(ruling=Refused() as refused) if view is not None:
            return modals.refusal_view(refusal(refused, view))
        case Missing() | ReviewRecord() | Decided():
            return modals.error_view(notices.unknown_id(named))


async def answer_breaking(desk: Desk, body: Body) -> Reply:
    """Break the glass, and say what Slack should do with the form."""
    sent = parse_breaking(body)
    if isinstance(sent, Malformed):
        return show(await tampered_view(desk, body, sent))
    named = sent.target.checkpoint_id
    caller, voters = await asyncio.gather(
        desk.caller(sent.who, named), voters_of(desk, sent.who, named)
    )
    view = await _view(desk, sent.target)
    if isinstance(caller, LookUpFailed):
        unverified = await _unverified(desk, sent.who, sent.target, BREAK_GLASS, caller)
        return show(_break_form_again(desk, view) or unverified)
    outcome = await desk.store.write(
        partial(
            break_glass,
            checkpoint_id=named,
            caller=caller,
            answer=_answer(sent),
            voters=voters,
        )
    )
    if isinstance(outcome, BrokenGlass):
        return DONE
    return await _not_done(desk, sent.target, outcome)


async def answer_review(desk: Desk, body: Body) -> Reply:
    """Sign a review, and say what Slack should do with the form."""
    sent = parse_signature(body)
    if isinstance(sent, Malformed):
        return show(await tampered_view(desk, body, sent))
    named = sent.target.checkpoint_id
    caller = await desk.caller(sent.who, named)
    if isinstance(caller, LookUpFailed):
        unverified = await _unverified(desk, sent.who, sent.target, SIGN_REVIEW, caller)
        return show(_review_form_again(await _view(desk, sent.target)) or unverified)
    outcome = await desk.store.write(
        partial(
            sign_review,
            checkpoint_id=named,
            caller=caller,
            note=sent.note,
            request_digest=sent.target.digest,
        )
    )
    if isinstance(outcome, Signed):
        return DONE
    return await _not_done(desk, sent.target, outcome)


def _answer(sent: Breaking) -> Answer:
    return Answer(
        choice=sent.choice,
        reason=sent.reason,
        inputs=sent.inputs,
        request_digest=sent.target.digest,
    )


async def _not_done(desk: Desk, target: Target, outcome: Decided | Missing) -> Reply:
    """Why not: under the fields where it concerns those alone, else in place of the form."""
    view = await _view(desk, target)
    if view is None or isinstance(outcome, Missing) or not isinstance(outcome.ruling, Refused):
        return show(modals.error_view(notices.unknown_id(target.checkpoint_id)))
    errors = glass_modals.errors_on_fields(outcome.ruling, view.checkpoint)
    if errors is not None:
        return {"response_action": "errors", "errors": errors}
    return show(modals.refusal_of(outcome.ruling, view))


async def _unverified(
    desk: Desk, who: Who, target: Target, attempt: str, failed: LookUpFailed
) -> View:
    await desk.store.write(
        partial(
            note_unverified,
            checkpoint_id=target.checkpoint_id,
            caller=desk.unverified(who),
            choice=attempt,
            why=failed.why,
        )
    )
    return modals.refusal_view(notices.look_up_failed())


def _break_form_again(desk: Desk, view: CheckpointView | None) -> View | None:
    """The same form, so that what was typed stays and can be sent once more."""
    if view is None or not view.checkpoint.is_open:
        return None
    return glass_modals.break_form(view, _place(desk, view), notices.look_up_failed())


def _review_form_again(view: CheckpointView | None) -> View | None:
    if view is None or view.review is None or not view.review.record.is_open:
        return None
    return glass_modals.review_form(view, view.review, notices.look_up_failed())


def _place(desk: Desk, view: CheckpointView) -> str:
    return desk.place_of(view) or view.channel or "the channel of the card"


async def _view(desk: Desk, target: Target) -> CheckpointView | None:
    named = target.checkpoint_id
    return await desk.store.read(partial(checkpoint_view, checkpoint_id=named))
