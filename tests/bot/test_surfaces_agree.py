"""Whatever the surface: the same answer is ruled the same way, and leaves the same record."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from bot.slack import SlackUnreachable
from engine.decisions import decide
from engine.identity import Caller, Principal, Role, Standing
from engine.model import Choice, InputField, InputType, Policy, ReasonRule
from tests.bot.story import Says, World, slack_user
from tests.bot.surfaces import ADDRESS, GROUP, WAYS, ThroughSlack, worlds
from tests.engine.build import answer, caller, cli_caller, give_role

HOUR = timedelta(hours=1)
ANA, REQ = slack_user("ana"), slack_user("req")

ALONE = Policy()
TWO = Policy(quorum=2)
TWO_WITH_REQ = Policy(quorum=2, self_approval=True)
EITHER = Policy(quorum=2, reject_quorum=2)
OWN = Policy(self_approval=True)
ADMIN = Policy(required_role=Role.ADMIN)
VIEWER = Policy(required_role=Role.VIEWER)
NAMED = Policy(approvers=(ANA,))
NAMED_TWO = Policy(approvers=(ANA, slack_user("cid")), quorum=2)
BY_ADDRESS = Policy(approvers=(Principal.parse(ADDRESS),))
BY_GROUP = Policy(approvers=(Principal.parse(GROUP),))
WHY = Policy(approve_reason=ReasonRule.REQUIRED)
PERCENT = InputField(name="percent", type=InputType.NUMBER, maximum=100, required=True)
FORM = Policy(inputs=(PERCENT,))
FORM_AND_WHY = Policy(inputs=(PERCENT,), approve_reason=ReasonRule.REQUIRED)

YES, NO = Says(), Says(choice=Choice.REJECT, reason="not today")
FOR_A_REASON = Says(reason="ticket 7")

Step = Callable[[World], object]


def answers(name: str, said: Says = YES) -> Step:
    """Somebody answers, on the surface the story is told on."""
    return lambda world: world.answer(name, said)


def answers_as(who: Caller, principal: str) -> Step:
    """Somebody approves with this account, wherever the rest happens; it is an Operator's."""

    def step(world: World) -> None:
        given = answer(digest=world.opened.request_digest)
        work = partial(decide, checkpoint_id=world.opened.id, caller=who, answer=given)
        world.write(partial(give_role, user=principal))
        world.write(work)

    return step


def gets(name: str, role: Role | None) -> Step:
    """Somebody's role changes."""
    return lambda world: world.gives(name, role)


def becomes(name: str, standing: Standing) -> Step:
    """Somebody's account in Slack becomes something else."""
    return lambda world: world.becomes(name, standing)


def is_stopped(name: str) -> Step:
    """An Admin disables somebody."""
    return lambda world: world.stops(name)


def lends(name: str, to: str, *, since: int = 0, until: int = 8) -> Step:
    """Somebody delegates, from and until so many hours from now."""
    return lambda world: world.lends(name, to, since * HOUR, until * HOUR)


def hours_pass(hours: int) -> Step:
    """Time goes by."""
    return lambda world: world.waits(hours * HOUR)


@dataclass(frozen=True, slots=True)
class Row:
    """A story: what the policy asks, what happened before, who answers, and the ruling."""

    story: str
    policy: Policy
    before: tuple[Step, ...]
    who: str
    says: Says
    ruling: str
    at_terminal: str | None = None  # where it is another ruling there, and is meant to be
    requester: Caller | None = None  # None: req, by their account on the surface of the story


