"""The decision form, sent. Acked means recorded: nothing is acked before the commit."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, assert_never

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import modals, notices
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.listeners.tampered import tampered_view
from bot.payloads import Malformed, Submission, Who, parse_submission
from bot.read_json import part
from bot.refusals import refusal
from bot.tokens import DECISION_FORM
from bot.wording import Explanation, plain_line
from engine import (
    Accepted,
    Answer,
    Caller,
    CheckpointView,
    Decided,
    Missing,
    Refused,
    Settled,
    StoreError,
    checkpoint_view,
    decide,
    earlier_voters,
    note_unverified,
)

log = logging.getLogger(__name__)

Reply = dict[str, Any]
Answering = Callable[[Desk, dict[str, Any]], Awaitable[Reply]]

DONE: Reply = {"response_action": "clear"}
"""It is recorded: every form closes."""


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the form to the decision."""

    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack(**await guarded(desk, body, answer_form))

    app.view(DECISION_FORM)(submitted)


async def guarded(desk: Desk, body: dict[str, Any], answer: Answering) -> Reply:
    """What a form is answered; when something broke, that nothing is certain."""
    try:
        return await answer(desk, body)
    except Exception:
        # Nothing was acked, so the form must say that nothing is certain.
        ref = reference()
        log.exception("a decision could not be recorded (reference %s)", ref)
        return _not_recorded(body, notices.not_recorded(ref))


def _not_recorded(body: dict[str, Any], why: Explanation) -> Reply:
    """Say so under a field: the form stays as it is, with what was typed, to be sent again."""
    fields = part(body, "view", "state", "values")
    if not isinstance(fields, Mapping) or not fields:
        return show(modals.error_view(why))
    *_, last = fields
    said = ". ".join([why.headline, *(plain_line(line) for line in why.lines)])
    return {"response_action": "errors", "errors": {str(last): said}}


async def answer_form(desk: Desk, body: dict[str, Any]) -> Reply:
    """Decide, and say what Slack should do with the form."""
    sent = parse_submission(body)
    if isinstance(sent, Malformed):
        return show(await tampered_view(desk, body, sent))
    outcome = await decided(desk, sent)
    if isinstance(outcome, LookUpFailed):
        return await _unverified(desk, sent)
    if isinstance(outcome, Missing):
        return show(modals.error_view(notices.unknown_id(outcome.checkpoint_id)))
    match outcome.ruling:
        case Settled():
            return DONE
        case Accepted():
            return await _counted(desk, sent)
        case Refused() as refused:
            return await _refused(desk, sent, refused)
        case _:
            assert_never(outcome.ruling)


async def decided(desk: Desk, sent: Submission) -> Decided | Missing | LookUpFailed:
    """Record an answer, or that it was refused, or that nobody could tell who gave it."""
    caller, voters = await asyncio.gather(
        desk.caller(sent.who, sent.target.checkpoint_id),
        voters_of(desk, sent.who, sent.target.checkpoint_id),
    )
    if isinstance(caller, LookUpFailed):
        await desk.store.write(
            partial(
                note_unverified,
                checkpoint_id=sent.target.checkpoint_id,
                caller=desk.unverified(sent.who),
                choice=sent.choice,
                why=caller.why,
            )
        )
        return caller
    answer = Answer(
        choice=sent.choice,
        reason=sent.reason,
        inputs=sent.inputs,
        request_digest=sent.target.digest,
    )
    return await desk.store.write(
        partial(
            decide,
            checkpoint_id=sent.target.checkpoint_id,
            caller=caller,
            answer=answer,
            voters=voters,
        )
    )


async def voters_of(desk: Desk, who: Who, named: str) -> list[Caller]:
    """Whoever voted before or lends a place, looked up again: it counts while they may."""
    asked = partial(earlier_voters, checkpoint_id=named, caller=who.identity)
    return await desk.looked_up(
        [account for account in await desk.store.read(asked) if account != who.identity], named
    )


async def _counted(desk: Desk, sent: Submission) -> Reply:
    try:
        view = await _view(desk, sent)
    except StoreError:
        view = None  # it is recorded: nothing may say otherwise now
    return DONE if view is None else show(modals.counted_view(view, sent.choice))


async def _refused(desk: Desk, sent: Submission, refused: Refused) -> Reply:
    view = await _view(desk, sent)
    if view is None:
        return show(modals.error_view(notices.unknown_id(sent.target.checkpoint_id)))
    errors = modals.field_errors(refused, view, sent.choice)
    if errors is not None:
        return {"response_action": "errors", "errors": errors}
    if modals.is_stale(refused, view):
        return show(_anew(desk, sent, view, refused))
    return show(modals.refusal_of(refused, view))


def _anew(desk: Desk, sent: Submission, view: CheckpointView, refused: Refused) -> modals.View:
    """The form of the request as it is now, with why, and with the reason that was typed."""
    why, place = refusal(refused, view), desk.place_of(view)
    return modals.decision_form(view, sent.choice, notice=why, place=place, reason=sent.reason)


async def _unverified(desk: Desk, sent: Submission) -> Reply:
    view = await _view(desk, sent)
    if view is None:
        return show(modals.refusal_view(notices.look_up_failed()))
    # The same form again, so that what was typed stays and can be sent once more.
    again = modals.decision_form(
        view, sent.choice, notice=notices.look_up_failed(), place=desk.place_of(view)
    )
    return show(again)


async def _view(desk: Desk, sent: Submission) -> CheckpointView | None:
    named = sent.target.checkpoint_id
    return await desk.store.read(partial(checkpoint_view, checkpoint_id=named))


def show(view: dict[str, Any]) -> Reply:
    """The form becomes this view."""
    return {"response_action": "update", "view": view}
