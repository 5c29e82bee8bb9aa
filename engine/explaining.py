"""Why somebody may decide a checkpoint, or may not: every rule, with what it needs and finds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine import lifecycle
from engine.identity import Caller, IdentityKind, PersonId
from engine.lenders import with_lent
from engine.model import Checkpoint, Choice
from engine.people import LocalMode, known, requester_kinds
from engine.policy import admission
from engine.rulings import Finding, Rule
from engine.store import checkpoints, people
from engine.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Prospect:
    """How an approval of somebody would be judged now. `findings` are in the order of the rules."""

    checkpoint: Checkpoint
    findings: tuple[Finding, ...]

    @property
    def may(self) -> bool:
        """Whether they may decide."""
        return all(finding.passed for finding in self.findings)


def explain(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    lenders: Sequence[Caller] = (),
    local: LocalMode | None = None,
) -> Prospect | None:
    """Judge an approval that nobody has given; None when there is no such checkpoint.

    `lenders` are whoever delegated to the caller, looked up by the surface.
    Writes nothing: somebody never seen before stays unknown. What an answer would carry, a
    reason and a form, is told and not judged.
    """
    recorded = checkpoints.load(tx, checkpoint_id)
    if recorded is None:
        return None
    checkpoint = lifecycle.effective(recorded, tx.now)
    caller = _with_realm(tx, caller)
    person_id = people.person_of(tx, caller.identity) or PersonId("")
    seen = [(one, people.person_of(tx, one.identity)) for one in lenders]
    looked_up = [known(tx, one, seen_as, checkpoint.tenant) for one, seen_as in seen if seen_as]
    candidate = known(tx, caller, person_id, checkpoint.tenant, local)
    candidate = with_lent(tx, candidate, checkpoint, looked_up, local)
    kinds = requester_kinds(tx, checkpoint)
    judged = admission(checkpoint, candidate, checkpoint.request_digest, kinds)
    return Prospect(checkpoint, (*judged, *_answer(checkpoint), _quorum(tx, checkpoint, person_id)))


def _with_realm(tx: Tx, caller: Caller) -> Caller:
    """A Slack account that was named without its workspace, as the record knows it."""
    if caller.identity.kind is not IdentityKind.SLACK or caller.identity.realm:
        return caller
    realms = people.slack_realms(tx, caller.identity.subject)
    if len(realms) != 1:
        return caller
    return replace(caller, identity=replace(caller.identity, realm=realms[0]))


def _answer(checkpoint: Checkpoint) -> tuple[Finding, Finding]:
    policy = checkpoint.policy
    fields = ", ".join(field.name for field in policy.inputs) or "no form"
    return (
        Finding(Rule.REASON, True, policy.approve_reason, "asked for with the answer"),
        Finding(Rule.INPUTS, True, fields, "asked for with the answer"),
    )


def _quorum(tx: Tx, checkpoint: Checkpoint, person_id: PersonId) -> Finding:
    votes = checkpoints.latest(checkpoints.decisions(tx, checkpoint.id))
    others = sum(
        1 for vote in votes if vote.choice is Choice.APPROVE and vote.person_id != person_id
    )
    needed = checkpoint.policy.needed(Choice.APPROVE)
    found = f"{others} by others, each checked again when it settles"
    return Finding(Rule.QUORUM, True, f"{needed} to approve", found)
