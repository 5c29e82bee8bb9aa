"""Accounts that become one person's: asked for at a terminal, confirmed by that person in Slack."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.accounts import written
from engine.disabling import for_themselves, impossible, refuse_change
from engine.entitlement import names
from engine.events import IdentityLinked, IdentityUnlinked, LinkAsked, LinkRefused
from engine.identity import (
    Caller,
    Candidate,
    Identity,
    IdentityKind,
    PersonId,
    Principal,
    PrincipalKind,
)
from engine.people import LocalMode, anywhere
from engine.policy import Finding, Refused, enabled
from engine.store import links, people, trail
from engine.store.links import LinkRequest
from engine.store.writer import Tx

LINK_CODE_LIVES = timedelta(minutes=15)
_MOST_ATTEMPTS = 5
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no letter that can be mistaken for another
_CODE_LENGTH = 8
_LINKABLE = frozenset(
    {IdentityKind.OS, IdentityKind.AIRFLOW, IdentityKind.PREFECT, IdentityKind.EMAIL}
)


@dataclass(frozen=True, slots=True)
class LinkCode:
    """What the person types in Slack, and until when (UTC). It is stored nowhere."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"LinkCode(expires_at={self.expires_at!r})"


@dataclass(frozen=True, slots=True)
class Linked:
    """The account that is the caller's from now on, as it is written."""

    account: str


def ask_link(
    tx: Tx, account: Identity, target: Principal, by: Caller, local: LocalMode | None = None
) -> LinkCode | Refused:
    """Begin to tie an account to a Slack user, who must confirm it there with the code.

    By an Admin of any tenant, or by whose account it is.
    """
    asking = anywhere(tx, by, local)
    trace = for_themselves(asking, is_own=by.identity == account)
    trace += _obstacles(tx, account, target)
    if not all(finding.passed for finding in trace):
        return refuse_change(tx, "link", asking, trace)
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    salt, expires_at = secrets.token_hex(16), tx.now + LINK_CODE_LIVES
    request = LinkRequest(
        id=0,
        identity=account,
        target=str(target),
        salt=salt,
        code_hash=_hash(salt, code),
        asked_by=asking.person_id,
        attempts=0,
        expires_at=expires_at,
    )
    links.add_request(tx, request)
    about = trail.about(asking.person_id, by, account=written(account), target=str(target))
    trail.append(tx, LinkAsked(by=asking.person_id), about)
    return LinkCode(code, expires_at)


def confirm_link(tx: Tx, code: str, caller: Caller) -> Linked | Refused:
    """Somebody says in Slack that the account which waits under this code is theirs.

    Only the very account that was named can; a few wrong codes and the request is over.
    """
    confirming = anywhere(tx, caller)
    waiting = _waiting_for(tx, caller)
    meant = next((one for one in waiting if _is_code(one, code)), None)
    if meant is None:
        for request in waiting:
            links.count_attempt(tx, request, _MOST_ATTEMPTS)
        return _unknown_code(tx, confirming)
    trace = [enabled(confirming), *_obstacles(tx, meant.identity, _principal(caller))]
    if not all(finding.passed for finding in trace):
        return refuse_change(tx, "link", confirming, trace)
    links.end_request(tx, meant.id)
    was = _take_over(tx, meant, confirming)
    trail.append(
        tx,
        IdentityLinked(person=confirming.person_id, asked_by=meant.asked_by, was=was),
        trail.about(confirming.person_id, caller, account=written(meant.identity)),
    )
    return Linked(written(meant.identity))


def unlink(
    tx: Tx, account: Identity, by: Caller, local: LocalMode | None = None
) -> PersonId | Refused:
    """Take an account from its person: at next sight it is somebody new.

    By an Admin of any tenant, or by the person, who waits with it until nothing they started
    or voted on is open: one human must not become two in the middle of it.
    """
    asking = anywhere(tx, by, local)
    owner = people.person_of(tx, account)
    is_own = owner is not None and asking.is_person(owner)
    trace = for_themselves(asking, is_own=is_own)
    trace += _unlinkable(tx, account, owner, is_own=is_own)
    if owner is None or not all(finding.passed for finding in trace):
        return refuse_change(tx, "unlink", asking, trace)
    links.take_account(tx, account)
    trail.append(
        tx,
        IdentityUnlinked(person=owner, by=asking.person_id),
        trail.about(asking.person_id, by, account=written(account)),
    )
    return owner


