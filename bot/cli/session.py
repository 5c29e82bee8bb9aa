"""What a command works with: settings, an open database, and who is calling."""

import asyncio
import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, assert_never

from bot.cli.output import Moments, warn
from bot.config import Settings, load_settings
from bot.role_file import OtherFile, sync_roles
from engine import Caller, Identity, IdentityKind, Principal, PrincipalKind, Store, Surface, Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """One command's database, configuration and caller."""

    settings: Settings
    store: Store
    caller: Caller

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on a snapshot that cannot write."""
        return asyncio.run(self.store.read(work))

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction."""
        return asyncio.run(self.store.write(work))

    @property
    def moments(self) -> Moments:
        """Times, seen from now."""
        return Moments(self.store.clock.now())


@contextmanager
def session(*, with_roles: bool = False) -> Iterator[Session]:
    """Open what is configured. `with_roles` brings the file's grants in first."""
    settings = load_settings()
    store = Store.open(settings.database_url)
    try:
        opened = Session(settings, store, os_caller())
        if with_roles:
            _bring_roles(opened)
        yield opened
    finally:
        store.close()


def _bring_roles(opened: Session) -> None:
    synced = opened.write(lambda tx: sync_roles(tx, opened.settings, take_over=False))
    if isinstance(synced, OtherFile):
        warn(
            f"note: roles come from {synced.place}, not from {opened.settings.config_path}; "
            "`signoff roles sync` makes this file rule"
        )


def this_host() -> str:
    """The name of this machine, as runs and OS accounts are filed under."""
    return socket.gethostname()


def os_caller() -> Caller:
    """Whoever runs this command, by the system's word and not the environment's."""
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a container may run under a number without a name
        return _caller(f"uid{uid}", "")
    return _caller(entry.pw_name, entry.pw_gecos)


def os_account(identity: Identity) -> Caller | None:
    """Another account of this machine, looked up again; None when it is gone or elsewhere."""
    if identity.kind is not IdentityKind.OS or identity.realm != this_host():
        return None
    try:
        entry = pwd.getpwnam(identity.subject)
    except KeyError:
        return None
    return _caller(entry.pw_name, entry.pw_gecos)


def _caller(user: str, gecos: str) -> Caller:
    full_name = gecos.partition(",")[0].strip()
    return Caller(
        identity=Identity(IdentityKind.OS, this_host(), user),
        surface=Surface.CLI,
        name=full_name or user,
    )


def as_caller(principal: Principal) -> Caller:
    """Somebody who is this principal and, as far as is known here, nothing else."""
    match principal.kind:
        case PrincipalKind.OS_USER:
            realm = principal.realm or this_host()
            identity = Identity(IdentityKind.OS, realm, principal.subject)
            at_home = realm == this_host()
            return Caller(
                identity=identity, surface=Surface.CLI, name=principal.subject, at_home=at_home
            )
        case PrincipalKind.SLACK_USER:
            identity = Identity(IdentityKind.SLACK, principal.realm, principal.subject)
            return _in_slack(identity, at_home=not principal.realm)
        case PrincipalKind.SLACK_GROUP:
            identity = Identity(IdentityKind.SLACK, "", "")
            return _in_slack(identity, groups=frozenset({principal.subject}))
        case PrincipalKind.EMAIL:
            identity = Identity(IdentityKind.EMAIL, "", principal.subject)
            return _in_slack(identity, email=principal.subject)
        case _:
            assert_never(principal.kind)


def _in_slack(
    identity: Identity,
    *,
    at_home: bool = True,
    email: str | None = None,
    groups: frozenset[str] = frozenset(),
) -> Caller:
    return Caller(
        identity=identity,
        surface=Surface.SLACK,
        name=identity.subject,
        at_home=at_home,
        email=email,
        groups=groups,
    )
