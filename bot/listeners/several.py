"""Deciding several at once: a list's button, which ones, each once more, one answer for all.

Each answer is a decision of its own, in a transaction of its own, judged like any other.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import elsewhere, lists, modals, notices, several, wording
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.listeners.tampered import tampered_view
from bot.payloads import Malformed, Who
from bot.refusals import refusal
from bot.several_payloads import Asked, Picked, Sent, parse_asked, parse_picked, parse_sent
from bot.slack import SlackError
from bot.tokens import MOST_TOGETHER, PICK_FORM, SEVERAL, SEVERAL_FORM, ListKind, Target
from bot.wording import plain_line
from engine import (
    Answer,
    Caller,
    CheckpointView,
    Decided,
    Missing,
    Refused,
    Rule,
    checkpoint_view,
    decide_together,
    groups_chosen,
    groups_pending,
    note_unverified,
    several_chosen,
    several_pending,
)

log = logging.getLogger(__name__)

Body = dict[str, Any]
View = dict[str, Any]
Reply = dict[str, Any]

_QUICK_S = 2.0  # Slack gives up on a form after three seconds
# Slack must have drawn what the ack showed before it is told what comes after.
_ACK_DRAWN_S = 0.5


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the button and both forms to what they do."""

    async def asked(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(open_list(desk, body))

    async def picked(ack: AsyncAck, body: Body) -> None:
        await ack(**await _guarded(desk, body, review))

    async def sent(ack: AsyncAck, body: Body) -> None:
        await ack(**await _guarded(desk, body, record))

    app.action(SEVERAL)(asked)
    app.view(PICK_FORM)(picked)
    app.view(SEVERAL_FORM)(sent)


async def _guarded(
    desk: Desk, body: Body, answer: Callable[[Desk, Body], Awaitable[Reply]]
) -> Reply:
    try:
        return await answer(desk, body)
    except Exception:
        ref = reference()
        log.exception("several could not be decided at once (reference %s)", ref)
        return _show(modals.error_view(notices.not_recorded(ref)))


async def open_list(desk: Desk, body: Body) -> None:
    """The modal first, as its trigger lives three seconds; then what can be decided together."""
    asked = parse_asked(body)
    if isinstance(asked, Malformed):
        view = await tampered_view(desk, body, asked)
        if isinstance(trigger_id := body.get("trigger_id"), str):
            await desk.slack.open_view(trigger_id, view)
        return
    try:
        view_id = await desk.slack.open_view(asked.trigger_id, modals.loading(several.TITLE))
    except SlackError as error:
        log.warning("a modal could not be opened: %s", error)
        if asked.response_url:
            again = lists.notice(notices.click_again())
            await desk.slack.answer(asked.response_url, again.text, again.blocks)
        return
    await desk.slack.update_view(view_id, await _or_broken(_pick_form(desk, asked)))


async def _pick_form(desk: Desk, asked: Asked) -> View:
    state = asked.state
    groups = await desk.store.read(
        partial(groups_pending, tenant=state.tenant, dag=state.dag, after=state.cursor)
    )
    caller = await _caller(desk, asked.who, groups)
    if isinstance(caller, LookUpFailed):
        return modals.refusal_view(notices.look_up_failed())
    found = await desk.store.read(
        partial(
            several_pending,
            caller=caller,
            limit=MOST_TOGETHER,
            tenant=state.tenant,
            dag=state.dag,
            after=state.cursor,
            lenders=await desk.lenders(asked.who),
        )
    )
    mine = state.kind is ListKind.MINE  # there, nothing is listed that one may not decide at all
    apart = [one for one in found.apart if not mine or one.why.rule is Rule.ALONE]
    return several.pick_form(found.ready, apart, more=found.more)


async def review(desk: Desk, body: Body) -> Reply:
    """Those that were ticked, each once more."""
    picked = parse_picked(body)
    if isinstance(picked, Malformed):
        return _show(await tampered_view(desk, body, picked))
    if not picked.targets:
        return {"response_action": "errors", "errors": several.nothing_ticked()}
    return await _in_time(desk, picked.view_id, _review_form(desk, picked))


async def _review_form(desk: Desk, picked: Picked) -> View:
    caller = await _caller_for(desk, picked.who, picked.targets)
    if isinstance(caller, LookUpFailed):
        return modals.refusal_view(notices.look_up_failed())
    named = [(target.checkpoint_id, target.digest) for target in picked.targets]
    lenders = await desk.lenders(picked.who)
    chosen = partial(several_chosen, caller=caller, named=named, lenders=lenders)
    ready, apart = await desk.store.read(chosen)
    views = await _views(desk, [checkpoint.id for checkpoint in ready])
    return several.review_form(views, apart)


async def record(desk: Desk, body: Body) -> Reply:
    """One answer for each, and what became of it."""
    sent = parse_sent(body)
    if isinstance(sent, Malformed):
        return _show(await tampered_view(desk, body, sent))
    views = await _views(desk, [target.checkpoint_id for target in sent.targets])
    errors = several.reason_missing(sent.targets, views, sent.choice, sent.reason)
    if errors is not None:
        return {"response_action": "errors", "errors": errors}
    return await _in_time(desk, sent.view_id, _decide_each(desk, sent, views))


async def _decide_each(desk: Desk, sent: Sent, views: Sequence[CheckpointView]) -> View:
    caller = await _caller_for(desk, sent.who, sent.targets)
    if isinstance(caller, LookUpFailed):
        return await _unverified(desk, sent, views, caller)
    shown = {view.checkpoint.id: view for view in views}
    told = [  # one after the other; what fails is said, and not tried again
        await _decide_one(desk, sent, caller, target, shown.get(target.checkpoint_id))
        for target in sent.targets
    ]
    return several.results(told)


async def _decide_one(
    desk: Desk, sent: Sent, caller: Caller, target: Target, view: CheckpointView | None
) -> several.Told:
    named = target.checkpoint_id if view is None else several.told_apart(view.checkpoint)
    reason = sent.reason if view is None else several.reason_for(view, sent.choice, sent.reason)
    answer = Answer(choice=sent.choice, reason=reason, request_digest=target.digest)
    try:
        outcome = await desk.store.write(
            partial(
                decide_together,
                checkpoint_id=target.checkpoint_id,
                caller=caller,
                answer=answer,
                lenders=await desk.lenders(sent.who, target.checkpoint_id),
            )
        )
        return await _told(desk, named, outcome)
    except Exception:
        ref = reference()
        log.exception("one of several could not be decided (reference %s)", ref)
        said = f"{named}. It is not certain: look at its card (reference {ref})."
        return several.Told(recorded=False, said=said)


async def _told(desk: Desk, named: str, outcome: Decided | Missing) -> several.Told:
    match outcome:
        case Missing():
            return several.Told(recorded=False, said=f"{named}. There is no such checkpoint.")
        case Decided(ruling=Refused() as refused, checkpoint=checkpoint):
            view = await desk.store.read(partial(checkpoint_view, checkpoint_id=checkpoint.id))
            if view is None:
                raise AssertionError(f"{checkpoint.id} is gone")
            why = refusal(refused, view)
            said = plain_line(why.lines[0]) if why.lines else f"{why.headline}."
            return several.Told(recorded=False, said=f"{named}. {said}")
        case Decided(checkpoint=checkpoint):
            word = elsewhere.state_word(checkpoint) or wording.state_word(checkpoint.state)
            return several.Told(recorded=True, said=f"{word}: {named}")


async def _unverified(
    desk: Desk, sent: Sent, views: Sequence[CheckpointView], failed: LookUpFailed
) -> View:
    for target in sent.targets:
        await desk.store.write(
            partial(
                note_unverified,
                checkpoint_id=target.checkpoint_id,
                caller=desk.unverified(sent.who),
                choice=sent.choice,
                why=failed.why,
            )
        )
    still_open = [view for view in views if view.checkpoint.is_open]
    return several.review_form(still_open, notice=notices.look_up_failed())


async def _caller_for(desk: Desk, who: Who, targets: Sequence[Target]) -> Caller | LookUpFailed:
    ids = [target.checkpoint_id for target in targets]
    return await _caller(desk, who, await desk.store.read(partial(groups_chosen, ids=ids)))


async def _caller(desk: Desk, who: Who, groups: frozenset[str]) -> Caller | LookUpFailed:
    return await desk.directory.caller(who.realm, who.user_id, groups)


async def _views(desk: Desk, ids: Sequence[str]) -> list[CheckpointView]:
    """What is known of these, those left out that do not exist."""
    found = [await desk.store.read(partial(checkpoint_view, checkpoint_id=one)) for one in ids]
    return [view for view in found if view is not None]


async def _in_time(desk: Desk, view_id: str, work: Coroutine[Any, Any, View]) -> Reply:
    """The view that comes of this, in the ack; or meanwhile another, and this one later."""
    making = asyncio.create_task(_or_broken(work))
    await asyncio.wait({making}, timeout=_QUICK_S)
    if making.done():
        return _show(making.result())
    desk.follow_ups.start(_later(desk, view_id, making))
    return _show(several.under_way())


async def _later(desk: Desk, view_id: str, making: "asyncio.Task[View]") -> None:
    await asyncio.sleep(_ACK_DRAWN_S)
    await desk.slack.update_view(view_id, await making)


async def _or_broken(work: Coroutine[Any, Any, View]) -> View:
    """A modal must not go on saying that it loads when something broke."""
    try:
        return await work
    except Exception:
        ref = reference()
        log.exception("several could not be decided at once (reference %s)", ref)
        return modals.error_view(notices.not_recorded(ref))


def _show(view: View) -> Reply:
    return {"response_action": "update", "view": view}
