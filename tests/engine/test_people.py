"""Who somebody is, which role they hold, and who may change that."""

from collections.abc import Iterable
from functools import partial

import pytest

from engine.identity import Caller, Identity, IdentityKind, PersonId, Principal, Role
from engine.people import (
    CLI_SOURCE,
    FILE_SOURCE,
    LocalMode,
    Wanted,
    grant,
    known,
    resolve,
    revoke,
    roles_of,
    sync_file,
)
from engine.policy import Refused
from engine.store import people
from engine.store.writer import Store, Tx
from tests.engine.build import HOST, TENANT, caller, cli_caller, events, give_role, rows

ROOT = cli_caller("root")
ANA = Principal.parse("U0ANA")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here."""
    return sqlite_store


def wanted(*lines: str, tenant: str = TENANT) -> list[Wanted]:
    """`U0ANA Operator`: a line of the configuration file."""
    found = []
    for line in lines:
        who, role = line.split()
        found.append(Wanted(Principal.parse(who), tenant, Role[role.upper()]))
    return found


async def active(store: Store) -> dict[tuple[str, str], tuple[Role, str]]:
    records = await store.read(people.active_grants)
    return {(r.principal, r.tenant): (r.role, r.source) for r in records}


# Persons


async def test_an_account_is_one_person_at_every_sight(store: Store) -> None:
    """The first sight makes a person; later ones find them and keep the name fresh."""
    first = await store.write(partial(resolve, caller=caller(name="Ana"), tenant=TENANT))
    again = await store.write(partial(resolve, caller=caller(name="Ana Lima"), tenant=TENANT))
    assert again.person_id == first.person_id
    named = await store.read(partial(people.display_names, person_ids=[first.person_id]))
    assert named == {first.person_id: "Ana Lima"}


async def test_the_same_id_elsewhere_is_another_person(store: Store) -> None:
    """An account is known by its kind and realm too, not by its bare id."""
    found = [
        await store.write(partial(resolve, caller=who, tenant=TENANT))
        for who in (caller("U0ANA"), caller("U0ANA", realm="T9X"), cli_caller("U0ANA"))
    ]
    assert len({candidate.person_id for candidate in found}) == 3


async def test_an_erased_person_gets_no_name_again(store: Store) -> None:
    """Seeing the account of an erased person does not write the name anew."""
    found = await store.write(partial(resolve, caller=caller(), tenant=TENANT))

    def erase(tx: Tx) -> None:
        mine = people._person.c.id == found.person_id
        tx.run(people._person.update().where(mine).values(name="", erased_at=tx.now))

    await store.write(erase)
    await store.write(partial(resolve, caller=caller(name="Ana"), tenant=TENANT))
    named = await store.read(partial(people.display_names, person_ids=[found.person_id]))
    assert named == {found.person_id: ""}


async def test_a_candidate_knows_the_kinds_of_all_their_accounts(store: Store) -> None:
    """What tells two persons apart is every account they have, this one included."""
    found = await store.write(partial(resolve, caller=caller(), tenant=TENANT))

    def link(tx: Tx) -> None:
        people.ensure_person(tx, ROOT.identity, "Ana")
        mine = people._identity.update().where(people._identity.c.kind == "os")
        tx.run(mine.values(person_id=found.person_id))

    await store.write(link)
    again = await store.write(partial(resolve, caller=caller(), tenant=TENANT))
    assert again.kinds == {(IdentityKind.SLACK, "T0HOME"), (IdentityKind.OS, HOST)}
    stranger = PersonId("")
    unseen = await store.read(
        partial(known, caller=cli_caller("zoe"), person_id=stranger, tenant=TENANT)
    )
    assert unseen.kinds == {(IdentityKind.OS, HOST)}


# Roles


async def test_unmapped_means_no_role(store: Store) -> None:
    """Nobody starts with anything."""
    found = await store.write(partial(resolve, caller=caller(), tenant=TENANT))
    assert found.entitlement is None
    assert await store.read(partial(roles_of, caller=caller())) == {}


async def test_a_role_is_held_in_one_tenant(store: Store) -> None:
    """A grant says where; elsewhere it means nothing."""
    await store.write(partial(give_role, user="U0ANA", role=Role.ADMIN, tenant="other"))
    found = await store.write(partial(resolve, caller=caller(), tenant=TENANT))
    assert found.entitlement is None
    held = await store.read(partial(roles_of, caller=caller()))
    assert {tenant: e.role for tenant, e in held.items()} == {"other": Role.ADMIN}


@pytest.mark.parametrize(
    ("granted", "local", "who", "role", "source"),
    [
        (None, None, ROOT, None, None),
        (None, Role.OPERATOR, ROOT, Role.OPERATOR, "USER_RBAC_ROLE"),
        (None, Role.OPERATOR, caller(), None, None),
        (Role.VIEWER, Role.ADMIN, ROOT, Role.VIEWER, "test: os:root"),
        (Role.ADMIN, Role.VIEWER, ROOT, Role.ADMIN, "test: os:root"),
    ],
    ids=["nothing", "local", "not-in-slack", "never-above-a-grant", "never-below-a-grant"],
)
async def test_the_variable_counts_only_where_nothing_was_granted(
    store: Store,
    granted: Role | None,
    local: Role | None,
    who: Caller,
    role: Role | None,
    source: str | None,
) -> None:
    """`USER_RBAC_ROLE` is for an OS user of local mode without a grant, and says so."""
    if granted is not None:
        root = Principal.parse("os:root")
        await store.write(lambda tx: people.add_grant(tx, root, TENANT, granted, "test", "test"))
    mode = None if local is None else LocalMode(local)
    found = await store.write(partial(resolve, caller=who, tenant=TENANT, local=mode))
    held = found.entitlement
    assert (held and held.role, held and held.source) == (role, source)


# Granting and revoking


async def test_the_first_grant_of_a_tenant_is_free_and_then_admins_decide(store: Store) -> None:
    """Somebody must begin; from the first Admin on only Admins change roles."""
    give = partial(grant, principal=ANA, tenant=TENANT)
    admin = partial(grant, principal=Principal.parse("os:root"), tenant=TENANT, role=Role.ADMIN)
    assert await store.write(partial(admin, by=ROOT)) is None
    refused = await store.write(partial(give, role=Role.ADMIN, by=cli_caller("eve")))
    assert isinstance(refused, Refused)
    assert refused.reasons[0].needed == "Admin in acme"
    assert await store.write(partial(give, role=Role.OPERATOR, by=ROOT)) is None
    assert (await active(store))[("U0ANA", TENANT)] == (Role.OPERATOR, CLI_SOURCE)
    assert await store.read(events) == ["role_granted", "role_change_refused", "role_granted"]


async def test_an_operator_changes_no_roles(store: Store) -> None:
    """Neither giving nor taking."""
    await store.write(partial(give_role, user="U0BOSS", role=Role.ADMIN))
    await store.write(partial(give_role, user="U0OPS"))
    before, ops = await active(store), caller("U0OPS")
    give = partial(grant, principal=ANA, tenant=TENANT, role=Role.VIEWER, by=ops)
    assert isinstance(await store.write(give), Refused)
    take = partial(revoke, principal=ANA, tenant=TENANT, by=ops)
    assert isinstance(await store.write(take), Refused)
    assert await active(store) == before


async def test_a_new_grant_replaces_the_one_of_the_same_source(store: Store) -> None:
    """There is one role per principal, tenant and source; the old one stays on record, closed."""
    await store.write(partial(give_role, user="U0BOSS", role=Role.ADMIN))
    give = partial(grant, principal=ANA, tenant=TENANT, by=caller("U0BOSS"))
    await store.write(partial(give, role=Role.OPERATOR))
    await store.write(partial(give, role=Role.VIEWER))
    found = await store.read(partial(rows, table="role_grant"))
    mine = [(r["role"], r["revoked_at"] is None) for r in found if r["source"] == CLI_SOURCE]
    assert mine == [("Operator", False), ("Viewer", True)]


async def test_revoking_takes_back_what_was_given_by_hand(store: Store) -> None:
    """It says which role it was; a second time there is nothing, and nothing is written."""
    await store.write(partial(grant, principal=ANA, tenant=TENANT, role=Role.OPERATOR, by=ROOT))
    take = partial(revoke, principal=ANA, tenant=TENANT, by=ROOT)
    assert await store.write(take) is Role.OPERATOR
    assert await store.write(take) is None
    assert await active(store) == {}
    assert await store.read(events) == ["role_granted", "role_revoked"]


async def test_revoking_by_hand_leaves_the_files_grants(store: Store) -> None:
    """What the configuration file gave only the file takes back."""
    await store.write(partial(sync_file, wanted=wanted("U0ANA Operator")))
    assert await store.write(partial(revoke, principal=ANA, tenant=TENANT, by=ROOT)) is None
    assert await active(store) == {("U0ANA", TENANT): (Role.OPERATOR, FILE_SOURCE)}


# The configuration file


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ([], ["U0ANA Operator", "S0OPS Admin"], (2, 0)),
        (["U0ANA Operator"], ["U0ANA Operator"], (0, 0)),
        (["U0ANA Operator"], ["U0ANA Admin"], (1, 1)),
        (["U0ANA Operator", "U0BOB Viewer"], ["U0BOB Viewer"], (0, 1)),
        (["U0ANA Operator"], [], (0, 1)),
        ([], ["U0ANA Operator", "U0ANA Admin"], (1, 0)),
    ],
    ids=["given", "unchanged", "changed", "removed", "emptied", "the-last-line-counts"],
)
async def test_the_files_grants_become_exactly_what_it_says(
    store: Store, before: Iterable[str], after: list[str], changes: tuple[int, int]
) -> None:
    """Each change is audited; reading the same file again changes nothing."""
    await store.write(partial(sync_file, wanted=wanted(*before)))
    written = len(await store.read(events))
    assert await store.write(partial(sync_file, wanted=wanted(*after))) == changes
    expected = {(str(w.principal), TENANT): (w.role, FILE_SOURCE) for w in wanted(*after)}
    assert await active(store) == expected
    assert len(await store.read(events)) == written + sum(changes)
    assert await store.write(partial(sync_file, wanted=wanted(*after))) == (0, 0)


async def test_the_file_leaves_grants_given_by_hand(store: Store) -> None:
    """The two sources stand beside each other; the higher role counts."""
    await store.write(partial(grant, principal=ANA, tenant=TENANT, role=Role.OPERATOR, by=ROOT))
    await store.write(partial(sync_file, wanted=wanted("U0ANA Viewer")))
    await store.write(partial(sync_file, wanted=[]))
    assert await active(store) == {("U0ANA", TENANT): (Role.OPERATOR, CLI_SOURCE)}


async def test_a_grant_names_its_source_and_principal(store: Store) -> None:
    """A role can be traced to the line that gave it."""
    await store.write(partial(sync_file, wanted=wanted("S0OPS Operator")))
    who = caller("U0ANA", groups=["S0OPS"])
    held = (await store.write(partial(resolve, caller=who, tenant=TENANT))).entitlement
    assert held is not None
    assert (held.source, held.by_id) == ("signoff.toml: S0OPS", False)


async def test_the_account_of_a_person_is_read_back_as_it_was(store: Store) -> None:
    """An identity's three parts survive the database."""
    identity = Identity(IdentityKind.EMAIL, "", "ana@example.com")
    person = await store.write(partial(people.ensure_person, identity=identity, name="Ana"))
    assert await store.read(partial(people.identities_of, person_id=person)) == (identity,)
