"""Who is on record: persons by any of their names, with accounts, delegations and standing."""

from dataclasses import dataclass
from datetime import datetime

from engine.accounts import read_account
from engine.errors import PersonNotFound
from engine.identity import (
    Caller,
    Delegation,
    Entitlement,
    Identity,
    IdentityKind,
    PersonId,
    Surface,
)
from engine.people import roles_of
from engine.store import delegations, links, people
from engine.store.writer import Tx

_HOME = "slack_home"


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationView:
    """A delegation that lends something now or later, with what both are called."""

    delegation: Delegation
    delegator: str
    delegate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFile:
    """Everything on record about who somebody is. The name is empty once erased."""

    id: PersonId
    name: str
    disabled_at: datetime | None
    accounts: tuple[Identity, ...]
    delegations: tuple[DelegationView, ...]  # made by them and to them


def remember_home(tx: Tx, realm: str) -> None:
    """Keep which Slack workspace is ours, so that `U012AB` names an account at a terminal too."""
    if people.get_meta(tx, _HOME) != realm:
        people.set_meta(tx, _HOME, realm)


def account_named(tx: Tx, text: str, host: str) -> Identity:
    """The account a text names; on this `host`, in our workspace, where it does not say.

    Raises `InvalidAccount` and `InvalidPrincipal`.
    """
    return read_account(text, host=host, home=people.get_meta(tx, _HOME))


def person_named(tx: Tx, text: str, host: str) -> PersonId | None:
    """The person a text means, by account or by `pn_…`; None when there is none yet.

    Raises as `account_named`, and `PersonNotFound` for an id that nobody has.
    """
    text = text.strip()
    if text.startswith("pn_"):
        today = links.person_of_today(tx, PersonId(text))
        if people.load_person(tx, today) is None:
            raise PersonNotFound(text)
        return today
    return people.person_of(tx, account_named(tx, text, host))


def ensure_named(tx: Tx, text: str, host: str) -> PersonId:
    """The person a text means, made when they were never seen: they may come any moment.

    Raises as `person_named`, also for an address that no person is on record with.
    """
    found = person_named(tx, text, host)
    if found is not None:
        return found
    account = account_named(tx, text, host)
    if account.kind is IdentityKind.EMAIL:
        raise PersonNotFound(text)
    return people.ensure_person(tx, account, account.subject)


def person_file(tx: Tx, person_id: PersonId) -> PersonFile:
    """What is on record about a person."""
    recorded = people.load_person(tx, person_id)
    if recorded is None:
        raise AssertionError(f"{person_id} is gone in its own transaction")
    return _filed(tx, recorded)


def file_of(tx: Tx, account: Identity) -> PersonFile | None:
    """The same by one of their accounts; None for one never seen."""
    person_id = people.person_of(tx, account)
    return None if person_id is None else person_file(tx, person_id)


def ensure_caller(tx: Tx, caller: Caller) -> PersonId:
    """The person of somebody a surface has looked up, made at first sight."""
    return people.ensure_person(tx, caller.identity, caller.name)


def roles_by_account(tx: Tx, filed: PersonFile) -> dict[str, Entitlement]:
    """The highest role in each tenant that the accounts of a person were granted by id.

    Groups and addresses are not known here: a surface knows them when the person acts.
    """
    held: dict[str, Entitlement] = {}
    for account in filed.accounts:
        at_home = account.realm == people.get_meta(tx, _HOME) or account.kind is IdentityKind.OS
        caller = Caller(identity=account, surface=Surface.CLI, name=filed.name, at_home=at_home)
        for tenant, found in roles_of(tx, caller).items():
            if tenant not in held or held[tenant].role < found.role:
                held[tenant] = found
    return dict(sorted(held.items()))


def person_files(tx: Tx) -> list[PersonFile]:
    """Everybody, by name; schedules are nobody."""
    found = [_filed(tx, recorded) for recorded in people.listed_persons(tx)]
    return [one for one in found if not _is_schedule(one)]


def _is_schedule(one: PersonFile) -> bool:
    return bool(one.accounts) and all(a.kind is IdentityKind.SCHEDULE for a in one.accounts)


def _filed(tx: Tx, recorded: people.PersonRecord) -> PersonFile:
    made = delegations.of(tx, recorded.id, tx.now)
    both = {one.delegator for one in made} | {one.delegate for one in made}
    names = people.display_names(tx, both)
    return PersonFile(
        id=recorded.id,
        name=recorded.name,
        disabled_at=recorded.disabled_at,
        accounts=people.identities_of(tx, recorded.id),
        delegations=tuple(
            DelegationView(
                delegation=one, delegator=names[one.delegator], delegate=names[one.delegate]
            )
            for one in made
        ),
    )