def _obstacles(tx: Tx, account: Identity, target: Principal) -> list[Finding]:
    """Why this account cannot become this Slack user's; nothing when it can."""
    if target.kind is not PrincipalKind.SLACK_USER:
        return [impossible("a Slack user to link it to", str(target))]
    if account.kind not in _LINKABLE or not account.subject:
        needed = "an account of a machine, of Airflow or Prefect, or an e-mail"
        return [impossible(needed, written(account))]
    owner = people.person_of(tx, account)
    if owner is None:
        return []
    slack = [one for one in people.identities_of(tx, owner) if one.kind is IdentityKind.SLACK]
    if slack:
        needed = "an account that is nobody's in Slack; signoff people unlink frees it"
        return [impossible(needed, f"it is linked to {written(slack[0])}")]
    recorded = people.load_person(tx, owner)
    if recorded is not None and recorded.disabled_at is not None:
        return [impossible("somebody who is not disabled", "an Admin disabled them")]
    return []


def _unlinkable(
    tx: Tx, account: Identity, owner: PersonId | None, *, is_own: bool
) -> list[Finding]:
    accounts = () if owner is None else people.identities_of(tx, owner)
    if owner is None or len(accounts) < 2 or account.kind is IdentityKind.SLACK:  # noqa: PLR2004
        needed = "an account that was linked to a Slack user"
        return [impossible(needed, f"{written(account)} was not")]
    recorded = people.load_person(tx, owner)
    if recorded is not None and recorded.disabled_at is not None:
        return [impossible("somebody who is not disabled", "an Admin disabled them")]
    if is_own and links.has_open_business(tx, owner):
        needed = "nothing open that you started or voted on, or another Admin to do it"
        return [impossible(needed, "something is")]
    return []


def _take_over(tx: Tx, meant: LinkRequest, confirming: Candidate) -> PersonId | None:
    """Make the account the confirming person's: the person it was on record as, if any."""
    was = people.person_of(tx, meant.identity)
    linked_by = f"asked by {meant.asked_by}"
    if was is None:
        links.give_account(tx, meant.identity, confirming.person_id, linked_by)
    else:
        links.merge(tx, was, confirming.person_id, linked_by)
    return was


def _waiting_for(tx: Tx, caller: Caller) -> list[LinkRequest]:
    mine = _principal(caller)
    found = links.open_requests(tx, (str(mine), str(replace(mine, realm=""))))
    return [one for one in found if names(Principal.parse(one.target), caller)]


def _principal(caller: Caller) -> Principal:
    account = caller.identity
    return Principal(PrincipalKind.SLACK_USER, account.subject, account.realm)


def _unknown_code(tx: Tx, confirming: Candidate) -> Refused:
    needed = "a code made for your account within the last 15 minutes"
    refused = Refused((impossible(needed, "no such code waits for you"),))
    unwritten = trail.suppressed(tx, confirming.person_id, "link")
    if unwritten is not None:
        event = LinkRefused(person=confirming.person_id, suppressed_before=unwritten)
        trail.append(tx, event, trail.about(confirming.person_id, confirming.caller))
    return refused


def _is_code(request: LinkRequest, code: str) -> bool:
    said = code.strip().upper().replace("-", "")
    return hmac.compare_digest(_hash(request.salt, said), request.code_hash)


def _hash(salt: str, code: str) -> str:
    # Enough for a quarter of an hour: it confirms nothing without that Slack account.
    return hashlib.sha256(f"{salt}{code}".encode("utf-8", "replace")).hexdigest()
