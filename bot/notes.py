"""Messages to one person: whom to ask directly, and how what somebody asked for ended."""

from functools import partial

from bot import note_words
from bot.directory import Directory, LookUpFailed
from bot.slack import Slack, SlackRefused
from bot.summons import Summons
from bot.threads import HELD_RETRY, no_thread, root_of
from engine import (
    CheckpointView,
    Delivered,
    Delivery,
    DeliveryKind,
    Identity,
    IdentityKind,
    Moot,
    Occasion,
    Outcome,
    RetryLater,
    Standing,
    Store,
    Why,
    able,
    approver_groups,
    call_people,
    opted_in,
    silenced,
    sole_approver,
    targets_of,
)

_MOST_LOOKED_UP = 100
_NOBODY_THERE = frozenset(
    {
        "cannot_dm_bot",
        "channel_not_found",
        "is_archived",
        "user_disabled",
        "user_not_found",
        "user_not_visible",
        "users_not_found",
    }
)
_THERE = frozenset({Standing.MEMBER, Standing.GUEST})


class Notes:
    """Tells one person at a time, once, and only who wants to hear it."""

    def __init__(self, store: Store, slack: Slack, directory: Directory, most: int) -> None:
        self._store = store
        self._slack = slack
        self._directory = directory
        self._summons = Summons(store, directory)
        self._most = most

    async def tell(self, view: CheckpointView, delivery: Delivery) -> Outcome:
        """One delivery of the kinds that are for one person."""
        if delivery.kind is DeliveryKind.CALL:
            return await self._call(view, Occasion(delivery.payload["occasion"]))
        why = Why(delivery.payload["why"])
        if why is not Why.OUTCOME and not view.checkpoint.is_open:
            return Moot("nothing waits any more")
        user = delivery.payload["user"]
        account = Identity(IdentityKind.SLACK, delivery.payload["realm"], user)
        silent = await self._store.read(partial(silenced, account=account, why=why))
        if silent is not None:
            return Moot(silent)
        try:
            return await self._send(view, account, why)
        except SlackRefused as error:
            if error.code in _NOBODY_THERE:
                return Moot(f"{user} cannot be written to: {error}")
            return RetryLater(_what_helps(error), after=HELD_RETRY)

    async def _send(self, view: CheckpointView, account: Identity, why: Why) -> Outcome:
        if not self._directory.is_home(account.realm):
            return Moot("the account is of another workspace")
        root = root_of(view)
        if root is None and view.postings:
            return no_thread(view)
        found = await self._directory.caller(account.realm, account.subject)
        if isinstance(found, LookUpFailed):
            return Moot(found.why) if found.is_nobody else RetryLater(found.why)
        if found.standing not in _THERE:
            return Moot(f"the account is {found.standing}")
        # Where every copy of the card was deleted by hand, there is nothing to link to.
        link = None if root is None else await self._slack.permalink(root.place, root.handle or "")
        message = (
            note_words.outcome(view, link)
            if why is Why.OUTCOME
            else note_words.asked(view, why, link)
        )
        place = await self._slack.direct(account.subject)
        await self._slack.post(place, message.text, message.blocks)
        return Delivered()

    async def _call(self, view: CheckpointView, occasion: Occasion) -> Outcome:
        """Find out whom to tell, and ask for a message to each."""
        if not view.checkpoint.is_open:
            return Moot("nothing waits any more")
        if occasion is Occasion.OPENED:
            found, besides = await self._at_opening(view), 0
        else:
            found, besides = await self._at_escalation(view)
        await self._store.write(
            partial(
                call_people,
                checkpoint_id=view.checkpoint.id,
                occasion=occasion,
                found=found,
                most=self._most,
                besides=besides,
            )
        )
        return Delivered()

    async def _at_opening(self, view: CheckpointView) -> list[tuple[Identity, Why]]:
        """The only one named, and those who want to hear of it: as far as they could decide."""
        wanted = [(account, Why.OPTED_IN) for account in await self._store.read(opted_in)]
        sole = sole_approver(view.checkpoint)
        alone = None if sole is None else await self._summons.account_of(sole)
        if alone is not None:
            wanted.insert(0, (alone, Why.ALONE))
        found: list[tuple[Identity, Why]] = []
        for account, why in wanted[:_MOST_LOOKED_UP]:
            if await self._could_decide(view, account):
                found.append((account, why))
        return found

    async def _could_decide(self, view: CheckpointView, account: Identity) -> bool:
        asked = view.checkpoint.id
        groups = await self._store.read(partial(approver_groups, checkpoint_id=asked))
        caller = await self._directory.caller(account.realm, account.subject, groups)
        if isinstance(caller, LookUpFailed):
            return False
        return await self._store.read(partial(able, checkpoint_id=asked, caller=caller)) is not None

    async def _at_escalation(self, view: CheckpointView) -> tuple[list[tuple[Identity, Why]], int]:
        """Whom it names one by one, and how many people its thread calls in all."""
        checkpoint = view.checkpoint
        if checkpoint.policy.escalate is None:
            return [], 0
        called = await self._summons.to(targets_of(checkpoint.policy.escalate), checkpoint.tenant)
        reached = await self._summons.reached(called, checkpoint.policy.notify, self._most)
        realm = self._directory.realm
        people = [Identity(IdentityKind.SLACK, realm, user) for user in called.users]
        return [(account, Why.ESCALATED) for account in people], reached


def _what_helps(error: SlackRefused) -> str:
    if error.code == "missing_scope":
        return f"{error}: direct messages need the scope im:write; install the app again with it"
    return str(error)
