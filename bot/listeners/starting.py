"""`/signoff`: runs, delegations, links. A private answer, in the ack when it is quick enough."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot import lists, notices, run_notices
from bot.cards import Message
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.listeners import notifications, people
from bot.listeners.answering import answer_in_time
from bot.listeners.oneself import doctor, whoami
from bot.listeners.pages import typed_reply
from bot.payloads import Command, Malformed, Who, parse_start
from bot.refusals import role_refusal
from bot.run_notices import RUN_COMMAND
from bot.typed import Doctor, Help, Looking, NotUnderstood, WhoAmI
from bot.typed_people import PeopleRequest
from bot.typed_runs import RunRequest, ShowNotifications, StartRun
from bot.wording import Explanation
from engine import (
    Caller,
    Filed,
    InvalidDag,
    InvalidParams,
    Refused,
    Role,
    Shelf,
    check_dag,
    live_worker,
    near_name,
    read_params,
    roles,
    submit,
)

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    """Tie the command to its replies."""

    async def typed(ack: AsyncAck, body: dict[str, Any]) -> None:
        command = parse_start(body)
        response_url = command.response_url if isinstance(command, Command) else ""
        meanwhile = _meanwhile(command)
        await answer_in_time(desk, ack, reply(desk, command), meanwhile, response_url)

    app.command(RUN_COMMAND)(typed)


def _meanwhile(command: Command[RunRequest] | Malformed) -> Message:
    match command:
        case Command(request=StartRun(name=name)):
            return lists.notice(run_notices.checking(name))
        case _:
            return lists.notice(notices.looking())


async def reply(desk: Desk, command: Command[RunRequest] | Malformed) -> Message:
    """What a command answers."""
    if isinstance(command, Malformed):
        log.warning("a slash command was malformed: %s", command.why)
        return lists.notice(notices.unknown_button())
    match command.request:
        case Help():
            return lists.usage_of_runs(command.command)
        case NotUnderstood() as misread:
            return lists.notice(notices.not_understood(misread, command.command))
        case Looking() as wanted:
            return await typed_reply(desk, command.who, wanted)
        case ShowNotifications():
            return await notifications.answer(desk, command.who.identity)
        case asked:
            return await _looked_up(desk, command.who, asked)


async def _looked_up(
    desk: Desk, who: Who, asked: StartRun | PeopleRequest | WhoAmI | Doctor
) -> Message:
    """The answer to somebody whose account and groups matter."""
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    match asked:
        case StartRun():
            return lists.notice(await _start(desk, caller, asked))
        case WhoAmI():
            return await whoami(desk, caller)
        case Doctor():
            return await doctor(desk, caller)
        case _:
            return lists.notice(await people.answer(desk, caller, asked))


async def _start(desk: Desk, caller: Caller, wanted: StartRun) -> Explanation:
    if desk.dags is None:
        return run_notices.no_folder()
    shelf = await asyncio.to_thread(desk.dags.look)
    held = await desk.store.read(partial(roles, caller=caller))
    operated = {tenant for tenant, role in held.items() if role.role >= Role.OPERATOR}
    match _meant(shelf, wanted, operated):
        case [one]:
            return await _run(desk, caller, one, wanted, operated)
        case []:
            runnable = [one for one in shelf.filed if one.dag.tenant in operated]
            near = near_name(wanted.name, runnable)
            return run_notices.unknown_dag(wanted.name, near, runnable, len(shelf.broken))
        case several:
            return run_notices.several_tenants(wanted.name, [one.dag.tenant for one in several])


def _meant(shelf: Shelf, wanted: StartRun, operated: set[str]) -> Sequence[Filed]:
    """The DAG of this name; of several, those that the caller may run."""
    named = [one for one in shelf.named(wanted.name) if wanted.tenant in (None, one.dag.tenant)]
    return [one for one in named if one.dag.tenant in operated] or named[:1]


async def _run(
    desk: Desk, caller: Caller, meant: Filed, wanted: StartRun, operated: set[str]
) -> Explanation:
    dag, host = meant.dag, socket.gethostname()
    try:
        if dag.tenant in operated:  # anybody else is refused and on record, before any work
            read_params(dag, wanted.params)
            await check_dag(dag, str(meant.file))
        made = await desk.store.write(
            partial(submit, dag=dag, caller=caller, host=host, params=wanted.params)
        )
    except InvalidParams as invalid:
        return run_notices.wrong_params(dag.name, invalid)
    except InvalidDag as invalid:
        return run_notices.broken_dag(dag.name, invalid)
    if isinstance(made, Refused):
        return role_refusal(made, dag.tenant)
    params = read_params(dag, wanted.params)
    has_worker = await desk.store.read(partial(live_worker, host=host))
    return run_notices.started(dag.name, made, params, host=host, has_worker=has_worker)
