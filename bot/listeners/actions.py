"""Clicks on buttons. None here decides anything: they open a modal or turn a page."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import lists, modals, notices
from bot.desk import Desk, reference
from bot.directory import LookUpFailed
from bot.gate_options import pressed
from bot.listeners.pages import page_reply
from bot.listeners.tampered import tampered_view
from bot.payloads import Click, Malformed, parse_click, parse_page_turn
from bot.refusals import refusal, role_refusal
from bot.slack import SlackError
from bot.tokens import (
    APPROVE,
    APPROVE_AT_ONCE,
    APPROVE_IN_MODAL,
    ASK_AGAIN,
    BREAK_GLASS,
    DETAILS,
    HOME_BACK,
    HOME_NEXT,
    HOME_REFRESH,
    LIVE_CHECK,
    NEXT,
    NOTIFICATIONS,
    OPEN_THERE,
    OPTIONS,
    REFRESH,
    REJECT,
    REJECT_IN_MODAL,
    REVIEW,
    SEVERAL,
    SHOW_MINE,
    SIGN_REVIEW,
)
from bot.wording import Explanation
from engine import (
    AskedAgain,
    Caller,
    Checkpoint,
    CheckpointView,
    Choice,
    Decided,
    Entitlement,
    Finding,
    Missing,
    Refused,
    Rule,
    admit,
    adopt,
    ask_again,
    checkpoint_view,
    may_break_glass,
    note_unknown,
    note_unseen,
    note_unverified,
    roles,
)

log = logging.getLogger(__name__)

Body = dict[str, Any]
Opening = Callable[[Desk, Click], Awaitable[dict[str, Any]]]

_CHOICES = {
    APPROVE: Choice.APPROVE,
    APPROVE_IN_MODAL: Choice.APPROVE,
    REJECT: Choice.REJECT,
    REJECT_IN_MODAL: Choice.REJECT,
}
_ELSEWHERE = (  # heard in `glass`, `crowds`, `home`, `live_check` and `notifications`
    BREAK_GLASS,
    SIGN_REVIEW,
    SHOW_MINE,
    HOME_BACK,
    HOME_NEXT,
    HOME_REFRESH,
    LIVE_CHECK,
    NOTIFICATIONS,
)
_KNOWN = (
    *_CHOICES,
    APPROVE_AT_ONCE,
    OPTIONS,
    ASK_AGAIN,
    DETAILS,
    REVIEW,
    REFRESH,
    NEXT,
    SEVERAL,
    OPEN_THERE,
    *_ELSEWHERE,
)
_UNKNOWN = re.compile(f"^(?!(?:{'|'.join(_KNOWN)})$).*")

# What stands on a card: a click on anything else does not make a card of what it stands in.
_ON_CARDS = frozenset({APPROVE, APPROVE_AT_ONCE, REJECT, ASK_AGAIN, DETAILS})

_AN_OPTION = re.compile(f"^{OPTIONS}$")


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie clicks to what they do. One listener per id: after a late ack Bolt runs the next."""

    async def decide(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(on_click(desk, body, open_form))

    async def look(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(on_click(desk, body, open_details))

    async def again(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(on_click(desk, body, ask_anew))

    async def turn(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(turn_page(desk, body))

    async def follow_link(ack: AsyncAck) -> None:
        await ack()

    async def unknown(ack: AsyncAck, body: Body) -> None:
        await ack()
        desk.follow_ups.start(_tampered(desk, body, Malformed("the button is none of ours")))

    for action_id in _CHOICES:
        app.action(action_id)(decide)
    app.action(_AN_OPTION)(decide)
    for action_id in (DETAILS, REVIEW):
        app.action(action_id)(look)
    app.action(ASK_AGAIN)(again)
    for action_id in (REFRESH, NEXT):
        app.action(action_id)(turn)
    app.action(OPEN_THERE)(follow_link)
    app.action(_UNKNOWN)(unknown)


async def on_click(desk: Desk, body: Body, then: Opening) -> None:
    """Open a modal at once, and make it what the click leads to."""
    click = parse_click(body)
    if isinstance(click, Malformed):
        await _tampered(desk, body, click)
        return
    if not await fill_modal(desk, click, then):
        await ask_to_click_again(desk, click)
    await adopt_copy(desk, click)


async def fill_modal(desk: Desk, click: Click, then: Opening) -> bool:
    """Open a modal at once, and make it what follows. False when Slack did not let it open."""
    # First of all the modal: its trigger lives three seconds, and a look-up may be slow.
    show = desk.slack.push_view if click.is_in_modal else desk.slack.open_view
    try:
        view_id = await show(click.trigger_id, modals.loading())
    except SlackError as error:
        log.warning("a modal could not be opened: %s", error)
        return False
    await desk.slack.update_view(view_id, await _guarded(desk, click, then))
    return True


async def _guarded(desk: Desk, click: Click, then: Opening) -> dict[str, Any]:
    """What the open modal becomes; it must not go on saying that it loads when something broke."""
    try:
        return await then(desk, click)
    except Exception:
        ref = reference()
        log.exception("a modal could not be filled (reference %s)", ref)
        return modals.error_view(notices.not_recorded(ref))


async def ask_to_click_again(desk: Desk, click: Click) -> None:
    """The trigger was too old. Slack does not promise to deliver this, but mostly does."""
    if click.place is not None:
        again = lists.notice(notices.click_again())
        await desk.slack.whisper(click.place.channel, click.who.user_id, again.text, again.blocks)


async def open_form(desk: Desk, click: Click) -> dict[str, Any]:
    """The form to decide, for who may; for anybody else why not, and that they tried is kept."""
    choice, target = _choice_of(click), click.target
    caller, lenders = await asyncio.gather(
        desk.caller(click.who, target.checkpoint_id),
        desk.lenders(click.who, target.checkpoint_id),
    )
    if isinstance(caller, LookUpFailed):
        return await _unverified(desk, click, caller)
    admitted = await desk.store.write(
        partial(
            admit,
            checkpoint_id=target.checkpoint_id,
            caller=caller,
            choice=choice,
            request_digest=target.digest,
            lenders=lenders,
        )
    )
    view = await _view(desk, click)
    match admitted:
        case Checkpoint() if view is not None:
            return await _form(desk, click, view, choice)
        case Decided(ruling=Refused() as refused) if view is not None:
            return modals.refusal_of(refused, view)
        case Missing() | Checkpoint() | Decided():
            return modals.error_view(notices.unknown_id(target.checkpoint_id))


async def _form(desk: Desk, click: Click, view: CheckpointView, choice: Choice) -> dict[str, Any]:
    option = pressed(view.checkpoint, click.action_id)
    if option is None and _AN_OPTION.search(click.action_id):
        what = "the button names no option of the request"
        note = partial(note_unknown, caller=desk.unverified(click.who), what=what)
        await desk.store.write(note)
        return modals.error_view(notices.unknown_button())
    return modals.decision_form(view, choice, place=desk.place_of(view), option=option)


def _choice_of(click: Click) -> Choice:
    """What a button stands for; whoever presses one for an option approves."""
    return _CHOICES.get(click.action_id, Choice.APPROVE)


async def open_details(desk: Desk, click: Click) -> dict[str, Any]:
    """Everything about the request, for whoever holds a role in its tenant."""
    caller = await desk.caller(click.who, click.target.checkpoint_id)
    if isinstance(caller, LookUpFailed):
        return await _unverified(desk, click, caller)
    view = await _view(desk, click)
    held = None if view is None else await _role_in(desk, caller, view)
    if held is None:
        named = click.target.checkpoint_id
        await desk.store.write(partial(note_unseen, checkpoint_id=named, caller=caller))
    if view is None:
        return modals.error_view(notices.unknown_id(click.target.checkpoint_id))
    if held is None:
        return modals.refusal_view(_no_role(view), title="Not for you")
    may_see = held.role >= view.checkpoint.policy.required_role
    named = click.target.checkpoint_id
    glass = await desk.store.read(partial(may_break_glass, checkpoint_id=named, caller=caller))
    return modals.details(view, viewer_may_see_secrets=may_see, may_break_glass=glass)


async def ask_anew(desk: Desk, click: Click) -> dict[str, Any]:
    """Ask an expired question again, for who may; a new card follows."""
    named = click.target.checkpoint_id
    caller = await desk.caller(click.who)
    if isinstance(caller, LookUpFailed):
        return await _unverified(desk, click, caller)
    asked = await desk.store.write(partial(ask_again, checkpoint_id=named, caller=caller))
    view = await _view(desk, click)
    match asked:
        case AskedAgain():
            return modals.refusal_view(notices.asked_again(), title="Asked again")
        case Decided(ruling=Refused() as refused) if view is not None:
            return modals.refusal_view(refusal(refused, view))
        case Missing() | Decided():
            return modals.error_view(notices.unknown_id(named))


async def turn_page(desk: Desk, body: Body) -> None:
    """Refresh or Next: the list is replaced through the button's own response_url."""
    turned = parse_page_turn(body)
    if isinstance(turned, Malformed):
        await _tampered(desk, body, turned)
        return
    message = await page_reply(desk, turned.who, turned.state)
    await desk.slack.replace(turned.response_url, message.text, message.blocks)


def _no_role(view: CheckpointView) -> Explanation:
    tenant = view.checkpoint.tenant
    found = Finding(Rule.ROLE, passed=False, needed=f"a role in {tenant}", found="no role")
    return role_refusal(Refused((found,)), tenant)


async def _role_in(desk: Desk, caller: Caller, view: CheckpointView) -> Entitlement | None:
    held = await desk.store.read(partial(roles, caller=caller))
    return held.get(view.checkpoint.tenant)


async def _view(desk: Desk, click: Click) -> CheckpointView | None:
    named = click.target.checkpoint_id
    return await desk.store.read(partial(checkpoint_view, checkpoint_id=named))


async def _unverified(desk: Desk, click: Click, failed: LookUpFailed) -> dict[str, Any]:
    if click.action_id in _CHOICES or _AN_OPTION.search(click.action_id):
        await desk.store.write(
            partial(
                note_unverified,
                checkpoint_id=click.target.checkpoint_id,
                caller=desk.unverified(click.who),
                choice=_choice_of(click),
                why=failed.why,
            )
        )
    return modals.refusal_view(notices.look_up_failed())


async def adopt_copy(desk: Desk, click: Click) -> None:
    """A click on a copy we do not know of: a post whose reply was lost. Draw it true too."""
    place, is_option = click.place, _AN_OPTION.search(click.action_id) is not None
    if place is None or place.is_ephemeral or not (is_option or click.action_id in _ON_CARDS):
        return
    view = await _view(desk, click)
    if view is None or any(
        (p.place, p.handle) == (place.channel, place.message_ts) for p in view.postings
    ):
        return
    await desk.store.write(
        partial(
            adopt,
            checkpoint_id=click.target.checkpoint_id,
            surface="slack",
            place=place.channel,
            handle=place.message_ts,
        )
    )


async def _tampered(desk: Desk, body: Body, malformed: Malformed) -> None:
    """A button that names nothing real: said privately, written down, and nothing else."""
    view = await tampered_view(desk, body, malformed)
    trigger_id = body.get("trigger_id")
    if isinstance(trigger_id, str):
        await desk.slack.open_view(trigger_id, view)
