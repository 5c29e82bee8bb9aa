"""Earlier votes that no longer count: whose, and which rule their voter fails now. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from engine.identity import Candidate
from engine.model import Checkpoint
from engine.policy import Kinds, vote_findings
from engine.rulings import Finding, Refused, Rule, Ruling, Vote

_NOT_FOUND = Finding(Rule.LOOK_UP, False, "the voter looked up again", "nobody could say who it is")


def with_lapses(
    ruling: Ruling,
    checkpoint: Checkpoint,
    votes: Sequence[Vote],
    candidate: Candidate,
    requester_kinds: Kinds,
) -> Ruling:
    """The ruling, its trace also telling which earlier votes did not count, and why.

    Nothing of that is in a refusal: no vote was counted for it.
    """
    if isinstance(ruling, Refused):
        return ruling
    others = (vote for vote in votes if vote.person_id != candidate.person_id)
    found = (lapse for vote in others for lapse in _lapses(checkpoint, vote, requester_kinds))
    return replace(ruling, trace=(*ruling.trace, *found))


def _lapses(checkpoint: Checkpoint, vote: Vote, requester_kinds: Kinds) -> tuple[Finding, ...]:
    """The rules that this vote's voter fails now; none while it counts."""
    if vote.voter is None:
        return (replace(_NOT_FOUND, person=vote.person_id),)
    findings = vote_findings(checkpoint, vote, requester_kinds)
    return tuple(replace(f, person=vote.person_id) for f in findings if not f.passed)
