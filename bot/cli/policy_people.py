"""Who is meant by what a policy or a command names, as far as Slack and the record can say."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from bot.cli.session import Session, as_caller
from bot.config import Settings
from bot.directory import Directory, LookUpFailed
from bot.slack import Slack, SlackError, SlackRefused, connected
from engine import (
    Caller,
    Dag,
    Grant,
    IdentityKind,
    Members,
    Principal,
    PrincipalKind,
    Role,
    Store,
    active_grants,
    approver_groups,
    database_file,
    granted_groups,
    lenders_of,
)

_FILE = "signoff.toml"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could be told by this name, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person, and whoever delegated to them, as far as they could be looked up."""

    caller: Caller
    lenders: tuple[Caller, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of everybody and every place that a DAG file's policies name."""

    members: Members
    unreachable: Mapping[Principal, str] = field(default_factory=dict)  # and why
    channels: Mapping[str, str | None]  # task id -> where its card goes
    missing_channels: frozenset[str] = frozenset()
    trouble: str | None = None  # why Slack could not be asked, where it should have been


async def somebody(now: Session, user: str, checkpoint_id: str) -> Somebody | Unknown:
    """The person a command names, looked up in Slack where there is a token."""
    named = None if user.startswith("@") else Principal.parse(user)
    if named is not None and named.kind is PrincipalKind.SLACK_GROUP:
        return Unknown("this is a group: name one person")
    token = now.settings.bot_token
    if token is None:
        told = "only Slack knows names: set SLACK_BOT_TOKEN, or say U012AB"
        return Unknown(told) if named is None else Somebody(as_caller(named))
    async with connected(now.settings.slack_api_url, token.get_secret_value()) as slack:
        try:
            return await _looked_up(slack, now, user, named, checkpoint_id)
        except SlackError as error:
            return Unknown(f"Slack could not be asked ({error})")


async def _looked_up(
    slack: Slack, now: Session, user: str, named: Principal | None, checkpoint_id: str
) -> Somebody | Unknown:
    home = await slack.installation()
    groups = await now.store.read(partial(approver_groups, checkpoint_id=checkpoint_id))
    directory = Directory(slack, home, now.store.clock, partial(now.store.read, granted_groups))
    if named is not None and named.kind is PrincipalKind.OS_USER:
        caller = as_caller(named)
    else:
        user_id = await _user_id(slack, user, named)
        if user_id is None:
            return Unknown("nobody in the workspace is called so")
        realm = (named.realm if named is not None else "") or home.realm
        found = await directory.caller(realm, user_id, groups)
        if isinstance(found, LookUpFailed):
            return Unknown(found.why)
        caller = found
    made = partial(lenders_of, caller=caller.identity, checkpoint_id=checkpoint_id)
    lenders = [
        await directory.caller(account.realm, account.subject, groups)
        for account in await now.store.read(made)
        if account.kind is IdentityKind.SLACK
    ]
    return Somebody(caller, tuple(one for one in lenders if isinstance(one, Caller)))


async def _user_id(slack: Slack, user: str, named: Principal | None) -> str | None:
    if named is None:
        return await slack.user_named(user.removeprefix("@"))
    if named.kind is PrincipalKind.EMAIL:
        return await slack.user_with_email(named.subject)
    return named.subject


def grants_of(settings: Settings, tenant: str) -> list[Grant]:
    """The grants of a tenant: those of the file, and of the database where there is one."""
    of_file = [
        Grant(want.principal, want.tenant, want.role, _FILE)
        for want in settings.wanted_grants
        if want.tenant == tenant
    ]
    file = database_file(settings.database_url)
    if file is not None and not file.exists():
        return of_file
    store = Store.open(settings.database_url)
    try:
        recorded = asyncio.run(store.read(partial(active_grants, tenant=tenant)))
    finally:
        store.close()
    return of_file + [
        Grant(Principal.parse(one.principal), one.tenant, one.role, one.source)
        for one in recorded
        if not (settings.config_found and one.source == _FILE)  # the file itself was read
    ]


async def look_up(settings: Settings, dag: Dag, grants: Iterable[Grant]) -> Found:
    """Ask Slack about everybody and every channel named; without a token, what is written."""
    channels = {
        str(task.id): settings.channel_for(dag.tenant, dag.name, gate.channel)
        for task, gate in dag.gates
    }
    alone = Found(members=Members({}), channels=channels)
    if settings.bot_token is None:
        return alone
    named = dict.fromkeys([*(grant.principal for grant in grants), *_named(dag)])
    async with connected(settings.slack_api_url, settings.bot_token.get_secret_value()) as slack:
        try:
            known, unreachable = await _members(slack, named)
            wanted = {*channels.values(), *_escalation_channels(dag)} - {None}
            missing = [name for name in wanted if name and await slack.channel(name) is None]
        except SlackError as error:
            return Found(members=alone.members, channels=channels, trouble=str(error))
    return Found(
        members=Members(known, asked=True),
        unreachable=unreachable,
        channels=channels,
        missing_channels=frozenset(missing),
    )


def mentioned(targets: Iterable[str]) -> tuple[list[Principal], list[Role], list[str]]:
    """Whom an escalation names: users and groups, roles, channels."""
    principals: list[Principal] = []
    roles: list[Role] = []
    channels: list[str] = []
    for target in targets:
        role = Role.parse(target)
        if role is not None:
            roles.append(role)
        elif target.startswith("#"):
            channels.append(target)
        else:
            principals.append(Principal.parse(target))
    return principals, roles, channels


def _named(dag: Dag) -> Iterator[Principal]:
    for _, gate in dag.gates:
        yield from gate.policy.approvers
        yield from gate.policy.notify
        if gate.policy.escalate is not None:
            yield from mentioned(gate.policy.escalate.to)[0]


def _escalation_channels(dag: Dag) -> Iterator[str]:
    for _, gate in dag.gates:
        if gate.policy.escalate is not None:
            yield from mentioned(gate.policy.escalate.to)[2]


async def _members(
    slack: Slack, named: Iterable[Principal]
) -> tuple[dict[Principal, frozenset[str]], dict[Principal, str]]:
    known: dict[Principal, frozenset[str]] = {}
    unreachable: dict[Principal, str] = {}
    for principal in named:
        accounts, why = await _accounts(slack, principal)
        known[principal] = accounts
        if why:
            unreachable[principal] = why
    return known, unreachable


async def _accounts(slack: Slack, principal: Principal) -> tuple[frozenset[str], str]:
    """The accounts a principal means, and why there are none."""
    match principal.kind:
        case PrincipalKind.OS_USER:
            return frozenset({str(principal)}), ""
        case PrincipalKind.SLACK_USER:
            return await _account(slack, principal.subject)
        case PrincipalKind.EMAIL:
            user_id = await slack.user_with_email(principal.subject)
            return (frozenset({user_id}), "") if user_id else (frozenset(), _NO_ADDRESS)
        case PrincipalKind.SLACK_GROUP:
            members = await slack.group_members(principal.subject)
            return members, "" if members else "there is no such group, or nobody is in it"


_NO_ADDRESS = "nobody in the workspace has this address"


async def _account(slack: Slack, user_id: str) -> tuple[frozenset[str], str]:
    try:
        account = await slack.account(user_id)
    except SlackRefused as error:
        if error.code != "user_not_found":
            raise
        return frozenset(), "there is no such account"
    return (frozenset(), "deactivated") if account.is_deleted else (frozenset({user_id}), "")