TABLE = [
    # Who: standing, role, tenant
    Row("an Operator approves", ALONE, (), "ana", YES, "approved"),
    Row("an Operator rejects", ALONE, (), "ana", NO, "rejected"),
    Row("a Viewer decides nothing", ALONE, (), "vic", YES, "refused: role"),
    Row("even where a Viewer is asked for", VIEWER, (), "vic", YES, "refused: role"),
    Row("nor does somebody without a role", ALONE, (), "eve", YES, "refused: role"),
    Row("or an Admin of another tenant", ALONE, (), "oda", YES, "refused: role"),
    Row("an Admin is asked for", ADMIN, (), "ana", YES, "refused: role"),
    Row("and decides", ADMIN, (), "ada", YES, "approved"),
    Row("a role was taken", ALONE, (gets("ana", None),), "ana", YES, "refused: role"),
    Row("an Admin stopped them", ALONE, (is_stopped("ana"),), "ana", YES, "refused: enabled"),
    Row(
        "two rules fail, both are named",
        ALONE,
        (is_stopped("vic"),),
        *("vic", YES, "refused: enabled role"),
    ),
    Row(
        "a deactivated account decides nothing; at a terminal there is no such account",
        ALONE,
        (becomes("ana", Standing.DEACTIVATED),),
        *("ana", YES, "refused: standing", "approved"),
    ),
    # Whoever started it
    Row("nobody approves their own run", ALONE, (), "req", YES, "refused: self_approval"),
    Row("or rejects it", ALONE, (), "req", NO, "refused: self_approval"),
    Row("unless the policy lets them", OWN, (), "req", YES, "approved"),
    Row(
        "a run started in Slack: a user of a machine may be the same person",
        ALONE,
        (),
        *("ana", YES, "approved", "refused: known_person", caller("U0REQ")),
    ),
    Row(
        "a run started on another machine: in Slack it stops nobody",
        ALONE,
        (),
        *("ana", YES, "approved", "refused: known_person", cli_caller("req", host="far-1")),
    ),
    # The list of approvers
    Row("one who is named", NAMED, (), "ana", YES, "approved"),
    Row("one who is not", NAMED, (), "bob", YES, "refused: approvers"),
    Row("the list binds Admins", NAMED, (), "ada", YES, "refused: approvers"),
    Row(
        "named by address, which a user of a machine has not",
        BY_ADDRESS,
        (),
        *("bob", YES, "approved", "refused: approvers"),
    ),
    Row(
        "named by group, which a user of a machine is not in",
        BY_GROUP,
        (),
        *("bob", YES, "approved", "refused: approvers"),
    ),
    # In the place of another
    Row("a place is lent", NAMED, (lends("ana", "bob"),), "bob", YES, "approved"),
    Row(
        "the loan is over",
        NAMED,
        (lends("ana", "bob", until=1), hours_pass(1)),
        *("bob", YES, "refused: approvers delegation"),
    ),
    Row(
        "the loan has not begun",
        NAMED,
        (lends("ana", "bob", since=1),),
        *("bob", YES, "refused: approvers delegation"),
    ),
    Row(
        "whoever lends has lost the role",
        NAMED,
        (lends("ana", "bob"), gets("ana", None)),
        *("bob", YES, "refused: approvers delegation"),
    ),
    Row(
        "a delegate brings the role",
        NAMED,
        (lends("ana", "vic"),),
        *("vic", YES, "refused: role approvers"),
    ),
    Row(
        "nobody approves their own run in the place of another",
        NAMED,
        (lends("ana", "req"),),
        *("req", YES, "refused: approvers self_approval"),
    ),
    Row(
        "nor lends a place to have it approved",
        Policy(approvers=(REQ,)),
        (lends("req", "bob"),),
        *("bob", YES, "refused: approvers delegation"),
    ),
    Row(
        "what was lent is not lent on",
        NAMED,
        (lends("ana", "bob"), lends("bob", "cid")),
        *("cid", YES, "refused: approvers delegation"),
    ),
    Row(
        "for Ana and by Ana is one voice",
        NAMED_TWO,
        (lends("ana", "bob"), answers("ana")),
        *("bob", YES, "1 of 2"),
    ),
    Row(
        "for Ana, and Cid: two",
        NAMED_TWO,
        (lends("ana", "bob"), answers("bob")),
        *("cid", YES, "approved"),
    ),
    # Quorum
    Row("the first of two", TWO, (), "ana", YES, "1 of 2"),
    Row("the same person again", TWO, (answers("ana"),), "ana", FOR_A_REASON, "1 of 2"),
    Row("the second of two", TWO, (answers("ana"),), "bob", YES, "approved"),
    Row("one no is enough", TWO, (answers("ana"),), "bob", NO, "rejected"),
    Row("or two, where two are asked for", EITHER, (answers("ana", NO),), "bob", NO, "rejected"),
    Row("yes and no do not add up", EITHER, (answers("ana", NO),), "bob", YES, "1 of 2"),
    Row(
        "a change of mind takes the first answer back",
        EITHER,
        (answers("ana"), answers("ana", NO)),
        *("bob", YES, "1 of 2"),
    ),
    Row(
        "a voter who lost the role does not count",
        TWO,
        (answers("ana"), gets("ana", Role.VIEWER)),
        *("bob", YES, "1 of 2"),
    ),
    Row(
        "a voter who was stopped does not count",
        TWO,
        (answers("ana"), is_stopped("ana")),
        *("bob", YES, "1 of 2"),
    ),
    Row(
        "nor a delegate's vote whose loan is over",
        NAMED_TWO,
        (lends("ana", "bob", until=1), answers("bob"), hours_pass(1)),
        *("cid", YES, "1 of 2"),
    ),
    Row(
        "nor one who left Slack; at a terminal there is nobody to ask about a user",
        TWO,
        (answers("ana"), becomes("ana", Standing.DEACTIVATED)),
        *("bob", YES, "1 of 2", "approved"),
    ),
    Row(
        "a vote in Slack cannot be checked again from a terminal",
        TWO,
        (answers_as(caller("U0ANA"), "U0ANA"),),
        *("bob", YES, "approved", "1 of 2"),
    ),
    Row(
        "one on another machine counts everywhere",
        TWO_WITH_REQ,
        (answers_as(cli_caller("dan", host="far-1"), "os:dan"),),
        *("bob", YES, "approved"),
    ),
    # What is said
    Row(
        "a rejection wants a reason",
        ALONE,
        (),
        *("ana", Says(choice=Choice.REJECT)),
        "refused: reason",
    ),
    Row("an approval, too, where it is required", WHY, (), "ana", YES, "refused: reason"),
    Row("with a reason", WHY, (), "ana", FOR_A_REASON, "approved"),
    Row("the form is empty", FORM, (), "ana", YES, "refused: inputs"),
    Row(
        "the form is out of bounds",
        FORM,
        (),
        "ana",
        Says(inputs={"percent": "101"}),
        "refused: inputs",
    ),
    Row("the form is filled in", FORM, (), "ana", Says(inputs={"percent": "50"}), "approved"),
    Row("whoever says no fills in nothing", FORM, (), "ana", NO, "rejected"),
    Row("neither reason nor form", FORM_AND_WHY, (), "ana", YES, "refused: reason inputs"),
    # What was seen, and when
    Row("another request was seen", ALONE, (), "ana", Says(digest="f" * 64), "refused: digest"),
    Row("it is decided already", ALONE, (answers("ana"),), "bob", NO, "refused: open"),
    Row("its deadline has come", ALONE, (hours_pass(72),), "ana", YES, "refused: open"),
    Row("an hour before", ALONE, (hours_pass(71),), "ana", YES, "approved"),
    Row("late, and no role", ALONE, (hours_pass(72),), "eve", YES, "refused: open role"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.story)
def test_a_story_ends_the_same_on_every_surface(
    row: Row, tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the ruling of the table and with one record, except where a terminal is to differ."""
    monkeypatch.chdir(tmp_path)
    with worlds(tmp_path, sqlite_template, WAYS) as told:
        rulings, left = {}, {}
        for world in told:
            world.begin(row.policy, row.requester)
            for step in row.before:
                step(world)
            rulings[world.surface] = world.answer(row.who, row.says)
            left[world.surface] = world.left()
    assert rulings == {
        "store": row.ruling,
        "slack": row.ruling,
        "cli": row.at_terminal or row.ruling,
    }
    assert left["slack"] == left["store"]
    if row.at_terminal is None:
        assert left["cli"] == left["store"]
    for surface, ruling in rulings.items():
        rules = ruling.partition("refused: ")[2].split()
        refused = [(row.who.capitalize(), row.says.choice.value, *rules)] if rules else []
        assert list(left[surface].refusals) == refused


def test_whom_slack_cannot_name_decides_nothing(tmp_path: Path, sqlite_template: Path) -> None:
    """Only Slack has to be asked who somebody is; once it answers, the same form is recorded."""
    with worlds(tmp_path, sqlite_template, [ThroughSlack]) as [world]:
        world.begin(ALONE)
        slack = cast("ThroughSlack", world).slack
        slack.trouble = SlackUnreachable("users.info: timeout")
        before = world.left()
        assert world.answer("ana", YES) == "refused: look_up"
        assert world.left().ends == before.ends
        assert world.left().refusals == (("ana", "approve", "look_up"),)
        slack.trouble = None
        assert world.answer("ana", YES) == "approved"
